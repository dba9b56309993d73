"""Deck 003's three CIFAR-10 models and ResNet-20, in one figure and one table; AlexNet on request.

    python experiments/vision/cifar_models.py
    python experiments/vision/cifar_models.py --dataset cifar10 --networks model-1 model-2
        --examples 45833 --epochs 5 --seeds 3 --batch-size 128
    python experiments/vision/cifar_models.py --dataset cifar10 --networks model-2 --examples 45833
        --epochs 100 --seeds 3 --batch-size 64 --augment --learning-rate 2e-3
    python experiments/vision/cifar_models.py --dataset cifar10 --examples 45833 --epochs 60
        --seeds 3 --batch-size 128 --augment

On two CPU cores, on a copy of CIFAR-10 that went through JPEG: the second, in 5 minutes of
processor time, model 1 46.96 ± 0.36 %, model 2 53.86 ± 0.79 %; the third, in 37, model 2
70.07 ± 0.50 %, where the bar is 70 %. The fourth is the full length and needs an accelerator; the
bars of model 3 and ResNet-20 (91 and 91.7 %) are not yet measured.

The first needs no download: bundled digits at 32x32 in three channels. Its 60 steps are quick and
say little: ResNet-20, whose blocks begin as nothing, has then hardly begun to learn.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.data import augment
from dlcourse.training.run.interruption import Interruption

MODELS = {  # of the number of classes
    "model-1": models.CIFARModel1,
    "model-2": models.CIFARModel2,
    "model-3": models.CIFARModel3,
    "alexnet": models.AlexNetCIFAR,
    "resnet-20": models.ResNet20,
}
BARS = {"model-2": 0.70, "model-3": 0.91, "resnet-20": 0.917}


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Networks from dense to residual on the same images."""

    dataset: str = "digits"
    """`digits` is bundled; `cifar10` is prepared by TFDS."""
    networks: tuple[Literal["model-1", "model-2", "model-3", "alexnet", "resnet-20"], ...] = (
        "model-1", "model-2", "model-3", "resnet-20",
    )  # fmt: skip
    """Dense; LeNet-5 with ReLU; six convolutions with batch norm; AlexNet; residual."""
    examples: int = 300
    """How many training examples are used."""
    augment: bool = False
    """Mirror and shift the training images, as for CIFAR."""
    learning_rate: float = 1e-3
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 20
    """Examples in a step, over all devices together."""
    epochs: float = 4
    """How often training walks through the train split."""


def coloured(images: data.Dataset) -> data.Dataset:
    """What is not 32x32, or grey, is brought to 32x32x3, on the device."""
    if images.shapes["image"] == (32, 32, 3):
        return images

    def prepare(batch: dict[str, Any]) -> dict[str, Any]:
        image = images.prepare(batch)["image"]
        if image.shape[-1] == 1:
            image = jnp.repeat(image, 3, axis=-1)
        shape = (len(image), 32, 32, image.shape[-1])
        return batch | {"image": jax.image.resize(image, shape, "linear")}

    return dataclasses.replace(images, prepare=prepare)


def experiment(name: str, config: Config) -> training.Experiment:
    images = coloured(data.images(config.dataset, stream=config.stream))
    images = images.with_fewer(config.examples)
    model = MODELS[name](num_classes=images.num_classes)
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(images))),
        policy=config.policy,
    )
    if config.augment:
        change = augment.per_example(augment.compose(augment.flip, augment.crop))
        learner = learners.augmented(learner, change)
    predict = learners.predictor(model, policy=config.policy)
    return training.Experiment(learner, images, figures=analysis.classification(predict, images))


def body(config: Config, interruption: Interruption) -> None:
    variants = {name: functools.partial(experiment, name) for name in config.networks}
    results, folder = training.run_variants(
        variants, config, name="cifar_models", interruption=interruption
    )
    curves = {name: each.curve("validation", "accuracy") for name, each in results.items()}
    figure = analysis.draw_variants(curves, "validation accuracy")
    figure.savefig(folder / "comparison.png", dpi=120)
    analysis.ResultTable(
        f"Networks on {config.dataset}, {config.examples} training images",
        "test accuracy",
        {name: result.values("test", "accuracy") for name, result in results.items()},
        references=BARS if config.dataset == "cifar10" else {},
    ).report(folder)


if __name__ == "__main__":
    training.launch(body, Config)
