"""Layers of transformers: attention, then two dense layers, each beside a shortcut."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
from flax.linen.initializers import Initializer
from jaxtyping import Array, Bool, Float, Int

from dlcourse.models.sequence import flat
from dlcourse.models.sequence.attention import Cache, Mask, MultiHeadAttention

Places = Float[Array, "batch length features"]


class TransformerLayer(nn.Module):
    """One layer of an encoder or a decoder (Vaswani et al., 2017; deck 003).

        x := x + f(norm(x))    with the norm first (GPT-2), or
        x := norm(x + f(x))    with the norm last (the paper, BERT)

    for f self-attention, in a decoder attention to the encoder's outputs, and W_2 g(W_1 x). With D
    features and F hidden ones there are 4 D² + 2 D F + 9 D + F weights, and in a decoder 4 D² + 6 D
    more.

    Attributes:
        features: D.
        heads: of each attention.
        hidden: F.
        crosses: whether it also attends to an encoder's outputs, as a decoder does.
        norm_first: where the normalisation stands.
        dropout: probability with which an output of f is dropped in training.
        activation: g.
        epsilon: of the normalisation.
        kernel_init: of all kernels but the last of each f.
        out_init: of those.
    """

    features: int
    heads: int
    hidden: int
    crosses: bool = False
    norm_first: bool = True
    dropout: float = 0.0
    activation: Callable[[Array], Array] = nn.gelu
    epsilon: float = 1e-5
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.xavier_uniform()
    out_init: Initializer = nn.initializers.xavier_uniform()

    def setup(self) -> None:
        attention = functools.partial(
            MultiHeadAttention,
            self.features,
            self.heads,
            self.dropout,
            self.use_bias,
            self.kernel_init,
            self.out_init,
        )
        norm = functools.partial(nn.LayerNorm, epsilon=self.epsilon, use_bias=self.use_bias)
        dense = functools.partial(nn.Dense, use_bias=self.use_bias, dot_general=flat.dot_general)
        self.attention, self.attention_norm = attention(), norm()
        if self.crosses:
            self.cross_attention, self.cross_norm = attention(), norm()
        self.into = dense(self.hidden, kernel_init=self.kernel_init)
        self.out = dense(self.features, kernel_init=self.out_init)
        self.dense_norm = norm()
        self.drop = nn.Dropout(self.dropout)

    def remember(self, encoded: Places) -> Cache:
        """The keys and values of an encoder's outputs, which stay the same while decoding."""
        return self.cross_attention.remember(encoded)

    def __call__(
        self,
        x: Places,
        mask: Mask | None = None,
        *,
        memory: Cache | None = None,
        memory_mask: Bool[Array, "#batch #heads #queries #remembered"] | None = None,
        cache: Cache | None = None,
        position: int | Int[Array, ""] = 0,
        train: bool = False,
    ) -> tuple[Places, Cache | None]:
        """The places after this layer, and the cache of its self-attention.

        Args:
            x: the places before it.
            mask: which places each may look at.
            memory: keys and values of the encoder's outputs; of a decoder.
            memory_mask: which of those each may look at.
            cache, position: of the self-attention, as in `MultiHeadAttention`.
            train: whether to drop.
        """

        def beside(x: Places, f: Callable[[Places], Places], norm: nn.LayerNorm) -> Places:
            return x + f(norm(x)) if self.norm_first else norm(x + f(x))

        written = cache

        def attend(x: Places) -> Places:
            nonlocal written
            found, written = self.attention(x, mask, cache=cache, position=position, train=train)
            return found

        def cross(x: Places) -> Places:
            return self.cross_attention(x, memory_mask, memory=memory, train=train)[0]

        def dense(x: Places) -> Places:
            hidden = self.out(self.activation(self.into(x)))
            return self.drop(hidden, deterministic=not train)

        x = beside(x, attend, self.attention_norm)
        if self.crosses:
            x = beside(x, cross, self.cross_norm)
        return beside(x, dense, self.dense_norm), written


def stack(count: int, **options: Any) -> list[TransformerLayer]:
    """Layers that differ in nothing but their weights, for `setup`."""
    return [TransformerLayer(**options) for _ in range(count)]
