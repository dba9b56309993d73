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

    The head h is the mean of the last feature map over its pixels, so images of any size from
    `2 ** len(features)` pixels a side will do; or, with `hidden`, one dense layer over all of
    the map, which keeps where things are. The convolutions have no bias: the shift of the batch
    norm that follows is one. With the defaults, 19,562 weights on one channel.

    Attributes:
        features: the channels of each block; each block halves height and width.
        num_classes: the number of logits.
        hidden: the width of the dense head; None for global average pooling.
        dropout: the share of the head that is dropped in training.
        kernel_init: the scheme that draws the weights of all but the last layer.
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
            # Momentum 0.9: runs here last hundreds of steps, and 0.99 would still be warming up.
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
            x = max_pool(x)
        if self.hidden is None:
            x = jnp.mean(x, axis=(1, 2))
        else:
            x = x.reshape(x.shape[0], -1)
            x = nn.relu(nn.Dense(self.hidden, kernel_init=self.kernel_init)(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes)(x)
