"""The three models that deck 003 compares on CIFAR-10."""

import functools

import flax.linen as nn
from jaxtyping import Array, Float

from dlcourse.models.foundations.initializers import he
from dlcourse.models.foundations.mlp import MLP
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.lenet import LeNet5
from dlcourse.models.vision.pooling import max_pool


def CIFARModel1(num_classes: int = 10) -> MLP:
    """Model 1: four dense layers, 3072 -> 1024 -> 256 -> 64 -> 10. 3,426,250 weights."""
    return MLP((1024, 256, 64, num_classes))


# Model 2: LeNet-5 with ReLU and max pooling, on three channels. 62,006 weights.
CIFARModel2 = functools.partial(LeNet5, activation=nn.relu, pool=max_pool)


class CIFARModel3(nn.Module):
    """Model 3: six convolutions and three dense layers with 5,852,170 weights.

        3 x [conv 3x3 -> BN -> relu -> conv 3x3 -> relu -> max pool]
        -> dropout -> dense 1024 -> relu -> dense 512 -> relu -> dropout -> dense 10

    with 32, 64 | 128, 128 | 256, 256 channels. As in the deck's count, convolutions before a batch
    norm have a bias too, although it has no effect there.

    Attributes:
        num_classes: the number of logits.
        dropout: the probability with which an activation is dropped in training, before and after
            the hidden dense layers.
    """

    num_classes: int = 10
    dropout: float = 0.05

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool = False
    ) -> Float[Array, "batch classes"]:
        conv = functools.partial(Conv, kernel_init=he)
        for first, second in ((32, 64), (128, 128), (256, 256)):
            x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(conv(first)(x))
            x = nn.relu(conv(second)(nn.relu(x)))
            x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        for width in (1024, 512):
            x = nn.relu(nn.Dense(width)(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes)(x)
