"""The multi-layer perceptron."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
from jaxtyping import Array, Float


class MLP(nn.Module):
    """Dense layers with an activation between them.

        a^0 = x,    a^l = dropout(g(W^l a^(l-1) + b^l)),    f(x) = W^L a^(L-1) + b^L

    ISLR figure 10.4 (deck 004): `features=(256, 128, 10)` on 28x28 images has 235,146 weights.
    Deck 003's network: `features=(64, 32, 10)` has 52,650.

    With batch normalisation (deck 001) each hidden layer's sum z = W a is first brought to mean 0
    and variance 1 over the batch, then scaled and shifted:

        ẑ = (z - μ_B) / √(σ_B² + ε),    a^l = dropout(g(γ ẑ + β))

    and in evaluation by running averages, `μ := 0.9 μ + 0.1 μ_B` and `σ²` likewise, in place of
    the batch's own μ_B and σ_B². The shift β takes the place of the bias.

    Attributes:
        features: the width of each layer; the last is the output and stays linear.
        activation: g, applied after every layer but the last.
        dropout: the share of each hidden layer that is dropped in training. Linen's dropout is
            the decks' inverted one: what stays is divided by `1 - dropout`.
        batch_norm: whether hidden layers are normalised over the batch.
        kernel_init: the scheme that draws the weights.
        bias_init: the scheme that draws the biases.
    """

    features: Sequence[int]
    activation: Callable = nn.relu
    dropout: float = 0.0
    batch_norm: bool = False
    kernel_init: Callable = nn.initializers.lecun_normal()
    bias_init: Callable = nn.initializers.zeros_init()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch *axes"], *, train: bool = False
    ) -> Float[Array, "batch outputs"]:
        dense = functools.partial(nn.Dense, kernel_init=self.kernel_init, bias_init=self.bias_init)
        x = x.reshape(x.shape[0], -1)
        for width in self.features[:-1]:
            x = dense(width, use_bias=not self.batch_norm)(x)
            if self.batch_norm:
                x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
            x = self.activation(x)
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return dense(self.features[-1])(x)
