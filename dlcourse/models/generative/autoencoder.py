"""The autoencoder: a code of an image, and the image of a code."""

import math
from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from dlcourse.models.foundations.mlp import MLP
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.pooling import squeeze, unsqueeze


class Autoencoder(nn.Module):
    """A code z of fewer numbers than an image, from which a decoder makes the image again (deck
    003).

        z = encoder(x) ∈ R^m,    x̂ = decoder(z) ∈ R^d

    Dense, both are perceptrons with hidden layers. Convolutional, each map of the encoder halves
    height and width, and the decoder doubles them again:

        h^l = relu(W^l * squeeze(h^(l-1))),    z = W vec(h^L) + b
        g^(l-1) = unsqueeze(V^l * relu(g^l))

    with 3x3 filters. The reconstruction is linear in the last hidden layer, as that of principal
    components is in the code, and so may lie outside of [0, 1].

    Attributes:
        shape: height, width and channels of an image.
        code: m.
        features: widths of the encoder's hidden layers, or channels of its maps; the decoder has
            them in reverse.
        network: dense or convolutional layers.

    Raises:
        UserError: on use, if a height or width that is to be halved is odd.
    """

    shape: Sequence[int]
    code: int
    features: Sequence[int] = (256, 128)
    network: Literal["dense", "convolutional"] = "dense"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool = False
    ) -> dict[str, Float[Array, "batch ..."]]:
        """`latent`, the codes, and `reconstruction`, images."""
        backwards = self.features[::-1]
        if self.network == "dense":
            z = MLP((*self.features, self.code), name="encoder")(x)
            image = MLP((*backwards, math.prod(self.shape)), name="decoder")(z)
            return {"latent": z, "reconstruction": image.reshape(x.shape)}
        h = x
        for number, features in enumerate(self.features):
            h = nn.relu(Conv(features, name=f"encoder_{number}")(squeeze(h)))
        z = nn.Dense(self.code, name="encoder_code")(h.reshape(len(h), -1))
        g = nn.Dense(math.prod(h.shape[1:]), name="decoder_code")(z).reshape(h.shape)
        for number, features in enumerate((*backwards[1:], x.shape[-1])):
            g = unsqueeze(Conv(4 * features, name=f"decoder_{number}")(nn.relu(g)))
        return {"latent": z, "reconstruction": g}
