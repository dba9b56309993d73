"""An image as a sequence of patches that attend to each other."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.sequence.transformer import stack


def patches(
    images: Float[Array, "batch height width channels"], size: int
) -> Float[Array, "batch patches values"]:
    """The squares of `size` pixels of each image, row by row.

    Raises:
        UserError: the size does not divide height and width.
    """
    batch, height, width, channels = images.shape
    if height % size or width % size:
        raise UserError(
            f"Patches of {size} pixels do not divide images of {height} x {width} pixels."
        )
    rows, columns = height // size, width // size
    grid = images.reshape(batch, rows, size, columns, size, channels)
    return jnp.swapaxes(grid, 2, 3).reshape(batch, rows * columns, size * size * channels)


class PatchTransformer(nn.Module):
    """A vision transformer (Dosovitskiy et al., 2021; deck 003).

        x_0 = c,    x_i = patch_i W + b,    x := x + P,    x := layer(x) for each layer,
        y = norm(x_0) V + d

    The class token c is a weight; its row of a layer's attention says which patches the layer reads
    for the class. The weights of attention are sown as
    `intermediates/TransformerLayer_0/attention/weights` where they are asked for.

    Attributes:
        classes: width of y.
        patch: pixels of the side of a patch, which divides the images' sides.
        layers: how many there are.
        heads: of each attention.
        features: D, width of a place.
        hidden: width inside a layer.
        dropout: probability with which an output of a layer is dropped in training.
    """

    classes: int
    patch: int
    layers: int = 2
    heads: int = 4
    features: int = 32
    hidden: int = 64
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, images: Float[Array, "batch height width channels"], *, train: bool = False
    ) -> Float[Array, "batch {self.classes}"]:
        """The logits of each image.

        Args:
            images: the images.
            train: whether to drop.
        """
        x = nn.Dense(self.features)(patches(images, self.patch))
        begin = nn.initializers.normal(self.features**-0.5)
        first = self.param("class_token", begin, (1, 1, self.features))
        x = jnp.concatenate([jnp.broadcast_to(first, (len(x), *first.shape[1:])), x], axis=1)
        x = x + self.param("places", begin, (1, *x.shape[1:]))
        layers = stack(
            self.layers,
            features=self.features,
            heads=self.heads,
            hidden=self.hidden,
            dropout=self.dropout,
        )
        for layer in layers:
            x, _ = layer(x, train=train)
        return nn.Dense(self.classes)(nn.LayerNorm(1e-5)(x[:, 0]))
