"""AlexNet, the network that won ImageNet in 2012."""

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
    """Divides each channel by the energy of its neighbours (Krizhevsky 2012, section 3.3).

        b_c = a_c / (k + alpha sum_{|d - c| <= n/2} a_d^2)^beta

    with n = `size` and k = `bias`. PyTorch's layer divides alpha by n; the paper does not.
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

    ReLU after every layer but the last, pools of 3 at stride 2 that overlap. 62,378,344 weights
    on images of 224x224x3. `AlexNetCIFAR` is the same network at 32x32.

    Where we deviate: one tower. The paper cut the second, fourth and fifth convolution in two
    halves for the two GPUs it ran on, and so has 60,965,224 weights. We draw the weights by He's
    scheme and let the biases begin at zero.

    Attributes:
        num_classes: the number of logits.
        features: the channels of the five convolutions.
        hidden: the width of the dense layers.
        stem_size: the height and width of the first filter.
        stem_stride: its step.
        dropout: the share of each of the two wide dense layers that is dropped in training.
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


# For 32x32: a first filter of 5x5 at stride 1, and dense layers of 1,024. 7,139,722 weights.
AlexNetCIFAR = functools.partial(AlexNet, num_classes=10, hidden=1024, stem_size=5, stem_stride=1)
