"""BERT: an encoder of text that is pretrained to fill gaps and to know which sentences follow."""

import functools
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dlcourse.errors import UserError
from dlcourse.models.sequence.attention import real
from dlcourse.models.sequence.encoder_decoder import PADDING
from dlcourse.models.sequence.gpt import Tokens
from dlcourse.models.sequence.transformer import Places, stack

# Layers, heads, features: Devlin et al. (2019), Turc et al. (2019), Wang et al. (2020), Sanh et al.
SIZES = {
    "tiny": (2, 2, 128),
    "mini": (4, 4, 256),
    "small": (4, 8, 512),
    "medium": (8, 8, 512),
    "base": (12, 12, 768),
    "large": (24, 16, 1024),
    "minilm-l6": (6, 12, 384),
    "distil": (6, 12, 768),
}
SEGMENTS = 2  # a text of one sentence is all in segment 0
gelu = functools.partial(jax.nn.gelu, approximate=False)
norm = functools.partial(nn.LayerNorm, epsilon=1e-12)


class Encoded(NamedTuple):
    """What BERT makes of a text.

    Attributes:
        places: `[batch, length, features]`, the outputs of the last layer; those at padding mean
            nothing.
        pooled: `[batch, features]`, of the first token; None without a pooler.
    """

    places: Places
    pooled: Float[Array, "batch features"] | None


class BERT(nn.Module):
    """The encoder (Devlin et al., 2019; deck 003).

        x_t = norm(E[token_t] + P[t] + S[segment_t]),    x := layer(x) for each layer,
        pooled = tanh(W x_0 + b)

    Layers have the norm last and the exact GELU; the norms' epsilon is 1e-12. No place looks at
    padding, token 0. With 30,522 tokens and 512 places `SIZES["base"]` has 109,482,240 weights and
    `SIZES["minilm-l6"]` 22,713,216. DistilBERT (Sanh et al., 2019) has no segments and no pooler:
    66,362,880 weights. Unlike the paper's, the weights of attention are not dropped in training.

    Attributes:
        vocabulary: number of tokens.
        context: number of places that have a position.
        layers: how many there are.
        heads: of each layer.
        features: width of a place.
        hidden: width inside a layer, 4 times the features if not given.
        has_segments: whether places have a segment.
        pools: whether there is a pooler.
        dropout: probability with which embeddings and outputs are dropped in training.
        scale: standard deviation of the first kernels and embeddings. The paper has 0.02 for 768
            features; in a narrow network it lets little through the attention, 1 / √D more.
    """

    vocabulary: int
    context: int
    layers: int
    heads: int
    features: int
    hidden: int | None = None
    has_segments: bool = True
    pools: bool = True
    dropout: float = 0.1
    scale: float = 0.02

    holds_layers: ClassVar[bool] = True

    def setup(self) -> None:
        if self.features % self.heads:
            raise UserError(
                f"{self.heads} heads do not divide {self.features} features into equal parts."
            )
        normal = nn.initializers.normal(self.scale)
        embed = functools.partial(nn.Embed, features=self.features, embedding_init=normal)
        self.token, self.place = embed(self.vocabulary), embed(self.context)
        if self.has_segments:
            self.segment = embed(SEGMENTS)
        self.norm = norm()
        self.encoder = stack(
            self.layers,
            features=self.features,
            heads=self.heads,
            hidden=self.hidden or 4 * self.features,
            norm_first=False,
            dropout=self.dropout,
            activation=gelu,
            epsilon=1e-12,
            kernel_init=normal,
            out_init=normal,
        )
        if self.pools:
            self.pooler = nn.Dense(self.features, kernel_init=normal)
        self.drop = nn.Dropout(self.dropout)

    def __call__(
        self, tokens: Tokens, segments: Tokens | None = None, *, train: bool = False
    ) -> Encoded:
        """The features of every place, and of the text.

        Args:
            tokens: the texts, padded with 0.
            segments: 0 for places of the first sentence, 1 for those of the second; all 0 if not
                given.
            train: whether to drop.

        Raises:
            UserError: a text is longer than the context.
        """
        length = tokens.shape[1]
        if length > self.context:
            raise UserError(f"{length} tokens do not fit a context of {self.context}.")
        x = self.token(tokens) + self.place(jnp.arange(length))[None]
        if self.has_segments:
            x = x + self.segment(jnp.zeros_like(tokens) if segments is None else segments)
        x = self.drop(self.norm(x), deterministic=not train)
        mask = real(tokens != PADDING)
        for layer in self.encoder:
            x, _ = layer(x, mask, train=train)
        return Encoded(x, nn.tanh(self.pooler(x[:, 0])) if self.pools else None)


class BERTPretraining(nn.Module):
    """BERT with its two tasks: which token was masked, and does the second sentence follow.

        masked_t = norm(gelu(W x_t + b)) Eᵀ + c,    follows = V pooled + d

    E are the token embeddings of the encoder. In `follows`, class 0 means that the second sentence
    follows and class 1 that it is a random one. DistilBERT has the first task only.

    Attributes:
        bert: the encoder; with a pooler it has the second task too.
    """

    bert: BERT

    def setup(self) -> None:
        dense = functools.partial(nn.Dense, kernel_init=nn.initializers.normal(self.bert.scale))
        self.transform, self.transform_norm = dense(self.bert.features), norm()
        zeros = nn.initializers.zeros_init()
        self.bias = self.param("bias", zeros, (self.bert.vocabulary,))
        if self.bert.pools:
            self.follows = dense(2)

    def __call__(
        self,
        text: dict[str, Int[Array, "batch _"]],
        *,
        train: bool = False,
    ) -> dict[str, Float[Array, "batch *rest"]]:
        """The logits of both tasks.

        Args:
            text: `tokens` and, if there are any, `segments`, both `[batch, length]`; `places`,
                `[batch, masked]`, the numbers of the places whose token is wanted, all if absent.
                To project a seventh of the places onto the vocabulary costs a seventh.
            train: whether to drop.

        Returns:
            `masked`, `[batch, masked, vocabulary]`, and `follows`, `[batch, 2]`.
        """
        x, pooled = self.bert(text["tokens"], text.get("segments"), train=train)
        if "places" in text:
            x = jnp.take_along_axis(x, text["places"][..., None], axis=1)
        x = self.transform_norm(gelu(self.transform(x)))
        logits = {"masked": self.bert.token.attend(x) + self.bias[None, None]}
        return logits if pooled is None else logits | {"follows": self.follows(pooled)}
