"""The transformer of an encoder and a decoder, for translation."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from dlcourse.models.sequence.attention import Cache, Mask, causal, within
from dlcourse.models.sequence.gpt import Caches, Logits, Tokens
from dlcourse.models.sequence.transformer import Places, stack

PADDING = 0  # the token that stands for nothing


class Decoding(NamedTuple):
    """What a decoder needs of the tokens so far.

    Attributes:
        own: the cache of each layer's self-attention.
        memory: the keys and values of the encoder's outputs, for each layer; they stay the same.
        segment: `[batch, source]`, the segment of each source token, 0 for padding.
    """

    own: Caches
    memory: Caches
    segment: Array


def sinusoids(places: Int[Array, " length"], features: int) -> Float[Array, "length features"]:
    """Positions as waves of growing length (Vaswani et al., 2017, section 3.5).

    P[t, 2k] = sin(t / 10000^(2k / D)),    P[t, 2k + 1] = cos(t / 10000^(2k / D))
    """
    rates = np.power(10_000.0, -np.arange(0, features, 2) / features).astype(np.float32)
    angles = places[:, None].astype(jnp.float32) * rates[None, :]
    waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    return waves.reshape(len(places), -1)[:, :features]


def places_of(segment: Int[Array, "batch length"]) -> Int[Array, "batch length"]:
    """The place of each token in its own segment, from 0; a segment's tokens are neighbours."""
    place = jnp.broadcast_to(jnp.arange(segment.shape[1]), segment.shape)
    return place - jax.lax.cummax(jnp.where(begins(segment), place, 0), axis=1)


def begins(segment: Int[Array, "batch length"]) -> Bool[Array, "batch length"]:
    """True where a segment begins."""
    before = jnp.pad(segment[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    return segment != before


class Transformer(nn.Module):
    """Translates a sequence of tokens (Vaswani et al., 2017; decks 001, 003).

        x_t = √D E[token_t] + P[t],    encoded = norm(layers(x)),
        logits = norm(layers(y, encoded)) Eᵀ

    The places of the target see those before them and all of the source. Source, target and output
    share one embedding E. Token 0 is padding, which no place looks at.

    Attributes:
        vocabulary: number of tokens of both languages together.
        layers: of the encoder and of the decoder, each.
        heads: of each attention.
        features: D.
        hidden: width inside a layer.
        dropout: probability with which embeddings and outputs are dropped in training.
        norm_first: where the normalisation of a layer stands.
    """

    vocabulary: int
    layers: int = 6
    heads: int = 8
    features: int = 512
    hidden: int = 2048
    dropout: float = 0.1
    norm_first: bool = True

    def setup(self) -> None:
        begin = nn.initializers.normal(self.features**-0.5)
        self.token = nn.Embed(self.vocabulary, self.features, embedding_init=begin)
        options: dict[str, Any] = {
            "features": self.features,
            "heads": self.heads,
            "hidden": self.hidden,
            "dropout": self.dropout,
            "norm_first": self.norm_first,
            "activation": nn.relu,
        }
        self.encoder = stack(self.layers, **options)
        self.decoder = stack(self.layers, crosses=True, **options)
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(1e-5), nn.LayerNorm(1e-5)
        self.drop = nn.Dropout(self.dropout)

    def __call__(self, pair: dict[str, Array], *, train: bool = False) -> Logits:
        """The logits of the next target token at every place of the target.

        Args:
            pair: `source`, and `target`, which begins with the token that starts a sentence. If
                an example holds several pairs, `source_segment` and `target_segment` have the
                number of each token's pair, from 1, and 0 for padding; each pair is then computed
                as if it were alone.
            train: whether to drop.
        """
        source, target = pair["source"], pair["target"]
        segment = pair.get("source_segment", _real(source))
        memory = self._remember(source, segment, train)
        own = pair.get("target_segment", jnp.ones_like(target))
        return self._decode(target, own, memory, segment, None, 0, train)[0]

    def start(self, source: Tokens, length: int) -> Decoding:
        """Encodes a source, with room for a target of `length` tokens."""
        batch, width = source.shape[0], self.features // self.heads
        empty = Cache(*jnp.zeros((2, batch, self.heads, length, width)))
        segment = _real(source)
        return Decoding((empty,) * self.layers, self._remember(source, segment), segment)

    def decode(
        self, tokens: Tokens, state: Decoding, position: int | Int[Array, ""]
    ) -> tuple[Logits, Decoding]:
        """The logits after target tokens that stand at `position` and later."""
        logits, own = self._decode(
            tokens, jnp.ones_like(tokens), state.memory, state.segment, state.own, position, False
        )
        return logits, state._replace(own=own)

    def _embed(self, tokens: Tokens, segment: Tokens, position: Any, train: bool) -> Places:
        waves = sinusoids(position + jnp.arange(tokens.shape[1]), self.features)
        x = self.token(tokens)
        x = x * self.features**0.5 + waves.astype(x.dtype)[places_of(segment)]
        return self.drop(x, deterministic=not train)

    def _remember(self, source: Tokens, segment: Tokens, train: bool = False) -> Caches:
        x, mask = self._embed(source, segment, 0, train), within(segment, segment)
        for layer in self.encoder:
            x, _ = layer(x, mask, train=train)
        encoded = self.encoder_norm(x)
        return tuple(layer.remember(encoded) for layer in self.decoder)

    def _decode(
        self,
        tokens: Tokens,
        segment: Tokens,
        memory: Caches,
        memory_segment: Int[Array, "batch source"],
        own: Caches | None,
        position: Any,
        train: bool,
    ) -> tuple[Logits, Any]:
        y, length = self._embed(tokens, segment, position, train), tokens.shape[1]
        keys = length if own is None else own[0].key.shape[2]
        mask: Mask = causal(length, keys, position)
        if own is None:
            mask = mask & within(segment, segment)
        written = []
        for number, layer in enumerate(self.decoder):
            y, cache = layer(
                y,
                mask,
                memory=memory[number],
                memory_mask=within(segment, memory_segment),
                cache=None if own is None else own[number],
                position=position,
                train=train,
            )
            written.append(cache)
        return self.token.attend(self.decoder_norm(y)), tuple(written)


def _real(tokens: Tokens) -> Int[Array, "batch length"]:
    """One segment, with padding in none."""
    return (tokens != PADDING).astype(jnp.int32)
