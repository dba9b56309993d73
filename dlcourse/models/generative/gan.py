"""The generator and the discriminator of a small GAN."""

from collections.abc import Sequence
from math import prod

import flax.linen as nn
from jaxtyping import Array, Float


class Generator(nn.Module):
    """Dense layers with batch normalisation that turn noise into an image in [0, 1].

        h^0 = z,    h^l = relu(BN(W^l h^(l-1))),    x = sigmoid(W h^L + b)

    Source: Goodfellow et al. (2014) and deck 003, with batch normalisation after Radford et al.
    (2016).

    Attributes:
        shape: the height, width and channels of an image.
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
    """Dense layers that return the logit of the probability that an image is real.

        h^0 = x,    h^l = dropout(leaky_relu(W^l h^(l-1) + b^l)),    logit = w^T h^L + c

    The slope of the leaky ReLU is 0.2. There is no batch normalisation.

    Attributes:
        features: the widths of the hidden layers.
        dropout: the probability with which a hidden activation is dropped in training. It limits
            overfitting to the training images.
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
