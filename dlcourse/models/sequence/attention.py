"""Scaled dot-product attention, in one function, and multi-head attention with a cache.

Q, K and V are the queries, keys and values of one head, rows of width d (deck 003; Vaswani et al.,
2017):

    attention(Q, K, V) = softmax(Q Kᵀ / √d) V

Arrays of all heads are `[batch, heads, length, width]`, the layout in which a CPU decodes two to
four times as fast as with the heads after the length.
"""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.initializers import Initializer
from jaxtyping import Array, Bool, Float, Int

from dlcourse.models.sequence import flat

CHUNK = 4  # examples whose scores a CPU holds at once, so that they stay in its cache

Heads = Float[Array, "batch heads length width"]
Mask = Bool[Array, "#batch #heads #queries #keys"]


class Cache(NamedTuple):
    """Keys and values of the places so far, with room for `length`.

    Attributes:
        key, value: `[batch, heads, length, width]`; zeros at places that are not written yet.
    """

    key: Heads
    value: Heads


def attention(
    query: Float[Array, "batch heads queries width"],
    key: Float[Array, "batch heads keys width"],
    value: Float[Array, "batch heads keys values"],
    mask: Mask | None = None,
) -> Float[Array, "batch heads queries values"]:
    """`softmax(Q Kᵀ / √d) V`, over the keys where `mask` is True.

    A query whose keys are all masked gets 0, with gradient 0. On a CPU, a large batch is computed a
    few examples at a time, and once more for the gradient: the scores then stay in the processor's
    cache, which takes half the time. The result is the same.

    Args:
        query, key, value: of every head.
        mask: True where a query may look at a key; axes of size 1 are repeated. All if not given.
    """

    def of(q: Array, k: Array, v: Array, m: Array) -> Array:
        return weights_of(q, k, m) @ v

    mask, (batch, _, queries, _) = _or_all(mask), query.shape
    # One query has few scores: while decoding, chunks would only copy the keys and values.
    if jax.default_backend() != "cpu" or batch % CHUNK or batch == CHUNK or queries == 1:
        return of(query, key, value, mask)
    whole = jnp.broadcast_to(mask, (batch, *mask.shape[1:]))
    # Every k-th example, so that each device keeps its share of each chunk.
    chunks = [_in_chunks(array) for array in (query, key, value, whole)]
    found = jax.lax.map(lambda each: jax.checkpoint(of)(*each), chunks)
    return jnp.moveaxis(found, 0, 1).reshape(batch, *found.shape[2:])


def weights_of(
    query: Float[Array, "batch heads queries width"],
    key: Float[Array, "batch heads keys width"],
    mask: Mask,
) -> Float[Array, "batch heads queries keys"]:
    """`softmax(Q Kᵀ / √d)` over the keys where `mask` is True, and 0 elsewhere; in float32."""
    scores = (query * query.shape[-1] ** -0.5) @ jnp.swapaxes(key, -1, -2)
    scores = jnp.where(mask, scores.astype(jnp.float32), -1e30)
    return jnp.where(mask, nn.softmax(scores, axis=-1), 0.0).astype(query.dtype)


def _or_all(mask: Mask | None) -> Mask:
    return jnp.ones((1, 1, 1, 1), bool) if mask is None else mask


def _in_chunks(array: Array) -> Array:
    chunks = array.shape[0] // CHUNK
    return jnp.moveaxis(array.reshape(CHUNK, chunks, *array.shape[1:]), 1, 0)


def causal(queries: int, keys: int, position: int | Int[Array, ""] = 0) -> Mask:
    """True where a key is not after the query; the first query stands at `position`."""
    places = position + jnp.arange(queries)
    return (jnp.arange(keys)[None, :] <= places[:, None])[None, None]


def within(
    queries: Int[Array, "batch queries"], keys: Int[Array, "batch keys"]
) -> Bool[Array, "batch 1 queries keys"]:
    """Every query sees the keys of its own segment; those of segment 0 nobody sees.

    Args:
        queries, keys: the number of the segment that each belongs to.
    """
    same = queries[:, None, :, None] == keys[:, None, None, :]
    return same & (keys != 0)[:, None, None, :]


def real(is_real: Bool[Array, "batch keys"]) -> Mask:
    """True at keys that are no padding, for every head and query."""
    return is_real[:, None, None, :]


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each with its own projections.

        head_h = attention(x W_h^Q, y W_h^K, y W_h^V),    f(x, y) = [head_1, ..., head_H] W^O

    x are the places that ask and y those that answer: x itself in self-attention. With features D
    of both, 4 D² + 4 D weights. The weights of the heads are sown as `intermediates/weights` where
    they are asked for.

    Attributes:
        features: D, of x and of the output.
        heads: H, which divides D.
        dropout: probability with which an output is dropped in training.
        use_bias: whether the projections have biases.
        kernel_init: of W^Q, W^K and W^V.
        out_init: of W^O.
    """

    features: int
    heads: int
    dropout: float = 0.0
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.xavier_uniform()
    out_init: Initializer = nn.initializers.xavier_uniform()

    def setup(self) -> None:
        shape = (self.heads, self.features // self.heads)
        into = functools.partial(
            nn.DenseGeneral,
            shape,
            use_bias=self.use_bias,
            kernel_init=self.kernel_init,
            dot_general=flat.dot_general,
        )
        self.query, self.key, self.value = into(), into(), into()
        self.out = nn.DenseGeneral(
            self.features,
            (-2, -1),
            use_bias=self.use_bias,
            kernel_init=self.out_init,
            dot_general=flat.dot_general,
        )
        self.drop = nn.Dropout(self.dropout)

    def remember(self, y: Float[Array, "batch keys inputs"]) -> Cache:
        """The keys and values of y, for calls with `memory`."""
        return Cache(jnp.swapaxes(self.key(y), 1, 2), jnp.swapaxes(self.value(y), 1, 2))

    def __call__(
        self,
        x: Float[Array, "batch queries features"],
        mask: Mask | None = None,
        *,
        memory: Cache | None = None,
        cache: Cache | None = None,
        position: int | Int[Array, ""] = 0,
        train: bool = False,
    ) -> tuple[Float[Array, "batch queries features"], Cache | None]:
        """What each place of x gathers, and the cache after x is written into it.

        Args:
            x: the places that ask.
            mask: which of the keys each may look at.
            memory: keys and values of other places that answer, from `remember`; x itself answers
                if not given.
            cache: keys and values of the places before x, whose own are written at `position`. Then
                all places of the cache answer, and the mask says which are filled.
            position: the place of the first of x.
            train: whether to drop.
        """
        query = jnp.swapaxes(self.query(x), 1, 2)
        if cache is not None:
            new, at = self.remember(x), (0, 0, position, 0)
            memory = cache = Cache(
                *(
                    jax.lax.dynamic_update_slice(old, n, at)
                    for old, n in zip(cache, new, strict=True)
                )
            )
        key, value = self.remember(x) if memory is None else memory
        if self.is_mutable_collection("intermediates"):
            self.sow("intermediates", "weights", weights_of(query, key, _or_all(mask)))
        heads = jnp.swapaxes(attention(query, key, value, mask), 1, 2)
        return self.drop(self.out(heads), deterministic=not train), cache
