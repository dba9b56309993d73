"""The network inside the couplings of an image flow."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.vision.convolution import Conv

Images = Float[Array, "batch height width channels"]
Features = Float[Array, "batch height width features"]


class GatedConvNet(nn.Module):
    """Residual layers of gated 3x3 convolutions, for images of any size.

        h_0 = W * x,    h_l = LN(h_(l-1) + a ⊙ sigmoid(b)),
        (a, b) = V_l * elu±(U_l * elu±(h_(l-1))),    elu±(h) = (elu(h), elu(-h))

    with 3x3 filters W and U and 1x1 filters V. Source: Ho et al. 2019 (Flow++), without attention,
    as in the tutorials of the University of Amsterdam.

    Attributes:
        features: channels.
        layers: gated layers.
    """

    features: int = 32
    layers: int = 3

    @nn.compact
    def __call__(self, x: Images) -> Features:
        h = Conv(self.features)(x)
        for _ in range(self.layers):
            inner = Conv(self.features)(_both_signs(h))
            a, b = jnp.split(Conv(2 * self.features, (1, 1))(_both_signs(inner)), 2, axis=-1)
            h = nn.LayerNorm()(h + a * nn.sigmoid(b))
        return h


def _both_signs(h: Features) -> Float[Array, "batch height width 2*features"]:
    return jnp.concatenate([nn.elu(h), nn.elu(-h)], axis=-1)
