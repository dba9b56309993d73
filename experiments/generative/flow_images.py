"""A multi-scale normalizing flow on images, in bits per dimension (deck 003).

    python experiments/generative/flow_images.py
    python experiments/generative/flow_images.py --dataset mnist --features 16 32 48 \\
        --couplings 0 4 4 --epochs 12 --learning-rate 1e-3 --draws 2
    python experiments/generative/flow_images.py --dataset mnist --features 32 48 64 \\
        --couplings 2 2 4 --depth 3 --dequantisation 4 --epochs 200 --batch-size 128

The bars are 2.2 bits per dimension on digits, which have 17 grey levels, and 1.02 on MNIST, which
has 256. Bits per dimension of digits' test split, seed 0, 103,670 weights, in 91 CPU seconds:

    flow, one draw of dequantisation noise            2.031
    flow, importance-weighted bound of 8 draws        1.983
    independent pixels                                2.439
    one Gaussian; mixture of 10, dequantised    2.974; 2.739

MNIST is not yet measured.
"""

import dataclasses

import numpy as np

from dlcourse import analysis, data, learners, models, optim, training

BARS = {"digits": 2.2, "mnist": 1.02}


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """A normalizing flow with couplings, squeezes and dequantisation."""

    limits = training.Config.limits | {
        "levels": (2, 65_536), "depth": (0, 100), "couplings": (0, 100),
        "dequantisation": (0, 100), "draws": (1, 10_000),
    }  # fmt: skip

    extractor: str | None = None
    """Features in which samples are compared: a set's name, or a file; by default the set's."""
    levels: int | None = None
    """Grey levels of a pixel, to be checked; by default those of the set."""
    features: tuple[int, ...] = (24, 32)
    """Channels of the networks in the couplings, at each scale."""
    couplings: tuple[int, ...] = (0, 4)
    """Couplings at each scale."""
    depth: int = 1
    """Gated layers of each network."""
    dequantisation: int = 2
    """Couplings of the variational dequantisation; 0 for uniform noise."""
    draws: int = 8
    """Draws of noise for the importance-weighted bound in evaluation."""
    learning_rate: float = 2e-3
    schedule: optim.ScheduleName = "cosine"
    clip: float | None = 1.0
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 20
    """Passes over the train split."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation split."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.image_flow(
        images.shapes["image"],
        data.levels(images, config.levels),
        features=config.features,
        couplings=config.couplings,
        depth=config.depth,
        dequantisation=config.dequantisation,
    )
    learner = learners.flow(model, config.rule(images), draws=config.draws)
    grid = analysis.sample_grid(learner.apply)
    return training.Experiment(learner, images, figures={"samples": grid})


def report(runs: training.Runs) -> analysis.Report:
    (run,) = runs.values()
    images = run.experiment.data
    levels = data.levels(images, runs.config.levels)
    train, test = (
        np.asarray(images.prepare(images.read(images.splits[split]))["image"])
        for split in ("train", "test")
    )
    name = "bits_per_dimension"
    rows = {"flow": run.values("test", name)}
    if runs.config.draws > 1:
        rows[f"flow, {runs.config.draws} draws"] = run.values(
            "test", f"{name}_iw{runs.config.draws}"
        )
    rows["independent pixels"] = analysis.independent_pixels(train, test, levels)
    if train[0].size <= 100:  # of more pixels the covariances take minutes
        for components in (1, 10):
            rows[f"Gaussian mixture, {components}"] = analysis.gaussian_mixture(
                train, test, levels, components
            )
    features = analysis.extractor(runs.config.extractor or runs.config.dataset)
    drawn = {"flow": (run.experiment.learner.apply, run.by_seed())}
    quality = analysis.quality_rows(drawn, images, features)
    shown = {row: {name: rows.get(row), **quality.get(row, {})} for row in rows | quality}
    table = analysis.Table(
        f"{images.name}, {levels} levels, test split; samples in features of {features.name}",
        shown, name, {"flow": BARS[images.name]} if images.name in BARS else {},
        lower_is_better=True, percent=["precision", "recall"],
    )  # fmt: skip
    return analysis.Report(table)


if __name__ == "__main__":
    training.main(experiment, Config, report=report)
