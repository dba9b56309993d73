"""Generative adversarial networks: two networks against each other."""

from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from dlcourse import losses, metrics, parameters, streams
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.generative.sampled import Features, frechet, from_each, pixels
from dlcourse.learners.rule import HONOURS, forward, forward_in_training, start, update


@flax.struct.dataclass
class GANState:
    """The state of a GAN: weights, batch-norm averages and optimizer of both networks."""

    generator: Trained
    discriminator: Trained


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_rule: Rule,
    discriminator_rule: Rule,
    *,
    latent: int = 32,
    loss: losses.GANLossName = "non-saturating",
    r1: float = 0.0,
    features: Features = pixels,
) -> Learner:
    """Goodfellow et al. (2014), deck 003: `min_G max_D E[log D(x)] + E[log(1 - D(G(z)))]`.

    With r1 = γ the discriminator also pays for its slope at real images (Mescheder et al., 2018):

        γ/2 E |∇_x a(x)|²    of its logit a, D = σ(a)

    A step updates the discriminator on a batch and as many fakes, then the generator through the
    new discriminator. Evaluation draws one latent for each real image, from the image's number,
    and measures the Fréchet distance, `frechet`.

    `apply` gives one sample for each row of the batch: of `latent` if the batch holds it, else of
    latents drawn from the key for each example in `index`.

    Args:
        generator: `generator(z, train=...)`, an image for each latent.
        discriminator: `discriminator(x, train=...)`, a logit for each image.
        generator_rule: how the generator is trained, `config.rule(data)`.
        discriminator_rule: how the discriminator is trained.
        latent: the dimension of z, which is standard normal.
        loss: of both networks, by name.
        r1: γ.
        features: where samples and images are compared.
    """
    policy = generator_rule.policy
    make, make_in_training = forward(generator, policy), forward_in_training(generator, policy)
    judge = forward(discriminator, discriminator_rule.policy)
    judge_in_training = forward_in_training(discriminator, discriminator_rule.policy)

    of = losses.GAN_LOSSES[loss]

    def init(key: Any, batch: Batch) -> GANState:
        keys = jax.random.split(key)
        made = generator.init(keys[0], jnp.zeros((1, latent)))
        judged = discriminator.init(keys[1], batch["image"][:1])
        if policy.freeze is not None:  # found in at least one of the two
            both = {"generator": made["params"], "discriminator": judged["params"]}
            parameters.matching(policy.freeze, both)
        return GANState(
            start(generator_rule, made, "generator"),
            start(discriminator_rule, judged, "discriminator"),
        )

    def discriminator_loss(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        real_key, fake_key = jax.random.split(key)
        real, model_state = judge_in_training(params, model_state, batch["real"], real_key)
        fake, model_state = judge_in_training(params, model_state, batch["fake"], fake_key)
        probabilities = {
            "real_probability": metrics.mean(nn.sigmoid(real)),
            "fake_probability": metrics.mean(nn.sigmoid(fake)),
        }
        values = of.discriminator(real, fake)
        if r1:

            def total(image: Any) -> Any:
                return jnp.sum(judge_in_training(params, model_state, image, real_key)[0])

            slope = jax.grad(total)(batch["real"])
            penalty = jnp.sum(slope**2, axis=tuple(range(1, slope.ndim)))
            probabilities["penalty"] = metrics.mean(penalty)
            values = values + r1 / 2 * penalty
        return metrics.mean(values), (probabilities, model_state)

    update_discriminator = update(
        discriminator_rule, discriminator_loss, "discriminator", "discriminator_loss"
    )

    def step(state: GANState, batch: Batch, key: Any) -> tuple[GANState, Metrics]:
        latent_key, fake_key, critic_key, maker_key = jax.random.split(key, 4)
        z = jax.random.normal(latent_key, (batch["image"].shape[0], latent))
        old = state.generator
        fake, _ = make_in_training(old.params, old.model_state, z, fake_key)
        critic, critic_metrics = update_discriminator(
            state.discriminator,
            {"real": batch["image"], "fake": jax.lax.stop_gradient(fake)},
            critic_key,
        )

        def loss_of_generator(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
            maker_key, critic_key = jax.random.split(key)
            image, model_state = make_in_training(params, model_state, batch["z"], maker_key)
            before = state.discriminator.model_state
            logits, _ = judge_in_training(critic.params, before, image, critic_key)
            return metrics.mean(of.generator(logits)), ({}, model_state)

        update_generator = update(generator_rule, loss_of_generator, "generator", "generator_loss")
        maker, maker_metrics = update_generator(old, {"z": z}, maker_key)
        return GANState(maker, critic), critic_metrics | maker_metrics

    def evaluate(state: GANState, batch: Batch) -> Metrics:
        fake = make(
            state.generator, from_each(streams.of_examples("latent", batch["index"]), (latent,))
        )
        real_logits = judge(state.discriminator, batch["image"])
        fake_logits = judge(state.discriminator, fake)
        mask = batch["mask"]
        return {
            "discriminator_loss": metrics.mean(of.discriminator(real_logits, fake_logits), mask),
            "frechet": frechet(features, batch["image"], fake, mask),
        }

    def apply(state: GANState, batch: Batch, key: Any) -> jax.Array:
        if "latent" in batch:
            return make(state.generator, batch["latent"])
        return make(state.generator, from_each(streams.for_each(key, batch["index"]), (latent,)))

    return Learner(init, step, evaluate, apply, HONOURS)
