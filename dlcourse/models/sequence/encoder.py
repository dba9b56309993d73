"""An encoder of tokens, with a linear readout at every place."""

import flax.linen as nn
import jax.numpy as jnp

from dlcourse.models.sequence.attention import Mask
from dlcourse.models.sequence.encoder_decoder import sinusoids
from dlcourse.models.sequence.gpt import Logits, Tokens
from dlcourse.models.sequence.transformer import stack


class Encoder(nn.Module):
    """Every place of a sequence sees all others (deck 003).

        x_t = √D E[token_t] + P[t],    x := layer(x) for each layer,    y_t = norm(x_t) V + c

    P are the waves of `sinusoids`. The weights of each layer's attention are sown as
    `intermediates/encoder_0/attention/weights` where they are asked for.

    Attributes:
        vocabulary: number of tokens.
        outputs: width of y.
        layers: how many there are.
        heads: of each attention.
        features: D.
        hidden: width inside a layer.
        dropout: probability with which an output of a layer is dropped in training.
    """

    vocabulary: int
    outputs: int
    layers: int = 1
    heads: int = 1
    features: int = 32
    hidden: int = 64
    dropout: float = 0.0

    def setup(self) -> None:
        begin = nn.initializers.normal(self.features**-0.5)
        self.token = nn.Embed(self.vocabulary, self.features, embedding_init=begin)
        self.encoder = stack(
            self.layers,
            features=self.features,
            heads=self.heads,
            hidden=self.hidden,
            dropout=self.dropout,
        )
        self.norm, self.out = nn.LayerNorm(1e-5), nn.Dense(self.outputs)

    def __call__(self, tokens: Tokens, mask: Mask | None = None, *, train: bool = False) -> Logits:
        """The outputs at every place.

        Args:
            tokens: the sequences.
            mask: which places each may look at; all if not given.
            train: whether to drop.
        """
        waves = sinusoids(jnp.arange(tokens.shape[1]), self.features)
        x = self.token(tokens)
        x = x * self.features**0.5 + waves[None].astype(x.dtype)
        for layer in self.encoder:
            x, _ = layer(x, mask, train=train)
        return self.out(self.norm(x))
