"""U-Net, a class for every pixel."""

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
    """The 2x2 up-convolution: each pixel becomes a square of four.

        y[2i + m, 2j + n] = W_mn x[i, j] + b,    m, n = 0, 1

    A transposed convolution of 2x2 at stride 2, whose windows do not overlap. So written it is a
    plain matrix product, which XLA runs five times as fast on a CPU.

    Attributes:
        features: the channels of the new pixels.
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
    """Ronneberger, Fischer and Brox 2015 (deck 003): a way down, a way up, bridges between.

        down:  x_l = two 3x3 convolutions of pool(x_(l-1))
        up:    u_l = two 3x3 convolutions of [crop(x_l), up-convolution 2x2 of u_(l+1)]

    and a 1x1 convolution of u_0 gives the logits. As published, `UNet(padding=0,
    batch_norm=False, dropout=0.5)`, it makes 388x388 of 572x572x1 and has 31,030,658 weights; the
    paper states no count, this one is summed from its figure 1. The defaults pad each convolution,
    so that the logits have the image's size, and normalise after each.
    `UNet((16, 32, 64, 128))`, small, has 482,466 weights on one channel.

    Attributes:
        features: the channels of each level, from the image down.
        num_classes: the number of logits at every pixel.
        padding: of the 3x3 convolutions: 1 keeps the size, 0 is the paper's.
        batch_norm: whether a batch norm follows each 3x3 convolution, in place of its bias.
        dropout: the share of the lowest level that is dropped in training, as at the end of the
            paper's contracting path.
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
        bridges = []
        for features in levels:
            x = double_conv(x, features)
            bridges.append(x)
            if x.shape[1] % 2 or x.shape[2] % 2:
                raise UserError(
                    f"a U-Net halves its maps {len(levels)} times, and one of them is "
                    f"{x.shape[1]}x{x.shape[2]}: choose an image size that stays even"
                    + (f", a multiple of {2 ** len(levels)}" if self.padding else "")
                )
            x = max_pool(x)
        x = double_conv(x, lowest)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        for features, bridge in zip(reversed(levels), reversed(bridges), strict=True):
            x = UpConv(features)(x)
            x = double_conv(jnp.concatenate([_crop(bridge, x.shape), x], axis=-1), features)
        return Conv(self.num_classes, (1, 1))(x)


def _crop(x: Images, shape: Sequence[int]) -> Float[Array, "batch rows columns channels"]:
    """The middle of x, as large as `shape`: convolutions without padding have eaten the rest."""
    top, left = (x.shape[1] - shape[1]) // 2, (x.shape[2] - shape[2]) // 2
    return x[:, top : top + shape[1], left : left + shape[2]]
