"""Autoencoders with codes of several sizes, beside principal components (deck 003).

    python experiments/generative/autoencoder.py
    python experiments/generative/autoencoder.py --network convolutional --features 16 32
    python experiments/generative/autoencoder.py --dataset mnist --features 512 --epochs 30 \\
        --batch-size 128

The bar of a size is the error of as many principal components. Squared error per pixel, digits'
test split, seed 0, in 65 CPU seconds (numbers in a code; an image has 64):

                             2        4        8        16       32
    autoencoder           0.0401   0.0246   0.0136   0.0071   0.0023
    principal components  0.0532   0.0383   0.0247   0.0116   0.0027

The other two commands are not yet measured.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, data, learners, models, optim, training

Network = Literal["dense", "convolutional"]


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """An autoencoder of images."""

    limits = training.Config.limits | {"code": training.SIZE, "codes": training.SIZE}
    selects = frozenset({"codes"})

    network: Network = "dense"
    """Dense layers, or convolutions that halve height and width."""
    code: int = 16
    """Numbers in the code of a run."""
    codes: tuple[int, ...] = (2, 4, 8, 16, 32)
    """Sizes of the code that are compared."""
    features: tuple[int, ...] = (256,)
    """Widths of the encoder's hidden layers, or channels of its maps."""
    optimizer: optim.Optimizer = "adamw"
    learning_rate: float = 2e-3
    schedule: optim.ScheduleName = "cosine"
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 100
    """Passes over the train split."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation split."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.Autoencoder(images.shapes["image"], config.code, config.features, config.network)
    learner = learners.autoencoder(model, config.rule(images))
    figures = {
        "reconstructions": analysis.show_reconstructions(learner.apply, images),
        "codes": analysis.show_codes(learner.apply, images, plane=False),
    }
    return training.Experiment(learner, images, figures=figures)


def variants(config: Config) -> dict[str, Config]:
    return {f"code {n}": dataclasses.replace(config, code=n) for n in config.codes}


def pictures(images: data.Dataset, split: str) -> np.ndarray:
    return np.asarray(images.prepare(images.read(images.splits[split]))["image"])


def report(runs: training.Runs) -> analysis.Report:
    """The error against the size of the code, and that of as many principal components."""
    config, images = runs.config, next(iter(runs.values())).experiment.data
    train, test = (pictures(images, split) for split in ("train", "test"))
    components = analysis.principal_components(train)
    linear = {
        row: float(components.error(test, run.config.code).mean()) for row, run in runs.items()
    }
    error = "squared error per pixel"
    rows = {
        row: {
            error: run.values("test", "loss"),
            "PCA of this size": linear[row],
            "numbers per pixel": run.config.code / test[0].size,
        }
        for row, run in runs.items()
    }
    bars = {row: bar for row, bar in linear.items() if bar > 1e-6}  # PCA is not lossless
    table = analysis.Table(
        f"{config.dataset}, test split: reconstructions beside principal components",
        rows, error, bars, lower_is_better=True, diverged=runs.diverged,
    )  # fmt: skip
    sizes = np.array([run.config.code for run in runs.values()])
    measured = np.stack([rows[row][error] for row in runs])
    curves = {
        "autoencoder": (sizes, measured),
        "principal components": (sizes, np.array([[linear[row]] for row in runs])),
    }
    figures = {"compression": analysis.draw_variants(curves, error, along="size of the code")}
    shown = {"image": test[:12]}
    for row, run in runs.items():
        found = run.apply({"image": jnp.asarray(images.read(images.splits["test"][:12])["image"])})
        shown[row] = np.asarray(found["reconstruction"])
        shown[f"PCA {run.config.code}"] = components.reconstruct(test[:12], run.config.code)
    figures["reconstructions"] = analysis.draw_rows(shown)
    return analysis.Report(table, figures, notes(runs, test[0].size))


def notes(runs: Mapping[str, Any], pixels: int) -> list[str]:
    """Codes that are no smaller than an image."""
    return [
        f"{row} is as large as an image of {pixels} numbers: nothing has to be compressed."
        for row, run in runs.items()
        if run.config.code >= pixels
    ]


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
