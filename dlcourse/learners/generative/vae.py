"""Variational autoencoders, trained on the evidence lower bound."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp

from dlcourse import metrics, streams
from dlcourse.errors import UserError
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.generative.sampled import Features, frechet, from_each
from dlcourse.learners.rule import HONOURS, cast, start, update
from dlcourse.models import VAE


def vae(
    model: VAE,
    rule: Rule,
    *,
    binarise: float | Literal["dynamic"] | None = None,
    draws: int = 1,
    features: Features | None = None,
) -> Learner:
    """Minimises the negative evidence lower bound, in nats (Kingma and Welling, 2014; deck 003).

        -ELBO = -E_q[log p(x | z)] + KL(q(z | x) || p(z))

    Each term is summed over pixels or latents and averaged over the batch. The metrics
    `reconstruction` and `kl` are the two. With more draws, evaluation adds the bound of Burda et
    al. (2016), whose name says how many. One draw is in memory at a time:

        nll_iwae_{k} = -log(1/k Σ_i p(x, z_i) / q(z_i | x)),    z_i ~ q(z | x)

    `apply` gives the mean image of each `latent` of the batch, or of latents drawn from the key for
    each number in `index`. If the batch holds images, it gives `{"latent", "reconstruction"}`: the
    mean of q, and its mean image.

    Args:
        model: the network.
        rule: the optimizer and the policy, `config.rule(data)`.
        binarise: "dynamic" draws each pixel anew at each step with its grey level as probability,
            a number sets pixels above it to 1, None takes images as they are. The bounds of two
            binarisations are not comparable.
        draws: k, of evaluation.
        features: if given, evaluation draws the mean image of a latent for each image and adds
            their Fréchet distance in these features, `frechet`.

    Raises:
        UserError: on use, if colour images are to be binarised.
    """
    policy = rule.policy

    def run(params: Any, *inputs: jax.Array, method: str | None = None) -> Any:
        """Inputs are not cast: grey pixels and the terms of the bound keep float32."""
        return model.apply({"params": cast(params, policy)}, *inputs, method=method)

    def binary(image: jax.Array, keys: Any) -> jax.Array:
        if binarise is None:
            return image
        if binarise == "dynamic":
            drawn = jax.vmap(lambda key, p: jax.random.bernoulli(key, p))(keys, image)
            return drawn.astype(image.dtype)
        return (image > binarise).astype(image.dtype)

    def init(key: Any, batch: Batch) -> Trained:
        image = batch["image"][:1]
        if binarise is not None and image.shape[-1] != 1:
            raise UserError(
                f"Binary pixels are made of grey images; these have {image.shape[-1]} channels."
            )
        return start(rule, model.init(key, image, jnp.zeros((1, model.latent))))

    def bound(params: Any, x: jax.Array, keys: Any, mask: jax.Array | None) -> Metrics:
        log_likelihood, kl = run(params, x, from_each(keys, (model.latent,)))
        return {
            "loss": metrics.mean(kl - log_likelihood, mask),
            "reconstruction": metrics.mean(-log_likelihood, mask),
            "kl": metrics.mean(kl, mask),
        }

    def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        pixels, latents = jax.random.split(key)
        size = batch["image"].shape[0]
        x = binary(batch["image"], jax.random.split(pixels, size))
        found = bound(params, x, jax.random.split(latents, size), batch.get("mask"))
        return found.pop("loss"), (found, model_state)

    def importance_weighted(params: Any, x: jax.Array, keys: Any) -> jax.Array:
        moments = run(params, x, method="encode")

        def add(total: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
            of_draw = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
            noise = from_each(of_draw, (model.latent,))
            log_weight = run(params, x, *moments, noise, method="log_weight")
            return jnp.logaddexp(total, log_weight), None

        nothing = jnp.full(x.shape[:1], -jnp.inf)
        return jax.lax.scan(add, nothing, jnp.arange(draws))[0] - math.log(draws)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        index, mask = batch["index"], batch.get("mask")
        x = binary(batch["image"], streams.of_examples("binarisation", index))
        keys = streams.of_examples("posterior", index)
        found = bound(state.weights, x, keys, mask)
        if draws > 1:
            log_p = importance_weighted(state.weights, x, keys)
            found[f"nll_iwae_{draws}"] = metrics.mean(-log_p, mask)
        if features is not None:
            z = from_each(streams.of_examples("latent", index), (model.latent,))
            samples = run(state.weights, z, method="decode")
            found["frechet"] = frechet(features, batch["image"], samples, mask)
        return found

    def apply(state: Trained, batch: Batch, key: Any) -> Any:
        if "latent" in batch:
            return run(state.weights, batch["latent"], method="decode")
        if "image" not in batch:
            z = from_each(streams.for_each(key, batch["index"]), (model.latent,))
            return run(state.weights, z, method="decode")
        image = batch["image"]
        x = binary(image, streams.for_each(key, batch.get("index", jnp.arange(len(image)))))
        z, _ = run(state.weights, x, method="encode")
        return {"latent": z, "reconstruction": run(state.weights, z, method="decode")}

    return Learner(init, update(rule, loss_of), evaluate, apply, HONOURS)
