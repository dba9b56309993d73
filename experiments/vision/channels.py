"""What the channels of a trained network see (deck 003).

    python experiments/vision/channels.py
    python experiments/vision/channels.py --dataset cifar10 --features 32 64 128 --layer Conv_2
        --epochs 10

`figures/alike.png`: for some channels, the test images whose output in that channel is most like
that of a given image. `figures/maps.png`: the channels' maps, and the saliency of the decision.
"""

import dataclasses
from typing import Any

import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A convolutional network, and what one of its layers makes of images."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    features: tuple[int, ...] = (16, 32)
    """The channels of each block."""
    layer: str = "Conv_1"
    """Whose channels to look at."""
    channels: tuple[int, ...] = (0, 1, 2, 3)
    """Which of them."""
    learning_rate: float = 3e-3
    """Adam's rate; it falls to zero along a cosine."""
    epochs: float = 15
    """How often training walks through the train split."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.CNN(config.features, images.num_classes)
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(images))),
        policy=config.policy,
    )
    test = images.prepare(images.read(images.splits["test"][:450]))["image"]
    queries = test[:2]
    analysis.check_channels(model, queries, config.layer, config.channels)

    def variables(state: learners.SupervisedState) -> dict[str, Any]:
        return {"params": state.params, **state.model_state}

    def alike(state: learners.SupervisedState) -> Any:
        maps = analysis.channel_maps(model, variables(state), test, config.layer)
        others = maps[len(queries) :]
        found = [
            analysis.channel_similarity(maps[: len(queries), ..., c], others[..., c])
            for c in config.channels
        ]
        rest = np.asarray(test[len(queries) :])
        return analysis.draw_alike(np.asarray(queries), rest, np.stack(found), config.channels)

    def feature_maps(state: learners.SupervisedState) -> Any:
        shown = test[:6]
        maps = analysis.channel_maps(model, variables(state), shown, config.layer)
        heat = analysis.saliency(lambda x: model.apply(variables(state), x), shown)
        drawn = (np.asarray(each) for each in (shown, maps, heat))
        return analysis.draw_maps(*drawn, config.channels)

    return training.Experiment(learner, images, figures={"alike": alike, "maps": feature_maps})


if __name__ == "__main__":
    training.main(experiment, Config)
