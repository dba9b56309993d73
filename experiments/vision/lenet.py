"""LeNet-5 as published, and a small modern CNN, on handwritten digits (decks 001, 002, 003).

    python experiments/vision/lenet.py
    python experiments/vision/lenet.py --dataset mnist --networks CNN --epochs 10 --seeds 3
    python experiments/vision/lenet.py --dataset mnist --networks LeNet-5 --epochs 20 --seeds 3

The first command uses scikit-learn's 8x8 digits, enlarged to 32x32, the input size of LeNet-5.
Test accuracy, seed 0, in 105 CPU seconds: LeNet-5 97.1 %, CNN 98.9 %.

Test accuracy on MNIST, three seeds (measured before the order of examples changed):

    CNN, 131,050 weights   99.50 ± 0.01 %   target 99.3 %                     24 CPU minutes
    LeNet-5                98.98 ± 0.13 %   99.05 % in LeCun et al. (1998)     6 CPU minutes

LeNet-5 misses the published value, which is without distortions, by half a standard deviation.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax

from dlcourse import analysis, data, learners, models, training
from dlcourse.data import augment

PUBLISHED = {"LeNet-5": 0.9905, "CNN": 0.993}  # the CNN's is our target


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet, learners.Classification):
    """LeNet-5 with tanh and average pooling, and a CNN with ReLU and batch norm."""

    selects = frozenset({"networks"})

    network: Literal["LeNet-5", "CNN"] = "LeNet-5"
    """Network that a run trains."""
    networks: tuple[Literal["LeNet-5", "CNN"], ...] = ("LeNet-5", "CNN")
    """Networks that are compared."""
    features: tuple[int, ...] = (32, 64, 64)
    """Channels of each block of the CNN."""
    hidden: int = 128
    """Width of the dense layer of the CNN."""
    dropout: float = 0.3
    """Dropout rate of the dense layer of the CNN."""
    shift: int = 2
    """Maximum random shift of the CNN's training images, in pixels."""
    learning_rate: float = 2e-3
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 12
    """Passes over the train split."""


def enlarged(images: data.Dataset) -> data.Dataset:
    """The images in 32x32, resized on the device; images of 28x28 and more are unchanged."""
    if images.shapes["image"][0] >= 28:
        return images

    def prepare(batch: dict[str, Any]) -> dict[str, Any]:
        batch = images.prepare(batch)
        n, _, _, channels = batch["image"].shape
        return batch | {"image": jax.image.resize(batch["image"], (n, 32, 32, channels), "linear")}

    return dataclasses.replace(images, prepare=prepare)


def experiment(config: Config) -> training.Experiment:
    images = enlarged(config.images())
    classes = images.num_classes
    if config.network == "LeNet-5":
        model = models.LeNet5(classes)
    else:
        model = models.CNN(config.features, classes, config.hidden, config.dropout)
    learner = learners.supervised(
        model,
        config.cross_entropy(images),
        config.rule(images),
        metrics_of=config.metrics,
    )
    if config.network == "CNN":
        shift = functools.partial(augment.crop, padding=config.shift)
        learner = learners.augmented(learner, augment.per_example(shift))
    figures = analysis.classification(learner.apply, images)
    return training.Experiment(learner, images, figures=figures)


def variants(config: Config) -> dict[str, Config]:
    return {name: dataclasses.replace(config, network=name) for name in config.networks}


def report(runs: training.Runs) -> analysis.Report:
    dataset = runs.config.dataset
    return analysis.Report(
        analysis.Table.of_metric(
            f"LeNet-5 and a CNN on {dataset}",
            "test accuracy",
            runs.final("test", "accuracy"),
            references=PUBLISHED if dataset == "mnist" else {},
            diverged=runs.diverged,
        )
    )


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
