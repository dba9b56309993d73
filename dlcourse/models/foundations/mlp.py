"""The multi-layer perceptron."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
from jaxtyping import Array, Float


class MLP(nn.Module):
    """Dense layers with activations between them.

        a^0 = x,    a^l = dropout(g(W^l a^(l-1) + b^l)),    f(x) = W^L a^(L-1) + b^L

    On 28x28 images, ISLR's figure 10.4 (deck 004), `features=(256, 128, 10)`, has 235,146 weights,
    and deck 003's network, `features=(64, 32, 10)`, has 52,650.

    Batch normalisation (deck 001) normalises z = W a of each hidden layer over the batch:

        ẑ = (z - μ_B) / √(σ_B² + ε),    a^l = dropout(g(γ ẑ + β))

    Evaluation replaces μ_B and σ_B² by the running averages `μ := 0.9 μ + 0.1 μ_B` and
    `σ² := 0.9 σ² + 0.1 σ_B²`. The shift β replaces the bias.

    Attributes:
        features: the width of each layer; the last one is the linear output.
        activation: g, applied after every layer but the last.
        dropout: the probability with which a hidden activation is dropped in training. Dropout is
            inverted, as in the decks: the others are divided by `1 - dropout`.
        batch_norm: whether to normalise the hidden layers over the batch.
        kernel_init: the initialiser of the kernels.
        last_init: that of the last kernel; by default the same.
        bias_init: the initialiser of the biases.
    """

    features: Sequence[int]
    activation: Callable = nn.relu
    dropout: float = 0.0
    batch_norm: bool = False
    kernel_init: Callable = nn.initializers.lecun_normal()
    last_init: Callable | None = None
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
        return dense(self.features[-1], kernel_init=self.last_init or self.kernel_init)(x)
