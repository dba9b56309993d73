"""A generative adversarial network on digits (deck 003; Goodfellow et al., 2014).

    python experiments/generative/digits_gan.py
    python experiments/generative/digits_gan.py --dataset mnist --epochs 30 --latent 64

`figures/samples*.png` show generated images at several steps. The metric is the Fréchet distance of
pixels, `frechet`: 0.359 ± 0.008 on the test split of digits for seeds 0 to 2; the distance
between real images is 0.086. The default takes 15 CPU seconds.
"""

import dataclasses

from dlcourse import analysis, data, learners, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A generative adversarial network on digits."""

    limits = training.Config.limits | {"latent": training.SIZE}

    dataset: str = "digits"
    """`digits`, which is bundled, or the name of a labelled image set prepared by TFDS."""
    latent: int = 32
    """Dimension of the generator's input noise."""
    features: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of the generator and of the discriminator."""
    learning_rate: float = 5e-4
    schedule: optim.ScheduleName = "constant"
    betas: tuple[float, float] = (0.5, 0.999)
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 200
    """Passes over the train split."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation split and drawings of samples."""
    ema: float | None = 0.995
    """Evaluate an exponential moving average of the generator's weights with this decay."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    generator = models.Generator(images.shapes["image"], config.features)
    learner = learners.gan(
        generator,
        models.Discriminator(config.features),
        config.rule(images),
        config.rule(images),
        latent=config.latent,
    )
    grid = analysis.sample_grid(learner.apply)
    return training.Experiment(
        learner,
        images,
        monitor="min frechet",
        figures={"samples": grid},
        snapshots={"samples": grid},
    )


if __name__ == "__main__":
    training.main(experiment, Config)
