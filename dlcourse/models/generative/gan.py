"""Generator and discriminator of a small GAN."""

from collections.abc import Sequence
from math import prod

import flax.linen as nn
from jaxtyping import Array, Float


class Generator(nn.Module):
    """An image from noise: dense layers with batch norm, `x = sigmoid(W h(z) + b)` in [0, 1].

    Goodfellow et al. (2014) and deck 003, with batch norm after Radford et al. (2016).

    Attributes:
        shape: height, width and channels of an image.
        features: the widths of the hidden layers.
    """

    shape: Sequence[int]
    features: Sequence[int] = (128, 128)

    @nn.compact
    def __call__(
        self, z: Float[Array, "batch latent"], *, train: bool = False
    ) -> Float[Array, "batch height width channels"]:
        for width in self.features:
            z = nn.Dense(width, use_bias=False)(z)
            z = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(z))
        return nn.sigmoid(nn.Dense(prod(self.shape))(z)).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """The logit of being real: dense layers with leaky ReLU and dropout, no batch norm.

    Attributes:
        features: the widths of the hidden layers.
        dropout: what keeps it from learning the training images by heart.
    """

    features: Sequence[int] = (128, 128)
    dropout: float = 0.3

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch *axes"], *, train: bool = False
    ) -> Float[Array, " batch"]:
        x = x.reshape(x.shape[0], -1)
        for width in self.features:
            x = nn.leaky_relu(nn.Dense(width)(x), 0.2)
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(1)(x)[:, 0]
