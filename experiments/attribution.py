"""Which pixels speak for a digit: attribution of an MLP's outputs (deck 003, "with SHAP").

python experiments/attribution.py
python experiments/attribution.py --dataset mnist --epochs 10
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.analysis import attribution


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """An MLP on handwritten digits, and which pixels its outputs come from."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    hidden: tuple[int, ...] = (64, 32)
    """The width of each hidden layer."""
    learning_rate: float = 1e-3
    """Adam's rate."""
    batch_size: int = 64
    """Examples in a step, over all devices together."""
    epochs: float = 40
    """How often training walks through the train split."""
    background: int = 50
    """How many training images stand for what is not known."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.MLP((*config.hidden, images.num_classes))
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adam(config.learning_rate),
        policy=config.policy,
    )
    predict = learners.predictor(model, policy=config.policy)
    train, test = (
        images.prepare(images.read(images.splits[split][:count]))
        for split, count in (("train", config.background), ("test", 300))
    )
    # The first test image of each class.
    firsts = np.array([np.flatnonzero(test["label"] == c)[0] for c in range(images.num_classes)])
    examples, background = jnp.asarray(test["image"])[firsts], jnp.asarray(train["image"])
    key = training.stream(config.seed, "random attributions")

    def output(state: Any, c: int, squash: Callable = lambda logits: logits) -> Callable:
        """Output c of the trained model as a function of images."""
        return lambda x: squash(predict(state, {"image": x}))[:, c]

    def pictures(state: Any) -> Any:
        """Expected gradients of all logits, for one image of each digit."""
        values = [
            attribution.expected_gradients(output(state, c), examples, background, steps=16)
            for c in range(images.num_classes)
        ]
        outputs = [f"for {name}" for name in images.classes]
        return attribution.draw_attributions(
            np.asarray(examples), np.stack(values, axis=1), images.classes, outputs
        )

    def deletion(state: Any) -> Any:
        """The pixels that count most are taken away first: the probability should fall fast."""
        blank = jnp.zeros_like(examples[0])
        methods = {
            "expected gradients": lambda f, x: attribution.expected_gradients(
                f, x, background, steps=16
            ),
            "integrated gradients": lambda f, x: attribution.integrated_gradients(f, x, blank),
            "by chance": lambda f, x: jax.random.normal(key, x.shape),
        }
        curves = {}
        for name, method in methods.items():
            of_class = []
            for c in range(images.num_classes):
                x = examples[c : c + 1]
                probability = output(state, c, jax.nn.softmax)
                values = method(output(state, c), x)
                of_class.append(attribution.deletion_curve(probability, x, values, blank))
            outputs = np.concatenate([curve.outputs for curve in of_class])
            curves[name] = attribution.DeletionCurve(of_class[0].share, outputs)
        return attribution.draw_deletion(curves)

    figures = {"attributions": pictures, "deletion": deletion}
    figures |= analysis.classification(predict, images)
    return training.Experiment(learner, images, figures=figures)


if __name__ == "__main__":
    training.main(experiment, Config)
