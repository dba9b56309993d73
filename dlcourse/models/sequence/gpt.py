"""GPT: a decoder that predicts the next token from those before it."""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dlcourse.errors import UserError
from dlcourse.models.sequence.attention import Cache, causal
from dlcourse.models.sequence.transformer import stack

Tokens = Int[Array, "batch length"]
Logits = Float[Array, "batch length vocabulary"]
Caches = tuple[Cache, ...]

# Radford et al. (2019), table 2, as released: layers, heads, features.
SIZES = {
    "gpt2": (12, 12, 768),
    "gpt2-medium": (24, 16, 1024),
    "gpt2-large": (36, 20, 1280),
    "gpt2-xl": (48, 25, 1600),
}


class GPT(nn.Module):
    """GPT-2 (Radford et al., 2019; deck 001).

        x_t = E[token_t] + P[t],    x := layer(x) for each layer,    logits = norm(x) Eᵀ

    Each place sees itself and those before it. The output layer is the embedding itself. Kernels
    begin as N(0, 0.02²); those that end beside a shortcut, as N(0, 0.02² / 2L), because each of L
    layers adds to it twice. With `SIZES["gpt2"]`, 50,257 tokens and 1,024 places there are
    124,439,808 weights.

    Attributes:
        vocabulary: number of tokens.
        context: number of places that have a position.
        layers: L.
        heads: of each layer.
        features: width of a place.
        dropout: probability with which embeddings and outputs are dropped in training.
        use_bias: whether dense layers and norms have biases.
    """

    vocabulary: int
    context: int
    layers: int
    heads: int
    features: int
    dropout: float = 0.0
    use_bias: bool = True

    def setup(self) -> None:
        if self.features % self.heads:
            raise UserError(
                f"{self.heads} heads do not divide {self.features} features into equal parts."
            )
        normal = nn.initializers.normal
        embedding = normal(0.02)
        self.token = nn.Embed(self.vocabulary, self.features, embedding_init=embedding)
        self.place = nn.Embed(self.context, self.features, embedding_init=embedding)
        self.blocks = stack(
            self.layers,
            features=self.features,
            heads=self.heads,
            hidden=4 * self.features,
            dropout=self.dropout,
            use_bias=self.use_bias,
            kernel_init=normal(0.02),
            out_init=normal(0.02 / math.sqrt(2 * self.layers)),
        )
        self.norm = nn.LayerNorm(epsilon=1e-5, use_bias=self.use_bias)
        self.drop = nn.Dropout(self.dropout)

    def __call__(self, tokens: Tokens, *, train: bool = False) -> Logits:
        """The logits of the next token at every place."""
        return self._run(tokens, None, 0, train)[0]

    def start(self, batch: int, length: int) -> Caches:
        """An empty cache of `length` places for every layer.

        Raises:
            UserError: more places than have a position.
        """
        if length > self.context:
            raise UserError(
                f"{length} tokens, prompt included, do not fit a context of {self.context}."
            )
        shape = (batch, self.heads, length, self.features // self.heads)
        return (Cache(jnp.zeros(shape), jnp.zeros(shape)),) * self.layers

    def decode(
        self, tokens: Tokens, cache: Caches, position: int | Int[Array, ""]
    ) -> tuple[Logits, Caches]:
        """The logits after tokens that stand at `position` and later, and the cache with them."""
        return self._run(tokens, cache, position, train=False)

    def _run(
        self, tokens: Tokens, cache: Caches | None, position: Any, train: bool
    ) -> tuple[Logits, Any]:
        length = tokens.shape[1]
        if length > self.context:
            raise UserError(f"{length} tokens do not fit a context of {self.context}.")
        keys = length if cache is None else cache[0].key.shape[2]
        places = self.place(position + jnp.arange(length))[None]
        x = self.drop(self.token(tokens) + places, deterministic=not train)
        mask, written = causal(length, keys, position), []
        for number, block in enumerate(self.blocks):
            own = None if cache is None else cache[number]
            x, own = block(x, mask, cache=own, position=position, train=train)
            written.append(own)
        return self.token.attend(self.norm(x)), tuple(written)
