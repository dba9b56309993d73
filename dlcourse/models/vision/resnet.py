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
    """Shortcut B: a 1x1 convolution where the shape changes, the identity elsewhere."""
    if strides == 1 and x.shape[-1] == features:
        return x
    x = conv(features, (1, 1), strides=strides, name="projection")(x)
    return norm(name="projection_norm")(x)


def zero_padding(
    x: Images, features: int, strides: int, *, conv: Callable, norm: Callable
) -> Features:
    """Shortcut A, without weights: every `strides`-th pixel, and zeros for new channels."""
    x = x[:, ::strides, ::strides]
    return jnp.pad(x, [(0, 0)] * 3 + [(0, features - x.shape[-1])])


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut.

        y = relu(x' + BN(W_2 * relu(BN(W_1 * x))))

    with x' the shortcut of x. Source: He, Zhang, Ren and Sun 2016, figure 5 left. The scale of the
    last batch norm is initialised to zero, so a new block returns relu(x') (Goyal et al. 2017,
    section 5.1).
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
    """A 1x1, a 3x3 and a 1x1 convolution to four times the channels, and a shortcut.

        y = relu(x' + BN(W_3 * relu(BN(W_2 * relu(BN(W_1 * x))))))

    Source: He et al. 2016, figure 5 right. Deviation: the stride is in the 3x3 convolution. The
    paper has it in the first 1x1, which ignores three of four pixels. The number of weights is the
    same.
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
    """A residual network: stem, stages of residual blocks, global average, dense layer.

    Source: He, Zhang, Ren and Sun 2016 (deck 003). Each stage after the first halves height and
    width and doubles the channels. The standard sizes are `ResNet18` (11,689,512 weights),
    `ResNet34` (21,797,672) and `ResNet50` (25,557,032) on 224x224x3 with 1,000 classes, and
    `ResNet20` (269,722), `ResNet32` (464,154) and `ResNet56` (853,018) on CIFAR-10.

    Attributes:
        stages: the number of blocks of each stage.
        block: `BasicBlock` or `Bottleneck`.
        num_classes: the number of logits.
        features: the channels of the first stage.
        small_images: True for a stem of one 3x3 convolution, for 32x32 images; False for a 7x7
            convolution at stride 2 and a max pool, which reduce 224x224 to 56x56.
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
