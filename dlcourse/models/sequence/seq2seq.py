"""The recurrent network of an encoder and a decoder, with attention or without, for translation."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dlcourse.errors import UserError
from dlcourse.models.sequence import cells
from dlcourse.models.sequence.cells import CELLS, Carry
from dlcourse.models.sequence.encoder_decoder import PADDING
from dlcourse.models.sequence.gpt import Logits, Tokens
from dlcourse.models.sequence.recurrent import Recurrent, weights_of

Hidden = Float[Array, "batch features"]


class Reading(NamedTuple):
    """What the decoder needs of the source and of the target so far.

    Attributes:
        carry: of the decoder's cell.
        encoded: h_j, `[batch, source, 2 features]`.
        keys: U h_j, `[batch, source, features]`.
        last: the last state of both directions, `[batch, 2 features]`.
        real: True at source tokens that are no padding.
    """

    carry: Carry
    encoded: Float[Array, "batch source both"]
    keys: Float[Array, "batch source features"]
    last: Float[Array, "batch both"]
    real: Bool[Array, "batch source"]


class Seq2Seq(nn.Module):
    """Translates a sequence of tokens by two recurrent networks.

        h_j = [forward_j, backward_j]    of a bidirectional encoder
        e_ij = vᵀ tanh(W s_i-1 + U h_j),    α_i = softmax(e_i),    c_i = Σ_j α_ij h_j
        s_i = cell(s_i-1, [E y_i-1, c_i]),    s_0 = tanh(W_0 h + b_0)
        logits_i = tanh(W_t [s_i, c_i, E y_i-1] + b_t) Eᵀ

    With attention, c_i is a look at all of the source, chosen anew for each target token (Bahdanau
    et al., 2015). Without, c_i is the last state of both directions, always the same h (Cho et al.,
    2014), through which everything has to pass. Deviations: h is in both cases what the decoder
    starts from, where Bahdanau takes its backward half; the layer before the output is tanh instead
    of maxout, and source, target and output share one embedding E, as in `Transformer`.

    With D features and V tokens, a GRU has V D + 33 D² + 21 D weights, 3 D² + D of them for the
    attention. Its weights α `[batch, target, source]` are sown as `intermediates/weights` where
    they are asked for.

    Attributes:
        vocabulary: number of tokens of both languages together.
        cell: kind of both networks.
        features: D, of the embedding and of each direction.
        attends: whether the decoder attends to the source.
        dropout: probability with which embeddings and the last layer are dropped in training.
    """

    vocabulary: int
    cell: cells.Name = "gru"
    features: int = 512
    attends: bool = True
    dropout: float = 0.0

    def setup(self) -> None:
        features, glorot = self.features, nn.initializers.glorot_uniform()
        begin = nn.initializers.normal(features**-0.5)
        self.token = nn.Embed(self.vocabulary, features, embedding_init=begin)
        self.encoder = Recurrent(self.cell, (features,), bidirectional=True)
        self.first = nn.Dense(features)
        if self.attends:
            self.key = nn.Dense(features, use_bias=False)
            self.query = self.param("query", glorot, (features, features))
            self.score = self.param("score", nn.initializers.normal(features**-0.5), (features,))
        self.weights = weights_of(self.param, self.cell, 3 * features, features)
        self.readout = nn.Dense(features)
        self.drop = nn.Dropout(self.dropout)

    def __call__(self, pair: dict[str, Array], *, train: bool = False) -> Logits:
        """The logits of the next target token at every place of the target.

        Args:
            pair: `source`, and `target`, which begins with the token that starts a sentence.
            train: whether to drop.

        Raises:
            UserError: an example holds several pairs.
        """
        if "source_segment" in pair:
            raise UserError(
                "Recurrent networks read on from one pair of an example into the next. Leave "
                "--pack out, or use --network transformer."
            )
        reading = self._read(pair["source"], train)
        return self._decode(pair["target"], reading, train)[0]

    def start(self, source: Tokens, length: int) -> Reading:
        """Encodes a source; the target may be of any length."""
        del length
        return self._read(source)

    def decode(
        self, tokens: Tokens, state: Reading, position: int | Int[Array, ""]
    ) -> tuple[Logits, Reading]:
        """The logits after target tokens that follow those that `state` has seen."""
        del position
        return self._decode(tokens, state)

    def _embed(self, tokens: Tokens, train: bool) -> Float[Array, "batch length features"]:
        # Of variance 1, as the cells' initial weights expect.
        x = self.token(tokens) * self.features**0.5
        return self.drop(x, deterministic=not train)

    def _read(self, source: Tokens, train: bool = False) -> Reading:
        is_real = source != PADDING
        encoded, carries = self.encoder(self._embed(source, train), jnp.sum(is_real, axis=1))
        last = jnp.concatenate([carry[0] for carry in carries], axis=-1)
        begin = jnp.tanh(self.first(last))
        rest = (jnp.zeros(begin.shape, jnp.float32),) * (CELLS[self.cell].states - 1)
        keys = self.key(encoded) if self.attends else encoded[..., : self.features]
        return Reading((begin, *rest), encoded, keys, last, is_real)

    def _decode(
        self, tokens: Tokens, reading: Reading, train: bool = False
    ) -> tuple[Logits, Reading]:
        cell, of_cell = CELLS[self.cell], dict(self.weights)

        def step(carry: Carry, x: Hidden) -> tuple[Carry, Any]:
            context, weights = self._look(carry[0], reading)
            carry = cell.step(of_cell, carry, jnp.concatenate([x, context], axis=-1))
            return carry, (carry[0], context, weights)

        x = self._embed(tokens, train)
        carry, found = jax.lax.scan(step, reading.carry, jnp.swapaxes(x, 0, 1))
        states, contexts, weights = (jnp.swapaxes(each, 0, 1) for each in found)
        if self.is_mutable_collection("intermediates"):
            self.sow("intermediates", "weights", weights)
        last = jnp.tanh(self.readout(jnp.concatenate([states, contexts, x], axis=-1)))
        logits = self.token.attend(self.drop(last, deterministic=not train))
        return logits, reading._replace(carry=carry)

    def _look(
        self, state: Hidden, reading: Reading
    ) -> tuple[Float[Array, "batch both"], Float[Array, "batch source"]]:
        """The context, and where it was found."""
        if not self.attends:
            return reading.last, jnp.zeros(reading.real.shape, state.dtype)
        each = jnp.tanh((state @ self.query)[:, None] + reading.keys)
        scores = (each @ self.score).astype(jnp.float32)
        # A source without a token has weights of 0, as in `attention`.
        scores = nn.softmax(jnp.where(reading.real, scores, -1e30), axis=-1)
        weights = jnp.where(reading.real, scores, 0.0).astype(state.dtype)
        return jnp.einsum("bs,bsf->bf", weights, reading.encoded), weights
