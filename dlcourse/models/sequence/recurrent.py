"""Recurrent networks: cells over time, stacked and in both directions, for any lengths."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dlcourse.models.sequence.cells import CELLS, Carry, Cell, Name, Weights, of_input, of_token
from dlcourse.models.sequence.unrolled import unrolled

Inputs = Float[Array, "batch time inputs"]
Tokens = Int[Array, "batch time"]
Embedding = Float[Array, "vocabulary inputs"]
Outputs = Float[Array, "batch time features"]
Carries = tuple[tuple[Array, ...], ...]  # of each layer and direction


def within(lengths: Int[Array, " batch"], time: int) -> Bool[Array, "batch time"]:
    """True at the places of a sequence, False at the padding after its length."""
    return jnp.arange(time)[None, :] < lengths[:, None]


def over_time(
    cell: Cell,
    weights: Weights,
    carry: Carry,
    x: Inputs | Tokens,
    lengths: Int[Array, " batch"] | None = None,
    *,
    reverse: bool = False,
) -> tuple[Outputs, Carry]:
    """A cell from the first to the last place of each sequence, or back.

    At padding the carry stays as it is and the output is 0. So the outputs and the last carry do
    not depend on the amount of padding, bit for bit; a backward pass starts at the last real place.

    Args:
        cell: the kind of cell.
        weights: of the cell; of tokens, with the `table` of `cells.of_token`.
        carry: before the first step.
        x: the inputs, or tokens.
        lengths: number of real places of each sequence, which are its first; all if not given.
        reverse: from the last real place to the first.

    Returns:
        h at every place, and the carry after the last step.
    """

    real = None if lengths is None else within(lengths, x.shape[1]).T
    inputs = jnp.swapaxes(x, 0, 1)
    project = of_token if "table" in weights else of_input
    outputs, carry = unrolled(cell, project, reverse, weights, carry, inputs, real)
    return jnp.swapaxes(outputs, 0, 1), carry


class RecurrentLayer(nn.Module):
    """One cell over time.

    Kernels are Glorot uniform, recurrent kernels orthogonal in each gate (Saxe et al., 2014).

    Attributes:
        cell: which one.
        features: width of h.
        reverse: from the last place to the first.
    """

    cell: Name
    features: int
    reverse: bool = False

    @nn.compact
    def __call__(
        self,
        x: Inputs | Tokens,
        lengths: Int[Array, " batch"] | None = None,
        carry: Carry | None = None,
        embedding: Embedding | None = None,
    ) -> tuple[Outputs, Carry]:
        """h at every place, and the last carry; of tokens x if their embedding is given."""
        cell, width = CELLS[self.cell], self.features
        given = x if embedding is None else embedding
        weights = weights_of(self.param, self.cell, given.shape[-1], width)
        if embedding is not None:
            weights["table"] = of_input(weights, embedding)
        if carry is None:
            carry = start(self.cell, x.shape[0], width, given.dtype)
        return over_time(cell, weights, carry, x, lengths, reverse=self.reverse)


def weights_of(
    param: Callable[..., Any], name: Name, inputs: int, features: int
) -> dict[str, Array]:
    """The weights of a cell, made by a module's `param`; see `RecurrentLayer`."""
    cell, columns = CELLS[name], CELLS[name].gates * features

    def orthogonal(key: Any, shape: tuple[int, int], dtype: Any = jnp.float32) -> Any:
        make = nn.initializers.orthogonal()
        parts = [make(k, (features, features), dtype) for k in jax.random.split(key, cell.gates)]
        return jnp.concatenate(parts, axis=1)

    def bias(key: Any, shape: tuple[int], dtype: Any = jnp.float32) -> Any:
        return jnp.repeat(jnp.asarray(cell.bias, dtype), features)

    weights = {
        "kernel": param("kernel", nn.initializers.glorot_uniform(), (inputs, columns)),
        "recurrent_kernel": param("recurrent_kernel", orthogonal, (features, columns)),
        "bias": param("bias", bias, (columns,)),
    }
    if cell.extra:
        zeros = nn.initializers.zeros_init()
        weights["recurrent_bias"] = param("recurrent_bias", zeros, (columns,))
    return weights


def start(cell: Name, batch: int, features: int, dtype: Any = jnp.float32) -> Carry:
    """The carry before the first step: zeros. Memory beside h is float32."""
    states = CELLS[cell].states
    return tuple(jnp.zeros((batch, features), jnp.float32 if k else dtype) for k in range(states))


class Recurrent(nn.Module):
    """Layers of cells, each of which reads the outputs of the one before.

    In both directions, a layer's output at a place is the forward and the backward h side by side,
    `[batch, time, 2 * features]`.

    Weights of a layer with F inputs and H features, per direction: RNN (F + H + 1) H, LSTM
    4 (F + H + 1) H, GRU 3 (F + H + 2) H. PyTorch has H more for each gate of RNN and LSTM: it keeps
    two biases, of which only the sum matters.

    Attributes:
        cell: kind of the cells.
        features: width of each layer.
        bidirectional: read in both directions.
        dropout: probability with which an output between two layers is dropped in training.
    """

    cell: Name
    features: Sequence[int]
    bidirectional: bool = False
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self,
        x: Inputs | Tokens,
        lengths: Int[Array, " batch"] | None = None,
        carries: Carries | None = None,
        embedding: Embedding | None = None,
        *,
        train: bool = False,
    ) -> tuple[Outputs, Carries]:
        """The outputs at every place, and the last carry of each layer and direction.

        With an embedding E, the first layer reads rows of `E W + b`, computed once for each token
        of the vocabulary in place of once for each place.

        Args:
            x: the inputs, or tokens if their embedding is given.
            lengths: number of real places of each sequence; all if not given.
            carries: those before the first step, as a call returns them; zeros if not given.
            embedding: of the tokens.
            train: whether to drop.
        """
        directions = (False, True) if self.bidirectional else (False,)
        before = iter(carries if carries is not None else ())
        after = []
        for number, features in enumerate(self.features):
            if number:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
            outputs = []
            for reverse in directions:
                layer = RecurrentLayer(self.cell, features, reverse)
                output, carry = layer(x, lengths, next(before, None), embedding)
                outputs.append(output)
                after.append(carry)
            x, embedding = jnp.concatenate(outputs, axis=-1), None
        return x, tuple(after)


class SequenceNet(nn.Module):
    """A recurrent network with a linear readout.

        y = h_T V + c    from the last state of each sequence (`reads="end"`),
        y_t = h_t V + c    at every place (`reads="places"`)

    Attributes:
        cell: kind of the cells.
        features: width of each layer.
        outputs: width of y.
        reads: where the outputs are read.
        bidirectional: read in both directions; `end` then reads the last state of each.
        dropout: as in `Recurrent`.
    """

    cell: Name
    features: Sequence[int]
    outputs: int
    reads: Literal["end", "places"] = "end"
    bidirectional: bool = False
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Inputs, lengths: Int[Array, " batch"] | None = None, *, train: bool = False
    ) -> Float[Array, "batch *rest"]:
        network = Recurrent(self.cell, self.features, self.bidirectional, self.dropout)
        places, carries = network(x, lengths, train=train)
        if self.reads == "end":
            last = carries[-2:] if self.bidirectional else carries[-1:]
            places = jnp.concatenate([carry[0] for carry in last], axis=-1)
        return nn.Dense(self.outputs)(places)
