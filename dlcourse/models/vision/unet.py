"""U-Net, a network for segmentation."""

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.foundations.initializers import he
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.pooling import max_pool

Images = Float[Array, "batch height width channels"]
Features = Float[Array, "batch rows columns features"]


class UpConv(nn.Module):
    """The 2x2 up-convolution: each pixel becomes a square of four pixels.

        y[2i + m, 2j + n] = W_mn x[i, j] + b,    m, n = 0, 1

    It is a transposed convolution of 2x2 at stride 2. Its windows do not overlap, so it is written
    as a matrix product, which XLA runs five times as fast on a CPU.

    Attributes:
        features: the number of output channels.
    """

    features: int

    @nn.compact
    def __call__(self, x: Images) -> Float[Array, "batch 2*height 2*width features"]:
        batch, height, width, channels = x.shape
        init = nn.initializers.lecun_normal(batch_axis=(0, 1))
        kernel = self.param("kernel", init, (2, 2, channels, self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        y = jnp.einsum("bijc,mnco->bimjno", x, kernel)
        y = y.reshape(batch, 2 * height, 2 * width, self.features)
        return y + bias.reshape(1, 1, 1, -1)


class UNet(nn.Module):
    """A contracting path, an expanding path, and skip connections between them.

        down:  x_l = two 3x3 convolutions of pool(x_(l-1))
        up:    u_l = two 3x3 convolutions of [crop(x_l), up-convolution 2x2 of u_(l+1)]

    A 1x1 convolution of u_0 gives the logits. Source: Ronneberger, Fischer and Brox 2015
    (deck 003). The published network is `UNet(padding=0, batch_norm=False, dropout=0.5)`. It maps
    572x572x1 to 388x388 and has 31,030,658 weights, counted from figure 1; the paper gives no
    number. Deviations of the defaults: padding keeps the size of the image, and a batch norm
    follows each convolution. `UNet((16, 32, 64, 128))` has 482,466 weights on one channel.

    Attributes:
        features: the channels of each level, from the image down.
        num_classes: the number of logits of every pixel.
        padding: the padding of the 3x3 convolutions: 1 keeps the size, 0 is the paper's.
        batch_norm: whether a batch norm follows each 3x3 convolution and replaces its bias.
        dropout: the probability with which an activation of the lowest level is dropped in
            training, as at the end of the paper's contracting path.

    Raises:
        UserError: a feature map with an odd height or width would have to be halved.
    """

    features: Sequence[int] = (64, 128, 256, 512, 1024)
    num_classes: int = 2
    padding: int = 1
    batch_norm: bool = True
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Images, *, train: bool = False
    ) -> Float[Array, "batch rows columns classes"]:
        conv = functools.partial(
            Conv, padding=self.padding, use_bias=not self.batch_norm, kernel_init=he
        )

        def double_conv(x: Images, features: int) -> Features:
            for _ in range(2):
                x = conv(features)(x)
                if self.batch_norm:
                    x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
                x = nn.relu(x)
            return x

        *levels, lowest = self.features
        skips = []
        for features in levels:
            x = double_conv(x, features)
            skips.append(x)
            if x.shape[1] % 2 or x.shape[2] % 2:
                raise UserError(
                    f"a U-Net halves its feature maps {len(levels)} times, and one of them is "
                    f"{x.shape[1]}x{x.shape[2]}: choose an image size that stays even"
                    + (f", a multiple of {2 ** len(levels)}" if self.padding else "")
                )
            x = max_pool(x)
        x = double_conv(x, lowest)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        for features, skip in zip(reversed(levels), reversed(skips), strict=True):
            x = UpConv(features)(x)
            x = double_conv(jnp.concatenate([_crop(skip, x.shape), x], axis=-1), features)
        return Conv(self.num_classes, (1, 1))(x)


def _crop(x: Images, shape: Sequence[int]) -> Float[Array, "batch rows columns channels"]:
    """The centre of x, cropped to the height and width of `shape`."""
    top, left = (x.shape[1] - shape[1]) // 2, (x.shape[2] - shape[2]) // 2
    return x[:, top : top + shape[1], left : left + shape[2]]
