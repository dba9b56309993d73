"""LeNet-5, the convolutional network for handwritten characters of 1998."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.pooling import average_pool
from dlcourse.models.vision.shapes import check_images


class LeNet5(nn.Module):
    """LeCun, Bottou, Bengio and Haffner 1998, figure 2 (decks 001 and 002).

        conv 5x5, 6 -> pool -> conv 5x5, 16 -> pool -> dense 120 -> dense 84 -> dense 10

    61,706 weights on one channel. Images are 32x32, or 28x28 as in MNIST, which are padded by two
    pixels on every side.

    Deviations, common today: the second convolution reads all six channels instead of the paper's
    table of subsets (with about 60,000 weights in total), pooling has no weights, tanh is not
    rescaled, and the output is a dense layer for a softmax instead of radial basis functions.

    Attributes:
        num_classes: the number of logits.
        activation: applied after every layer but the last.
        pool: halves height and width, after each of the two convolutions.

    Raises:
        UserError: the input is not a batch of images of 28x28 or 32x32.
    """

    num_classes: int = 10
    activation: Callable = nn.tanh
    pool: Callable = average_pool

    @nn.compact
    def __call__(
        self, x: Float[Array, "..."], *, train: bool = False
    ) -> Float[Array, "batch classes"]:
        check_images(x)
        if x.shape[1:3] not in ((28, 28), (32, 32)):
            raise UserError(f"LeNet-5 reads images of 28x28 or 32x32, got {x.shape[1:3]}")
        padding = (32 - x.shape[1]) // 2
        x = self.pool(self.activation(Conv(6, (5, 5), padding=padding)(x)))
        x = self.pool(self.activation(Conv(16, (5, 5), padding=0)(x)))
        x = x.reshape(x.shape[0], -1)
        for width in (120, 84):
            x = self.activation(nn.Dense(width)(x))
        return nn.Dense(self.num_classes)(x)
