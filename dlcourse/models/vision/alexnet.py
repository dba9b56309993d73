"""AlexNet, the winner of the ImageNet challenge of 2012."""

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.foundations.initializers import he
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.pooling import max_pool

Images = Float[Array, "batch height width channels"]


def local_response_norm(
    x: Images, *, size: int = 5, bias: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Images:
    """Divides each channel by the energy of its neighbouring channels.

        b_c = a_c / (k + alpha sum_{|d - c| <= n/2} a_d^2)^beta

    with n = `size` and k = `bias`. Source: Krizhevsky et al. 2012, section 3.3. PyTorch's layer
    divides alpha by n; the paper and this function do not.
    """
    half = size // 2
    squares = jnp.pad(x**2, [(0, 0)] * 3 + [(half, half)])
    energy = sum(squares[..., d : d + x.shape[-1]] for d in range(size))
    return x / (bias + alpha * energy) ** beta


class AlexNet(nn.Module):
    """Krizhevsky, Sutskever and Hinton 2012: five convolutions, three dense layers.

        conv 11x11 / 4, 96 -> LRN -> pool -> conv 5x5, 256 -> LRN -> pool
        -> conv 3x3, 384 -> conv 3x3, 384 -> conv 3x3, 256 -> pool
        -> dense 4096 -> dense 4096 -> dense 1000

    ReLU follows every layer but the last. The pooling windows of 3 at stride 2 overlap. There are
    62,378,344 weights on images of 224x224x3. `AlexNetCIFAR` is the variant for 32x32.

    Deviations: there is one tower. The paper splits the second, fourth and fifth convolution into
    two groups for two GPUs and has 60,965,224 weights. Weights are initialised by He's scheme and
    biases to zero.

    Attributes:
        num_classes: the number of logits.
        features: the channels of the five convolutions.
        hidden: the width of the two hidden dense layers.
        stem_size: the height and width of the first filter.
        stem_stride: the stride of the first convolution.
        dropout: the probability with which an activation of a hidden dense layer is dropped in
            training.

    Raises:
        UserError: the image is too small for the pooling windows.
    """

    num_classes: int = 1000
    features: Sequence[int] = (96, 256, 384, 384, 256)
    hidden: int = 4096
    stem_size: int = 11
    stem_stride: int = 4
    dropout: float = 0.5

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Float[Array, "batch classes"]:
        stem, second, *others = self.features
        conv = functools.partial(Conv, kernel_init=he)
        size, stride = self.stem_size, self.stem_stride
        x = nn.relu(conv(stem, (size, size), strides=stride, padding=2)(x))
        x = max_pool(local_response_norm(x), 3, stride=2)
        x = nn.relu(conv(second, (5, 5))(x))
        x = max_pool(local_response_norm(x), 3, stride=2)
        for features in others:
            x = nn.relu(conv(features)(x))
        x = max_pool(x, 3, stride=2)
        x = x.reshape(x.shape[0], -1)
        for _ in range(2):
            x = nn.relu(nn.Dense(self.hidden, kernel_init=he)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes)(x)


# For 32x32: a first filter of 5x5 at stride 1, dense layers of 1,024, and 7,139,722 weights.
AlexNetCIFAR = functools.partial(AlexNet, num_classes=10, hidden=1024, stem_size=5, stem_stride=1)
