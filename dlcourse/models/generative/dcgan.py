"""The convolutional generator and discriminator of a DCGAN."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.group_norm import GroupNorm
from dlcourse.models.vision.pooling import squeeze, unsqueeze

WEIGHTS = nn.initializers.normal(0.02)  # as in the paper


class Down(nn.Module):
    """A 4x4 convolution at stride 2 that halves height and width.

        y[i, j] = Σ_mn W_mn x[2i + m - 1, 2j + n - 1] + b,    m, n = 0, ..., 3

    It is computed as a 2x2 convolution at stride 1 of the squeezed image, which has the same
    16 C F weights for C input and F output channels and is faster on a CPU.

    Attributes:
        features: F.
    """

    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch height//2 width//2 features"]:
        around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return Conv(self.features, (2, 2), padding=0, kernel_init=WEIGHTS)(squeeze(around))


class Up(nn.Module):
    """A transposed 4x4 convolution at stride 2 that doubles height and width.

        y[2i + m - 1, 2j + n - 1] += W_mn x[i, j],    m, n = 0, ..., 3

    It is computed as a 2x2 convolution to 4 F channels, unsqueezed, without its border.

    Attributes:
        features: F, the output channels.
    """

    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch 2*height 2*width features"]:
        around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        squares = Conv(4 * self.features, (2, 2), padding=0, use_bias=False, kernel_init=WEIGHTS)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        y = unsqueeze(squares(around))[:, 1:-1, 1:-1]
        return y + bias.reshape(1, 1, 1, -1)


class DCGenerator(nn.Module):
    """Turns noise into an image in [0, 1] (Radford, Metz and Chintala, 2016; deck 003).

        h^0 = relu(N(W z)),    h^l = relu(N(up(h^(l-1)))),    x = σ(up(h^(L-1)))

    from a map that is 2^L times smaller than the image. Deviations: N is a group normalisation, so
    that a sample does not depend on its batch and averaged weights need no averaged statistics; the
    image is in [0, 1] and not in [-1, 1].

    Attributes:
        shape: height, width and channels of an image.
        features: channels of the maps h^0, ..., h^(L-1).

    Raises:
        UserError: height or width cannot be halved L times.
    """

    shape: Sequence[int]
    features: Sequence[int] = (128, 64)

    @nn.compact
    def __call__(
        self, z: Float[Array, "batch latent"], *, train: bool = False
    ) -> Float[Array, "batch height width channels"]:
        height, width, channels = self.shape
        factor = 2 ** len(self.features)
        _check_halved(height, width, factor)
        first = (height // factor, width // factor, self.features[0])
        x = nn.Dense(first[0] * first[1] * first[2], kernel_init=WEIGHTS)(z)
        x = nn.relu(GroupNorm(min(8, first[2]))(x.reshape(-1, *first)))
        for features in self.features[1:]:
            x = nn.relu(GroupNorm(min(8, features))(Up(features)(x)))
        return nn.sigmoid(Up(channels)(x))


class DCDiscriminator(nn.Module):
    """The logit that an image is real (Radford, Metz and Chintala, 2016).

        h^0 = x,    h^l = leaky_relu(down(h^(l-1))),    logit = w^T h^L + c

    Without normalisation, for which a penalty on its gradient stands in (`r1` of the learner).

    Attributes:
        features: channels of the maps h^1, ..., h^L.
        dropout: probability with which an activation of the last map is dropped in training.
    """

    features: Sequence[int] = (64, 128)
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool = False
    ) -> Float[Array, " batch"]:
        _check_halved(x.shape[1], x.shape[2], 2 ** len(self.features))
        for features in self.features:
            x = nn.leaky_relu(Down(features)(x), 0.2)
        x = nn.Dropout(self.dropout, deterministic=not train)(x.reshape(x.shape[0], -1))
        return nn.Dense(1)(x)[:, 0]


def _check_halved(height: int, width: int, factor: int) -> None:
    if height % factor or width % factor:
        raise UserError(
            f"A DCGAN of {factor.bit_length() - 1} maps halves images as often; {height}x{width} "
            f"pixels cannot be divided by {factor}."
        )
