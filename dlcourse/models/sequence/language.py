"""A recurrent language model."""

from collections.abc import Sequence

import flax.linen as nn
from jaxtyping import Array, Int

from dlcourse.models.sequence import recurrent
from dlcourse.models.sequence.cells import Name
from dlcourse.models.sequence.gpt import Logits, Tokens


class RecurrentLM(nn.Module):
    """Predicts the next token from the state of a recurrent network.

        h_t = cell(h_t-1, E[token_t]),    logits_t = h_t V + c

    Attributes:
        vocabulary: number of tokens.
        cell: kind of the cells.
        features: width of each layer; of the embedding too, the first.
        dropout: probability with which inputs and outputs of a layer are dropped in training.
    """

    vocabulary: int
    cell: Name
    features: Sequence[int]
    dropout: float = 0.0

    def setup(self) -> None:
        self.token = nn.Embed(self.vocabulary, self.features[0])
        self.network = recurrent.Recurrent(self.cell, self.features, dropout=self.dropout)
        self.out = nn.Dense(self.vocabulary)
        self.drop = nn.Dropout(self.dropout)

    def __call__(self, tokens: Tokens, *, train: bool = False) -> Logits:
        """The logits of the next token at every place; the state before the first is 0."""
        return self._run(tokens, None, train)[0]

    def start(self, batch: int, length: int) -> recurrent.Carries:
        """The state before the first token; it does not grow with the length."""
        del length
        return tuple(recurrent.start(self.cell, batch, width) for width in self.features)

    def decode(
        self, tokens: Tokens, cache: recurrent.Carries, position: int | Int[Array, ""]
    ) -> tuple[Logits, recurrent.Carries]:
        """The logits after each of the tokens, and the state after the last."""
        del position
        return self._run(tokens, cache, train=False)

    def _run(
        self, tokens: Tokens, carries: recurrent.Carries | None, train: bool
    ) -> tuple[Logits, recurrent.Carries]:
        if tokens.size < self.vocabulary or (train and self.dropout):
            x = self.drop(self.token(tokens), deterministic=not train)
            x, carries = self.network(x, None, carries, train=train)
        else:  # the same in a third less time, if dropout does not differ from place to place
            embedding = self.token.embedding
            x, carries = self.network(tokens, None, carries, embedding, train=train)
        return self.out(self.drop(x, deterministic=not train)), carries
