"""A small convolutional network with batch normalisation."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.foundations.initializers import he
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.pooling import max_pool


class CNN(nn.Module):
    """Blocks of convolution, batch norm, ReLU and max pooling, then a classifier.

        a^0 = x,    a^l = pool(relu(BN(W^l * a^(l-1)))),    f(x) = W h + b

    The head h is the global average of the last feature map, so images may have any size of at
    least `2 ** len(features)` pixels. With `hidden`, it is a dense layer over the whole map, which
    keeps the positions. The convolutions have no bias, because the batch norm shifts their output.
    The defaults have 19,562 weights on one channel.

    Attributes:
        features: the channels of each block; each block halves height and width.
        num_classes: the number of logits.
        hidden: the width of the dense head; None for global average pooling.
        dropout: the probability with which an activation of the head is dropped in training.
        kernel_init: the initialiser of all kernels but the last.

    Raises:
        UserError: the image is too small for the pooling windows.
    """

    features: Sequence[int] = (32, 64)
    num_classes: int = 10
    hidden: int | None = None
    dropout: float = 0.0
    kernel_init: Callable = he

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool = False
    ) -> Float[Array, "batch classes"]:
        for features in self.features:
            x = Conv(features, use_bias=False, kernel_init=self.kernel_init)(x)
            # Momentum 0.9: after the few hundred steps of these runs, 0.99 would still be biased.
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
            x = max_pool(x)
        if self.hidden is None:
            x = jnp.mean(x, axis=(1, 2))
        else:
            x = x.reshape(x.shape[0], -1)
            x = nn.relu(nn.Dense(self.hidden, kernel_init=self.kernel_init)(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes)(x)
