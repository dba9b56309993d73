"""Variational autoencoders with a plane and a space of latents (deck 003; Kingma, Welling, 2014).

    python experiments/generative/vae.py
    python experiments/generative/vae.py --dataset mnist --binarisation dynamic --latent 50 \\
        --batch-size 100 --learning-rate 1e-3 --epochs 800 --draws 5000

`latents.png` shows the codes of test images and the decoded plane, `walks.png` ways between two
digits. Digits with the pixels above one half set to 1, seed 0, nats of the test split, in 80 CPU
seconds, half of them of compilation (bar: 17.5; independent pixels: 24.8):

                    -log p(x), k = 500   -ELBO     KL   Fréchet distance of the mean images
    2 latents            19.0             19.6    3.3            0.498
    10 latents           17.3             18.2    6.6            0.093

The second command, the network of Burda et al. (2016), has a bar of 87 nats, on MNIST binarised
anew at each step. Not yet measured.
"""

import dataclasses
import math
from typing import Literal

import numpy as np

from dlcourse import analysis, data, learners, models, optim, training

BARS = {"digits": 17.5, "mnist": 87.0}


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """A variational autoencoder of images with binary pixels."""

    limits = training.Config.limits | {
        "latent": training.SIZE, "latents": training.SIZE, "draws": (2, 100_000),
    }  # fmt: skip
    selects = frozenset({"latents"})

    extractor: str | None = None
    """Features in which samples are compared: a set's name, or a file; by default the set's."""
    binarisation: Literal["threshold", "dynamic"] = "threshold"
    """Pixels above one half are 1, or each is drawn anew with its grey level as probability."""
    latent: int = 10
    """Dimension of z in a run."""
    latents: tuple[int, ...] = (2, 10)
    """Dimensions that are compared."""
    features: tuple[int, ...] = (200, 200)
    """Widths of the encoder's hidden layers; the decoder has them in reverse."""
    draws: int = 500
    """Draws of z in the importance-weighted bound of evaluation, k."""
    learning_rate: float = 3e-3
    schedule: optim.ScheduleName = "cosine"
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 100
    """Passes over the train split."""
    evaluate_every: str = "25%"
    """Interval between evaluations on the validation split."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    learner = learners.vae(
        models.VAE(images.shapes["image"], config.latent, config.features),
        config.rule(images),
        binarise="dynamic" if config.binarisation == "dynamic" else 0.5,
        draws=config.draws,
        features=analysis.extractor(config.extractor or config.dataset),
    )
    figures = {
        "samples": analysis.sample_grid(learner.apply),
        "reconstructions": analysis.show_reconstructions(learner.apply, images),
        "walks": analysis.show_walks(learner.apply, images),
        "latents": analysis.show_codes(learner.apply, images),
    }
    return training.Experiment(learner, images, figures=figures)


def variants(config: Config) -> dict[str, Config]:
    return {f"{n} latents": dataclasses.replace(config, latent=n) for n in config.latents}


def report(runs: training.Runs) -> analysis.Report:
    config, run = runs.config, next(iter(runs.values()))
    images, bound = run.experiment.data, f"nll_iwae_{config.draws}"
    features = analysis.extractor(config.extractor or config.dataset)
    drawn = {row: (each.experiment.learner.apply, each.by_seed()) for row, each in runs.items()}
    quality = analysis.quality_rows(drawn, images, features)
    rows = {
        row: {
            f"-log p(x), k = {config.draws}": each.values("test", bound),
            "-ELBO": each.values("test", "loss"),
            "KL": each.values("test", "kl"),
            **quality[row],
        }
        for row, each in runs.items()
    }  # fmt: skip
    quantity = next(iter(rows[next(iter(rows))]))
    rows["training images"] = quality["training images"]
    if config.binarisation == "threshold":
        train, test = (
            (np.asarray(images.prepare(images.read(images.splits[split]))["image"]) > 0.5) * 1.0
            for split in ("train", "test")
        )
        bits = analysis.independent_pixels(train, test, levels=2)
        rows["independent pixels"] = {quantity: bits * train[0].size * math.log(2)}
    bar = BARS.get(config.dataset)
    bars = {row: bar for row, each in runs.items() if bar and each.config.latent > 2}
    table = analysis.Table(
        f"{config.dataset}, {config.binarisation} binarisation, nats of the test split; samples in "
        f"features of {features.name}",
        rows, quantity, bars,
        lower_is_better=True, diverged=runs.diverged, percent=["precision", "recall"],
    )  # fmt: skip
    curves = analysis.draw_variants(runs.curves("validation", bound), quantity)
    return analysis.Report(table, {"comparison": curves})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
