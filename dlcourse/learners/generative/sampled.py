"""How close samples come to real images, measured at every evaluation."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Float, Shaped

from dlcourse import metrics

Images = Float[Array, "batch height width channels"]
Features = Callable[[Images], Float[Array, "batch d"]]


def pixels(images: Images) -> Float[Array, "batch d"]:
    """The pixels themselves, as features."""
    return images.reshape(images.shape[0], -1)


def frechet(
    features: Features, real: Images, generated: Images, mask: Shaped[Array, " batch"] | None = None
) -> metrics.FrechetDistance:
    """The Fréchet distance of samples to as many real images, over a whole split.

    Args:
        features: where the two are compared: `pixels`, or those of `analysis.extractor`.
        real: images of the split.
        generated: a sample for each.
        mask: 1 where they count.
    """
    sides = (metrics.second_moments(features(images), mask) for images in (real, generated))
    return metrics.FrechetDistance(*sides)


def from_each(
    keys: jax.Array, shape: tuple[int, ...], draw: Callable[..., jax.Array] = jax.random.normal
) -> jax.Array:
    """A draw of this shape from every key, `[keys, *shape]`."""
    return jax.vmap(lambda key: draw(key, shape))(keys)
