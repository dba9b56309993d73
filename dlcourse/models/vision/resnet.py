"""Residual networks, for ImageNet and for CIFAR."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.foundations.initializers import he
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.pooling import max_pool

Images = Float[Array, "batch height width channels"]
Features = Float[Array, "batch rows columns features"]


def projection(
    x: Images, features: int, strides: int, *, conv: Callable, norm: Callable
) -> Features:
    """Shortcut B: where the shape changes, a 1x1 convolution brings x to the new one."""
    if strides == 1 and x.shape[-1] == features:
        return x
    x = conv(features, (1, 1), strides=strides, name="projection")(x)
    return norm(name="projection_norm")(x)


def zero_padding(
    x: Images, features: int, strides: int, *, conv: Callable, norm: Callable
) -> Features:
    """Shortcut A: takes every `strides`-th pixel and lets new channels be zero. No weights."""
    x = x[:, ::strides, ::strides]
    return jnp.pad(x, [(0, 0)] * 3 + [(0, features - x.shape[-1])])


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a way around them.

        y = relu(x' + BN(W_2 * relu(BN(W_1 * x))))

    with x' the shortcut of x. He, Zhang, Ren and Sun 2016, figure 5 left. The last scale begins at
    zero, so a new block lets x' through unchanged (Goyal et al. 2017, section 5.1).
    """

    features: int
    strides: int
    conv: Callable
    norm: Callable
    shortcut: Callable

    @nn.compact
    def __call__(self, x: Images) -> Features:
        y = self.conv(self.features, (3, 3), strides=self.strides, padding=1)(x)
        y = nn.relu(self.norm()(y))
        y = self.conv(self.features, (3, 3), padding=1)(y)
        y = self.norm(scale_init=nn.initializers.zeros)(y)
        x = self.shortcut(x, self.features, self.strides, conv=self.conv, norm=self.norm)
        return nn.relu(x + y)


class Bottleneck(nn.Module):
    """A 1x1 convolution down, a 3x3, a 1x1 up to four times the channels, and a way around.

    He et al. 2016, figure 5 right. The stride is taken in the 3x3 convolution and not, as in the
    paper, in the first 1x1, which would throw three pixels of four away unseen; the number of
    weights is the same.
    """

    features: int
    strides: int
    conv: Callable
    norm: Callable
    shortcut: Callable

    @nn.compact
    def __call__(self, x: Images) -> Features:
        wide = 4 * self.features
        y = nn.relu(self.norm()(self.conv(self.features, (1, 1))(x)))
        y = self.conv(self.features, (3, 3), strides=self.strides, padding=1)(y)
        y = self.conv(wide, (1, 1))(nn.relu(self.norm()(y)))
        y = self.norm(scale_init=nn.initializers.zeros)(y)
        x = self.shortcut(x, wide, self.strides, conv=self.conv, norm=self.norm)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """He, Zhang, Ren and Sun 2016 (deck 003): stem, stages of residual blocks, mean, dense.

    Each stage after the first halves height and width and doubles the channels. The standard
    sizes are `ResNet18` (11,689,512 weights), `ResNet34` (21,797,672) and `ResNet50` (25,557,032)
    on 224x224x3 with 1,000 classes; `ResNet20` (269,722), `ResNet32` (464,154) and `ResNet56`
    (853,018) on CIFAR-10.

    Attributes:
        stages: the number of blocks of each stage.
        block: `BasicBlock` or `Bottleneck`.
        num_classes: the number of logits.
        features: the channels of the first stage.
        small_images: True for a stem of one 3x3 convolution (32x32 images); False for one of
            7x7 at stride 2 and a max pool, which makes 56x56 of 224x224.
        shortcut: `projection` (the paper's option B) or `zero_padding` (option A).
    """

    stages: Sequence[int]
    block: Callable = BasicBlock
    num_classes: int = 1000
    features: int = 64
    small_images: bool = False
    shortcut: Callable = projection

    @nn.compact
    def __call__(self, x: Images, *, train: bool = False) -> Float[Array, "batch classes"]:
        conv = functools.partial(Conv, use_bias=False, kernel_init=he)
        norm = functools.partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        if self.small_images:
            x = nn.relu(norm()(conv(self.features, (3, 3), padding=1)(x)))
        else:
            x = nn.relu(norm()(conv(self.features, (7, 7), strides=2, padding=3)(x)))
            x = max_pool(x, 3, stride=2, padding=1)
        for stage, blocks in enumerate(self.stages):
            for index in range(blocks):
                x = self.block(
                    features=self.features * 2**stage,
                    strides=2 if stage > 0 and index == 0 else 1,
                    conv=conv,
                    norm=norm,
                    shortcut=self.shortcut,
                )(x)
        return nn.Dense(self.num_classes)(jnp.mean(x, axis=(1, 2)))


ResNet18 = functools.partial(ResNet, stages=(2, 2, 2, 2))
ResNet34 = functools.partial(ResNet, stages=(3, 4, 6, 3))
ResNet50 = functools.partial(ResNet, stages=(3, 4, 6, 3), block=Bottleneck)

# Section 4.2: 6n + 2 layers in three stages of n blocks, shortcuts without weights.
_CIFARResNet = functools.partial(
    ResNet, num_classes=10, features=16, small_images=True, shortcut=zero_padding
)
ResNet20 = functools.partial(_CIFARResNet, stages=(3, 3, 3))
ResNet32 = functools.partial(_CIFARResNet, stages=(5, 5, 5))
ResNet56 = functools.partial(_CIFARResNet, stages=(9, 9, 9))
