"""A temporal convolutional network: causal convolutions whose reach doubles with each layer."""

from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.sequence.recurrent import Inputs, Outputs


class CausalConv(nn.Module):
    """A dilated convolution that sees no later place.

        z_t = Σ_j x_(t - j d) W_j + b,    j = 0, ..., k - 1,    x = 0 before the first place

    With F inputs and H features, (k F + 1) H weights. The k shifted copies of x lie side by side,
    so that it is one matrix product.

    Attributes:
        features: H.
        kernel: k.
        dilation: d.
    """

    features: int
    kernel: int
    dilation: int

    @nn.compact
    def __call__(self, x: Inputs) -> Outputs:
        shifts = [j * self.dilation for j in range(self.kernel)]
        before = jnp.pad(x, ((0, 0), (shifts[-1], 0), (0, 0)))
        copies = [before[:, shifts[-1] - s : before.shape[1] - s] for s in shifts]
        begin = nn.initializers.he_normal()
        return nn.Dense(self.features, kernel_init=begin)(jnp.concatenate(copies, axis=-1))


class TCN(nn.Module):
    """Layers of two causal convolutions beside a shortcut (Bai, Kolter and Koltun, 2018).

        x := relu(S x + f(x)),    f(x) = drop(relu(conv(drop(relu(conv(x))))))

    Layer i = 0, ..., L - 1 has dilation 2^i. S is a matrix where widths differ, else the identity.
    A place sees itself and those before it, `receptive_field` in all:

        1 + 2 (k - 1) (2^L - 1)

    Unlike the paper's, the kernels are not weight-normalised, and dropout drops single values.

    Attributes:
        features: width of each of the L layers.
        outputs: width of the linear readout.
        kernel: k, places of a convolution.
        reads: where the outputs are read: at every place, or at the last one.
        dropout: probability with which a value is dropped in training.
    """

    features: Sequence[int]
    outputs: int
    kernel: int = 3
    reads: Literal["end", "places"] = "end"
    dropout: float = 0.0

    @property
    def receptive_field(self) -> int:
        """The number of places that an output depends on."""
        return 1 + 2 * (self.kernel - 1) * (2 ** len(self.features) - 1)

    @nn.compact
    def __call__(self, x: Inputs, *, train: bool = False) -> Float[Array, "batch *rest"]:
        for number, width in enumerate(self.features):
            y = x
            for _ in range(2):
                y = nn.relu(CausalConv(width, self.kernel, 2**number)(y))
                y = nn.Dropout(self.dropout, deterministic=not train)(y)
            if x.shape[-1] != width:
                x = nn.Dense(width, use_bias=False)(x)
            x = nn.relu(x + y)
        return nn.Dense(self.outputs)(x[:, -1] if self.reads == "end" else x)


class FromLast(nn.Module):
    """Forecasts relative to the last value that came, all steps at once.

        ŷ = x_C + network(x_1 - x_C, ..., x_C - x_C)

    A trend that goes on beyond all training values is then nothing new to the network.

    Attributes:
        network: from `[batch, context, 1]` to `[batch, horizon]`.
    """

    network: nn.Module

    def __call__(
        self, past: Float[Array, "batch context"], *, train: bool = False
    ) -> Float[Array, "batch horizon"]:
        last = past[:, -1:]
        return last + self.network((past - last)[..., None], train=train)
