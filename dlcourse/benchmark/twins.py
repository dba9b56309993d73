"""The sequence models of the benchmark in PyTorch, as one would write them there."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.models.sequence.encoder_decoder import sinusoids

RATE = 1e-3


class CharLSTM(nn.Module):
    """`models.RecurrentLM(65, "lstm", (256,))`."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.out = nn.Embedding(65, 256), nn.Linear(256, 65)
        self.network = nn.LSTM(256, 256, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.network(self.token(tokens))[0])


class BiGRU(nn.Module):
    """`sequence.BiGRU(8192, 128)`; the padding is packed away, so that it costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.out = nn.Embedding(8192, 128), nn.Linear(256, 2)
        self.network = nn.GRU(128, 128, batch_first=True, bidirectional=True)

    def forward(self, text: Mapping[str, Tensor]) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.token(text["tokens"]), text["lengths"], batch_first=True, enforce_sorted=False
        )
        return self.out(self.network(packed)[1].transpose(0, 1).flatten(1))


class Attention(nn.Module):
    """`MultiHeadAttention` with four heads of 32."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(128, 128) for _ in range(4))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, y: Tensor, causal: bool, mask: Tensor | None = None) -> Tensor:
        q, k, v = (
            f(z).unflatten(-1, (4, 32)).transpose(1, 2)
            for f, z in ((self.query, x), (self.key, y), (self.value, y))
        )
        found = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)
        return self.drop(self.out(found.transpose(1, 2).flatten(2)))


class Layer(nn.Module):
    """`TransformerLayer` with the norm first."""

    def __init__(
        self,
        hidden: int,
        dropout: float,
        activation: Callable[[Tensor], Tensor],
        causal: bool = True,
        crosses: bool = False,
    ) -> None:
        super().__init__()
        self.own, self.own_norm, self.causal = Attention(dropout), nn.LayerNorm(128), causal
        if crosses:
            self.cross, self.cross_norm = Attention(dropout), nn.LayerNorm(128)
        self.into, self.back = nn.Linear(128, hidden), nn.Linear(hidden, 128)
        self.norm, self.drop, self.activation = nn.LayerNorm(128), nn.Dropout(dropout), activation

    def forward(
        self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None
    ) -> Tensor:
        y = self.own_norm(x)
        x = x + self.own(y, y, self.causal, None if self.causal else mask)
        if memory is not None:
            x = x + self.cross(self.cross_norm(x), memory, False, mask)
        return x + self.drop(self.back(self.activation(self.into(self.norm(x)))))


class GPT(nn.Module):
    """`models.GPT(65, 128, 4, 4, 128)`."""

    def __init__(self) -> None:
        super().__init__()

        def gelu(x: Tensor) -> Tensor:
            return F.gelu(x, approximate="tanh")

        self.token, self.place = nn.Embedding(65, 128), nn.Embedding(128, 128)
        self.layers = nn.ModuleList(Layer(512, 0.0, gelu) for _ in range(4))
        self.norm = nn.LayerNorm(128)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token(tokens) + self.place.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return F.linear(self.norm(x), self.token.weight)


class Transformer(nn.Module):
    """`models.Transformer(10_000, 4, 4, 128, 256, dropout=0.3)`."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.drop = nn.Embedding(10_000, 128), nn.Dropout(0.3)
        self.register_buffer("waves", torch.tensor(np.array(sinusoids(jnp.arange(32), 128))))
        self.encoder = nn.ModuleList(Layer(256, 0.3, F.relu, causal=False) for _ in range(4))
        self.decoder = nn.ModuleList(Layer(256, 0.3, F.relu, crosses=True) for _ in range(4))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(128), nn.LayerNorm(128)

    def forward(self, pair: Mapping[str, Tensor]) -> Tensor:
        x, y = (
            self.drop(self.token(pair[name]) * math.sqrt(128) + self.waves)
            for name in ("source", "target")
        )
        mask = (pair["source"] != 0)[:, None, None, :]
        for layer in self.encoder:
            x = layer(x, mask)
        memory = self.encoder_norm(x)
        for layer in self.decoder:
            y = layer(y, mask, memory)
        return F.linear(self.decoder_norm(y), self.token.weight)


TWINS: Mapping[str, type[nn.Module]] = {
    "char LSTM": CharLSTM,
    "GPT": GPT,
    "BiGRU classifier": BiGRU,
    "transformer": Transformer,
}


def pytorch_step(
    name: str, batch: Mapping[str, Any], *, compiled: bool = False
) -> Callable[[], None]:
    """A function that trains the model of this name for one step.

    Args:
        name: of the workload.
        batch: `inputs`, an array or a dict of arrays, and `target`.
        compiled: by `torch.compile`.
    """

    def tensors(of: Any) -> Any:
        if isinstance(of, Mapping):
            return {key: tensors(value) for key, value in of.items()}
        return torch.from_numpy(of).long()

    model = TWINS[name]()
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    inputs, target = tensors(batch["inputs"]), tensors(batch["target"])

    def run() -> None:
        optimizer.zero_grad()
        logits = forward(inputs)
        F.cross_entropy(logits.flatten(0, -2), target.flatten()).backward()
        optimizer.step()

    return run
