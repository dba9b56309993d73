"""Beam search: the most probable continuations, several kept at every step."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dlcourse.models.sequence.generation import Step


class Beams(NamedTuple):
    """Hypotheses of each example, the best first.

    Attributes:
        tokens: the continuations; after the end token, end tokens.
        scores: `log P(tokens) / penalty`.
        lengths: number of tokens, the end token included if it was reached.
    """

    tokens: Int[Array, "batch beams length"]
    scores: Float[Array, "batch beams"]
    lengths: Int[Array, "batch beams"]


def beam_search(
    step: Step,
    cache: Any,
    first: Int[Array, " batch"],
    *,
    beams: int,
    length: int,
    end: int,
    alpha: float = 0.6,
) -> Beams:
    """The hypotheses with the highest score that a beam of this width finds.

        score(y) = log P(y) / ((5 + |y|) / 6)^alpha    (Wu et al., 2016)

    with |y| the length of each hypothesis itself. A hypothesis that has ended keeps its score, and
    its place in the beam as long as that is among the best. One beam is the greedy search; a beam
    as wide as there are continuations is exhaustive. Each example is searched alone, whatever else
    is in the batch.

    Args:
        step: of a model, `decode` with its weights, for `batch * beams` rows.
        cache: its empty cache of `batch * beams` rows, those of an example one after the other.
        first: the token that starts each continuation.
        beams: width of the beam.
        length: of the longest continuation.
        end: the token that ends one.
        alpha: strength of the length penalty; 0 for none.
    """
    batch = first.shape[0]

    def penalty(lengths: Array) -> Array:
        return ((5 + lengths) / 6) ** alpha

    def choose(array: Array, parent: Array) -> Array:
        index = parent.reshape(batch, beams, *(1,) * (array.ndim - 2))
        return jnp.take_along_axis(array, index, axis=1)

    def body(carry: Any, position: Array) -> Any:
        tokens, last, total, done, lengths, cache = carry
        logits, cache = step(last.reshape(-1, 1), cache, position)
        log_p = nn.log_softmax(logits[:, -1].astype(jnp.float32))
        vocabulary = log_p.shape[-1]
        # What has ended goes on with the end token, which costs nothing.
        stay = jnp.full((1, 1, vocabulary), -jnp.inf).at[..., end].set(0.0)
        log_p = jnp.where(done[..., None], stay, log_p.reshape(batch, beams, vocabulary))
        longer = jnp.where(done, lengths, lengths + 1)
        every = total[..., None] + log_p
        scores = (every / penalty(longer)[..., None]).reshape(batch, -1)
        _, best = jax.lax.top_k(scores, beams)
        parent, last = best // vocabulary, (best % vocabulary).astype(first.dtype)
        rows = (jnp.arange(batch)[:, None] * beams + parent).reshape(-1)
        tokens = choose(tokens, parent).at[:, :, position].set(last)
        total = jnp.take_along_axis(every.reshape(batch, -1), best, axis=1)
        done = choose(done, parent) | (last == end)
        cache = jax.tree.map(lambda leaf: leaf[rows], cache)
        return (tokens, last, total, done, choose(longer, parent), cache), None

    shape = (batch, beams)
    start = (
        jnp.full((*shape, length), end, first.dtype),
        jnp.broadcast_to(first[:, None], shape),
        # All beams are the same at first, so all but one are ruled out.
        jnp.where(jnp.arange(beams) == 0, 0.0, -jnp.inf)[None] + jnp.zeros(shape),
        jnp.zeros(shape, bool),
        jnp.zeros(shape, jnp.int32),
        cache,
    )
    (tokens, _, total, _, lengths, _), _ = jax.lax.scan(body, start, jnp.arange(length))
    return Beams(tokens, total / penalty(lengths), lengths)


def repeated(tree: Any, beams: int) -> Any:
    """Every row of a tree of arrays `beams` times, one after the other."""
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), tree)
