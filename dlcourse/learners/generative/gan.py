"""Two networks against each other: generative adversarial networks."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

from dlcourse import losses, metrics, optim, parameters
from dlcourse.learner import Batch, Learner, Metrics, Policy
from dlcourse.learners import rule as gradients


@flax.struct.dataclass
class GANState:
    """The state of a GAN: weights, batch-norm averages and optimizer of both networks.

    `params`, `model_state` and `opt_state` are dicts with `generator` and `discriminator`;
    `average` is the generator's averaged weights, None without.
    """

    params: Any
    model_state: Any
    opt_state: Any
    average: Any


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    latent: int = 32,
    generator_loss: Callable[[Any], Any] = losses.gan_generator_non_saturating,
    evaluation_seed: int = 0,
    policy: Policy = Policy(),
) -> Learner:
    """Goodfellow et al. (2014), deck 003: `min_G max_D E[log D(x)] + E[log(1 - D(G(z)))]`.

    A step updates the discriminator on a batch and as many fakes, then the generator through the
    new discriminator. Evaluation gives every real image a latent of its own, drawn from
    `evaluation_seed` and the image's number, and measures the Fréchet distance of pixels.

    Args:
        generator: `generator(z, train=...)`, an image for each latent.
        discriminator: `discriminator(x, train=...)`, a logit for each image.
        generator_optimizer: an optax chain.
        discriminator_optimizer: another.
        latent: the dimension of z, standard normal.
        generator_loss: of the logits of fakes; the non-saturating one unless told.
        evaluation_seed: draws the latents of evaluation.
        policy: precision, micro-batches, averaged and frozen weights.
    """
    models = {"generator": generator, "discriminator": discriminator}
    optimizers = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}

    def apply(name: str, params: Any, model_state: Any, x: Any, key: Any) -> tuple[Any, Any]:
        return models[name].apply(
            {"params": gradients.cast(params, policy), **model_state},
            gradients.cast(x, policy),
            train=True,
            rngs={"dropout": key},
            mutable=list(model_state),
        )

    def optimizer(name: str, params: Any) -> optax.GradientTransformation:
        """Of one network; what it leaves frozen is looked for in the weights of both."""
        if policy.freeze is None:
            return optimizers[name]
        frozen = parameters.matching(policy.freeze, params)
        return optim.freeze(optimizers[name], lambda params: frozen[name])

    def init(key: Any, batch: Batch) -> GANState:
        keys = jax.random.split(key)
        variables = {
            "generator": generator.init(keys[0], jnp.zeros((1, latent))),
            "discriminator": discriminator.init(keys[1], batch["image"][:1]),
        }
        params = {name: v.pop("params") for name, v in variables.items()}
        opt_state = {name: optimizer(name, params).init(params[name]) for name in models}
        average = params["generator"] if policy.ema is not None else None
        return GANState(params, variables, opt_state, average)

    def discriminator_loss(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        real_key, fake_key = jax.random.split(key)
        real, model_state = apply("discriminator", params, model_state, batch["real"], real_key)
        fake, model_state = apply("discriminator", params, model_state, batch["fake"], fake_key)
        real, fake = real.astype(jnp.float32), fake.astype(jnp.float32)
        loss = metrics.mean(losses.gan_discriminator(real, fake))
        measured = {
            "discriminator_loss": loss,
            "real_probability": metrics.mean(nn.sigmoid(real)),
            "fake_probability": metrics.mean(nn.sigmoid(fake)),
        }
        return loss.value, (measured, model_state)

    def step(state: GANState, batch: Batch, key: Any) -> tuple[GANState, Metrics]:
        latent_key, fake_key, critic_key, maker_key = jax.random.split(key, 4)
        z = jax.random.normal(latent_key, (batch["image"].shape[0], latent))
        fake, _ = apply(
            "generator", state.params["generator"], state.model_state["generator"], z, fake_key
        )

        def generator_loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
            maker_key, critic_key = jax.random.split(key)
            image, model_state = apply("generator", params, model_state, batch["z"], maker_key)
            logits, _ = apply(
                "discriminator",
                critic_params,
                state.model_state["discriminator"],
                image,
                critic_key,
            )
            loss = metrics.mean(generator_loss(logits.astype(jnp.float32)))
            return loss.value, ({"generator_loss": loss}, model_state)

        critic_params, critic_opt, critic_model, critic_metrics = _update(
            "discriminator",
            discriminator_loss,
            state,
            {"real": batch["image"], "fake": jax.lax.stop_gradient(fake)},
            critic_key,
        )
        params, opt_state, model_state, maker_metrics = _update(
            "generator", generator_loss_of, state, {"z": z}, maker_key
        )
        return GANState(
            {"generator": params, "discriminator": critic_params},
            {"generator": model_state, "discriminator": critic_model},
            {"generator": opt_state, "discriminator": critic_opt},
            gradients.averaged(state.average, params, policy),
        ), critic_metrics | maker_metrics

    def _update(name: str, loss: Any, state: GANState, batch: Batch, key: Any) -> Any:
        gradient, measured, model_state = gradients.value_and_grad(loss, policy)(
            state.params[name], state.model_state[name], batch, key
        )
        updates, opt_state = optimizer(name, state.params).update(
            gradient, state.opt_state[name], state.params[name]
        )
        params = optax.apply_updates(state.params[name], updates)
        return params, opt_state, model_state, measured

    make = sampler(generator, policy=policy)

    def evaluate(state: GANState, batch: Batch) -> Metrics:
        key = jax.random.key(evaluation_seed)
        keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(batch["index"])
        fake = make(state, jax.vmap(lambda key: jax.random.normal(key, (latent,)))(keys))
        critic = {"params": state.params["discriminator"], **state.model_state["discriminator"]}
        real_logits = discriminator.apply(critic, batch["image"])
        fake_logits = discriminator.apply(critic, fake)
        mask, size = batch["mask"], batch["mask"].shape[0]
        return {
            "discriminator_loss": metrics.mean(
                losses.gan_discriminator(real_logits, fake_logits), mask
            ),
            "frechet_pixels": metrics.FrechetDistance(
                metrics.second_moments(batch["image"].reshape(size, -1), mask),
                metrics.second_moments(fake.reshape(size, -1), mask),
            ),
        }

    return Learner(init, step, evaluate)


def sampler(generator: nn.Module, *, policy: Policy = Policy()) -> Callable[[GANState, Any], Any]:
    """`(state, z) -> images` of a trained GAN, with its averaged weights if it has them."""

    def sample(state: GANState, z: jax.Array) -> jax.Array:
        params = state.params["generator"] if state.average is None else state.average
        return generator.apply(
            {"params": gradients.cast(params, policy), **state.model_state["generator"]},
            gradients.cast(z, policy),
        ).astype(jnp.float32)

    return sample
