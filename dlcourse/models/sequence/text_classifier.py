"""Classifiers of whole texts."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from dlcourse.models.sequence.bert import BERT
from dlcourse.models.sequence.encoder_decoder import PADDING
from dlcourse.models.sequence.recurrent import Recurrent, within


class TextClassifier(nn.Module):
    """A class for each text (deck 003).

        y = [h_T, h_1] V + c    with the last states of a GRU in both directions, or
        y = mean_t(x_t) V + c    with the mean over the tokens

    x are the outputs of the encoder. Padding has no part in either. The pooler of BERT is not used:
    of a network that was trained to embed sentences by their mean, it is still random.

    Attributes:
        classes: width of y.
        encoder: from tokens to x, an `nn.Embed` or a `BERT`; without one, x are given.
        hidden: width of the GRU in each direction; the mean without one.
        dropout: probability with which inputs of the GRU and of the readout are dropped in
            training.
    """

    classes: int
    encoder: nn.Module | None = None
    hidden: int | None = None
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, text: dict[str, Num[Array, "batch *rest"]], *, train: bool = False
    ) -> Float[Array, "batch {self.classes}"]:
        """The logits of each text.

        Args:
            text: `tokens`, int `[batch, length]`, padded with 0; or, without an encoder,
                `features`, float `[batch, length, features]`, and `lengths`, int `[batch]`.
            train: whether to drop.
        """
        if self.encoder is None:
            x, lengths = text["features"], text["lengths"]
        else:
            tokens = text["tokens"]
            lengths = jnp.sum(tokens != PADDING, axis=1)
            is_bert = isinstance(self.encoder, BERT)
            x = self.encoder(tokens, train=train).places if is_bert else self.encoder(tokens)
        if self.hidden is None:
            real = within(lengths, x.shape[1])[..., None].astype(x.dtype)
            read = jnp.sum(x * real, axis=1) / jnp.maximum(jnp.sum(real, axis=1), 1)
        else:
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
            network = Recurrent("gru", (self.hidden,), bidirectional=True)
            _, carries = network(x, lengths, train=train)
            read = jnp.concatenate([carry[0] for carry in carries], axis=-1)
        read = nn.Dropout(self.dropout, deterministic=not train)(read)
        return nn.Dense(self.classes, kernel_init=nn.initializers.normal(0.02))(read)
