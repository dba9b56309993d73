"""A U-Net that predicts the noise in an image."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.sequence.attention import MultiHeadAttention
from dlcourse.models.sequence.encoder_decoder import sinusoids
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.group_norm import GroupNorm
from dlcourse.models.vision.pooling import squeeze
from dlcourse.models.vision.unet import UpConv

Features = Float[Array, "batch rows columns inputs"]


class Block(nn.Module):
    """A residual block that is told the step and the class.

        f(x, e) = S x + W_2 * g(N(h) (1 + a) + b),    h = W_1 * g(N(x)),    (a, b) = V g(e)

    N is a group normalisation, g(x) = x σ(x); S is the identity, or a 1x1 convolution where the
    number of channels changes. W_2 begins at zero, so the block begins as S.

    Attributes:
        features: channels of the output.
        groups: of the normalisation.
        dropout: probability with which an input of W_2 is dropped in training.
    """

    features: int
    groups: int = 8
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Features, e: Float[Array, "batch embedding"], *, train: bool = False
    ) -> Float[Array, "batch rows columns outputs"]:
        norm = GroupNorm(_divisor(x.shape[-1], self.groups))
        h = Conv(self.features)(nn.silu(norm(x)))
        scale, shift = jnp.split(nn.Dense(2 * self.features)(nn.silu(e))[:, None, None, :], 2, -1)
        inner = GroupNorm(_divisor(self.features, self.groups), affine=False)
        h = nn.silu(inner(h) * (1 + scale) + shift)
        h = nn.Dropout(self.dropout, deterministic=not train)(h)
        h = Conv(self.features, kernel_init=nn.initializers.zeros_init())(h)
        return h + (x if x.shape[-1] == self.features else Conv(self.features, (1, 1))(x))


class Denoiser(nn.Module):
    """A U-Net of residual blocks (Ho et al., 2020; the norms as in Dhariwal and Nichol, 2021).

    Each level has `blocks` blocks on the way down and one more on the way up, which read the maps
    of the way down beside their own; the lowest level has attention between two blocks. The step is
    given as waves (`sinusoids`), the class by an embedding that is added; class `classes` stands
    for no class.

    Attributes:
        features: channels of each level, from the image down; each level but the first is half as
            high and wide.
        classes: number of classes; 0 for a network that knows none.
        blocks: of each level.
        heads: of the attention.
        dropout: of the blocks.

    Raises:
        UserError: a map with an odd height or width would have to be halved.
    """

    features: Sequence[int] = (32, 64)
    classes: int = 0
    blocks: int = 1
    heads: int = 4
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, inputs: dict[str, Array], *, train: bool = False
    ) -> Float[Array, "batch height width channels"]:
        """A prediction of the size of the image.

        Args:
            inputs: `image`, with noise; `step`, int32 `[batch]`; `label`, int32 `[batch]`, if the
                network knows classes.
            train: whether to drop.
        """
        x, width = inputs["image"], self.features[0]
        channels, halvings = x.shape[-1], len(self.features) - 1
        if x.shape[1] % 2**halvings or x.shape[2] % 2**halvings:
            raise UserError(
                f"{len(self.features)} levels halve an image {halvings} times, which "
                f"{x.shape[1]}x{x.shape[2]} pixels do not allow; choose fewer with --features."
            )
        e = nn.Dense(4 * width)(sinusoids(inputs["step"], width).astype(x.dtype))
        if self.classes:
            e = e + nn.Embed(self.classes + 1, 4 * width)(inputs["label"])
        e = nn.Dense(4 * width)(nn.silu(e))

        def block(x: Array, features: int) -> Array:
            return Block(features, dropout=self.dropout)(x, e, train=train)

        x = Conv(width)(x)
        skips = [x]
        for level, features in enumerate(self.features):
            if level:
                x = nn.Dense(features)(squeeze(x))
                skips.append(x)
            for _ in range(self.blocks):
                x = block(x, features)
                skips.append(x)
        x = block(x, self.features[-1])
        x = x + self._attention(x)
        x = block(x, self.features[-1])
        for level, features in reversed(list(enumerate(self.features))):
            for _ in range(self.blocks + 1):
                x = block(jnp.concatenate([x, skips.pop()], axis=-1), features)
            if level:
                x = UpConv(self.features[level - 1])(x)
        x = nn.silu(GroupNorm(_divisor(width, 8))(x))
        return Conv(channels, kernel_init=nn.initializers.zeros_init())(x)

    def _attention(self, x: Features) -> Features:
        batch, height, width, features = x.shape
        places = GroupNorm(_divisor(features, 8))(x).reshape(batch, height * width, features)
        zeros = nn.initializers.zeros_init()
        heads = MultiHeadAttention(features, self.heads, out_init=zeros)
        return heads(places)[0].reshape(x.shape)


def _divisor(features: int, groups: int) -> int:
    """The largest number of groups up to `groups` that divides the channels."""
    return next(n for n in range(min(groups, features), 0, -1) if features % n == 0)
