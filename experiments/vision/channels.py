"""The channels of a trained convolutional network (deck 003).

    python experiments/vision/channels.py
    python experiments/vision/channels.py --dataset cifar10 --features 32 64 128 --layer Conv_2
        --epochs 10

`figures/alike.png` shows, for some channels, the test images whose map in that channel is most
similar to that of a query image. `figures/maps.png` shows the maps of these channels and the
saliency of the predicted class. Test accuracy on digits, seed 0: 97.3 %, in 43 CPU seconds.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from dlcourse import analysis, data, learners, models, training
from dlcourse.learner import Trained


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet, learners.Classification):
    """A convolutional network, with the maps of one of its layers."""

    limits = training.Config.limits | {"channels": (0, 2**16)}
    distinct = frozenset({"channels"})

    features: tuple[int, ...] = (16, 32)
    """Channels of each block."""
    layer: str = "Conv_1"
    """Layer whose channels are drawn."""
    channels: tuple[int, ...] = (0, 1, 2, 3)
    """Numbers of the channels that are drawn."""
    learning_rate: float = 3e-3
    epochs: float = 15
    """Passes over the train split."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.CNN(config.features, images.num_classes)
    learner = learners.supervised(
        model, config.cross_entropy(images), config.rule(images), metrics_of=config.metrics
    )
    test = images.prepare(images.read(images.splits["test"][:450]))["image"]
    queries = test[:2]
    analysis.check_channels(model, queries, config.layer, config.channels)

    def variables(state: Trained) -> dict[str, Any]:
        return {"params": state.weights, **state.model_state}

    def alike(state: Trained) -> Any:
        maps = analysis.channel_maps(model, variables(state), test, config.layer)
        others = maps[len(queries) :]
        found = [
            analysis.channel_similarity(maps[: len(queries), ..., c], others[..., c])
            for c in config.channels
        ]
        rest = np.asarray(test[len(queries) :])
        return analysis.draw_alike(np.asarray(queries), rest, np.stack(found), config.channels)

    def feature_maps(state: Trained) -> Any:
        shown = test[:6]
        maps = analysis.channel_maps(model, variables(state), shown, config.layer)
        heat = analysis.saliency(
            lambda x: learner.apply(state, {"image": x}, jax.random.key(0)), shown
        )
        drawn = (np.asarray(each) for each in (shown, maps, heat))
        return analysis.draw_maps(*drawn, config.channels)

    return training.Experiment(learner, images, figures={"alike": alike, "maps": feature_maps})


if __name__ == "__main__":
    training.main(experiment, Config)
