"""Normalizing flows, trained by maximum likelihood."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from dlcourse import metrics, streams
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.generative.sampled import Features, frechet, from_each
from dlcourse.learners.rule import HONOURS, cast, start, update
from dlcourse.models import Flow


def flow(
    model: Flow,
    rule: Rule,
    *,
    inputs: str = "image",
    draws: int = 1,
    features: Features | None = None,
) -> Learner:
    """Minimises `-log p(x)` per dimension, in nats (deck 003: the Kullback-Leibler divergence).

    `nats` is -log p(x) of an example. With grey levels it is an upper bound of -log P(x), sampled
    with one draw of dequantisation noise, and `bits_per_dimension` is the same in bits. With more
    draws evaluation adds the tighter bound of Burda et al. (2016), whose name says how many:

        bits_per_dimension_iw{n} = -log₂ (1/n Σ_i p(k + u_i) / q(u_i | k)) / dimensions

    `apply` inverts the flow: it gives an example for each `latent` of the batch, or for latents
    drawn from the key for each number in `index`. If the batch holds the data, it gives
    `{"latent", "log_density"}` of each example; the key draws dequantisation noise.

    Values and log-determinants are float32; only the networks in the couplings follow the policy's
    precision.

    Args:
        model: the flow.
        rule: the optimizer and the policy, `config.rule(data)`.
        inputs: which entry of the batch is x.
        draws: of dequantisation noise in evaluation, for each image.
        features: if given, evaluation draws a sample for each image and adds their Fréchet distance
            in these features, `frechet`.
    """
    policy, shape = rule.policy, tuple(model.shape)
    nats_of_a_bit = math.prod(shape) * math.log(2)

    def encode(params: Any, x: jax.Array, keys: Any) -> tuple[jax.Array, jax.Array]:
        """Latents and log-likelihood; inputs are not cast, for they would lose grey levels."""
        noise = None if model.levels is None else from_each(keys, shape)
        return model.apply({"params": cast(params, policy)}, x, noise)

    def decode(state: Trained, z: jax.Array) -> jax.Array:
        return model.apply({"params": cast(state.weights, policy)}, z, method="inverse")

    def init(key: Any, batch: Batch) -> Trained:
        x = batch[inputs]
        return start(rule, model.init(key, x, jnp.zeros(x.shape)))

    def measured(log_p: jax.Array, batch: Batch) -> Metrics:
        mask = batch.get("mask")
        found = {
            "loss": metrics.mean(-log_p / math.prod(shape), mask),
            "nats": metrics.mean(-log_p, mask),
        }
        if model.levels is not None:
            found["bits_per_dimension"] = metrics.mean(-log_p / nats_of_a_bit, mask)
        return found

    def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        x = batch[inputs]
        _, log_p = encode(params, x, jax.random.split(key, x.shape[0]))
        found = measured(log_p, batch)
        return found.pop("loss"), (found, model_state)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        keys = streams.of_examples("dequantisation", batch["index"])
        _, log_p = encode(state.weights, batch[inputs], keys)
        found = measured(log_p, batch)
        if draws > 1 and model.levels is not None:
            found[f"bits_per_dimension_iw{draws}"] = metrics.mean(
                -weighted(state, batch[inputs], keys) / nats_of_a_bit, batch.get("mask")
            )
        if features is not None:
            z = from_each(streams.of_examples("latent", batch["index"]), shape)
            found["frechet"] = frechet(features, batch[inputs], decode(state, z), batch.get("mask"))
        return found

    def weighted(state: Trained, x: jax.Array, keys: Any) -> jax.Array:
        """The logarithm of the mean likelihood over draws, one draw in memory at a time."""

        def of_draw(number: jax.Array) -> jax.Array:
            keys_of_draw = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
            return encode(state.weights, x, keys_of_draw)[1]

        log_p = jax.lax.map(of_draw, jnp.arange(draws))
        return jax.scipy.special.logsumexp(log_p, axis=0) - math.log(draws)

    def apply(state: Trained, batch: Batch, key: Any) -> Any:
        if "latent" in batch:
            return decode(state, batch["latent"])
        if inputs not in batch:
            return decode(state, from_each(streams.for_each(key, batch["index"]), shape))
        x = batch[inputs]
        keys = streams.for_each(key, batch.get("index", jnp.arange(x.shape[0])))
        z, log_p = encode(state.weights, x, keys)
        return {"latent": z, "log_density": log_p}

    return Learner(init, update(rule, loss_of), evaluate, apply, HONOURS)
