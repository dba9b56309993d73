"""A generative adversarial network on digits (deck 003; Goodfellow et al., 2014).

python experiments/generative/digits_gan.py
python experiments/generative/digits_gan.py --dataset mnist --epochs 30 --latent 64
"""

import dataclasses

from dlcourse import analysis, data, learners, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A generative adversarial network on digits."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    latent: int = 32
    """The dimension of the noise that becomes an image."""
    features: tuple[int, ...] = (128, 128)
    """The widths of the hidden layers of both networks."""
    learning_rate: float = 5e-4
    """Adam's rate, for both networks."""
    batch_size: int = 64
    """Examples in a step, over all devices together."""
    epochs: float = 200
    """How often training walks through the train split."""
    evaluate_every: str = "10%"
    """When to measure on the validation split, and draw samples."""
    ema: float | None = 0.995
    """Evaluate an exponential moving average of the generator's weights with this decay."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    generator = models.Generator(images.shapes["image"], config.features)
    learner = learners.gan(
        generator,
        models.Discriminator(config.features),
        optim.adam(config.learning_rate, beta1=0.5),
        optim.adam(config.learning_rate, beta1=0.5),
        latent=config.latent,
        policy=config.policy,
    )
    sample = learners.sampler(generator, policy=config.policy)
    grid = analysis.sample_grid(sample, config.latent)
    return training.Experiment(
        learner,
        images,
        monitor="min frechet_pixels",
        figures={"samples": grid},
        snapshots={"samples": grid},
    )


if __name__ == "__main__":
    training.main(experiment, Config)
