"""Generative adversarial networks on digits, with three losses (deck 003; Goodfellow et al., 2014).

    python experiments/generative/gan.py
    python experiments/generative/gan.py --loss hinge --network convolutional --r1 1
    python experiments/generative/gan.py --dataset mnist --network convolutional --epochs 30

The table compares samples with the test split in features of a named classifier, beside training
images in their place. `growing.gif` shows the samples of the first row over training. With
`--seeds 3`, in 226 CPU seconds (bar: twice the distance of training images):

                      Fréchet distance   precision   recall
    minimax             0.068 ± 0.010       65.9 %   70.6 %   missed
    non-saturating      0.064 ± 0.008       63.0 %   73.9 %   missed
    hinge               0.069 ± 0.003       64.0 %   71.2 %   missed
    training images     0.018               92.9 %   91.8 %

The other two commands are not yet measured.
"""

import dataclasses
from typing import Literal, get_args

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """A generative adversarial network on images."""

    limits = training.Config.limits | {"latent": training.SIZE, "r1": (0, 1e6)}

    extractor: str | None = None
    """Features in which samples are compared: a set's name, or a file; by default the set's."""
    loss: losses.GANLossName = "non-saturating"
    """Loss of both networks."""
    network: Literal["dense", "convolutional"] = "dense"
    """Dense layers, or those of a DCGAN."""
    latent: int = 32
    """Dimension of the generator's input noise."""
    features: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers, or channels of the maps; the generator's from the noise on."""
    r1: float = 0.0
    """Weight of the penalty on the discriminator's slope at real images."""
    learning_rate: float = 5e-4
    schedule: optim.ScheduleName = "constant"
    betas: tuple[float, float] = (0.5, 0.999)
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 200
    """Passes over the train split."""
    evaluate_every: str = "5%"
    """Interval between evaluations on the validation split and drawings of samples."""
    ema: float | None = 0.995
    """Evaluate an exponential moving average of the generator's weights with this decay."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    shape = images.shapes["image"]
    if config.network == "dense":
        generator = models.Generator(shape, config.features)
        discriminator = models.Discriminator(config.features)
    else:
        generator = models.DCGenerator(shape, config.features)
        discriminator = models.DCDiscriminator(config.features[::-1])
    rule = config.rule(images)
    learner = learners.gan(
        generator,
        discriminator,
        rule,
        rule,
        latent=config.latent,
        loss=config.loss,
        r1=config.r1,
        features=analysis.extractor(config.extractor or config.dataset),
    )
    grid = analysis.sample_grid(learner.apply)
    return training.Experiment(
        learner,
        images,
        monitor="min frechet",
        figures={"samples": grid},
        snapshots={"samples": grid},
    )


def variants(config: Config) -> dict[str, Config]:
    names = get_args(losses.GANLossName)
    return {name: dataclasses.replace(config, loss=name) for name in names}


def report(runs: training.Runs) -> analysis.Report:
    config, run = runs.config, next(iter(runs.values()))
    images = run.experiment.data
    features = analysis.extractor(config.extractor or config.dataset)
    drawn = {row: (each.experiment.learner.apply, each.by_seed()) for row, each in runs.items()}
    rows = analysis.quality_rows(drawn, images, features)
    bar = (2 if config.dataset == "digits" else 10) * float(rows["training images"]["frechet"][0])
    table = analysis.Table(
        f"{config.dataset}: samples beside the test split, in features of {features.name}",
        rows, "frechet", dict.fromkeys(runs, bar), lower_is_better=True,
        diverged=runs.diverged, percent=["precision", "recall"],
    )  # fmt: skip
    curves = analysis.draw_variants(
        runs.curves("validation", "frechet"), "Fréchet distance on the validation split"
    )
    growing = analysis.animate_files(sorted((run.folder / "figures").glob("samples_*.png")))
    return analysis.Report(table, {"comparison": curves, "growing": growing})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
