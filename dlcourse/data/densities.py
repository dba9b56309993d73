"""Points from known densities, so that a model's likelihood has an exact bar: the entropy."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, logsumexp
from jaxtyping import Array, Float, Key

from dlcourse.data.dataset import Dataset
from dlcourse.data.fresh import fresh
from dlcourse.errors import UsageError

NOISE = 0.05  # standard deviation around the moons
RADII, WIDTH = (0.5, 1.0, 1.5, 2.0), 0.06  # of the rings
ARC = 256  # points at which a half circle is integrated; 12 to a standard deviation

Points = Float[Array, "points axes"]


class Density(NamedTuple):
    """A distribution in its own coordinates, before it is standardised.

    Attributes:
        draw: a point of a key.
        log_density: of each point.
        mean, std: of each coordinate.
    """

    draw: Callable[[Key[Array, ""]], Float[Array, " axes"]]
    log_density: Callable[[Points], Float[Array, " points"]]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def _draw_gaussians(key: Key[Array, ""]) -> Float[Array, " axes"]:
    side, noise = jax.random.split(key)
    return 2.0 * jax.random.rademacher(side, (1,)) + 0.5 * jax.random.normal(noise, (1,))


def _two_gaussians(x: Points) -> Float[Array, " points"]:
    squares = jnp.stack([(x[:, 0] + 2) ** 2, (x[:, 0] - 2) ** 2])
    return logsumexp(-2 * squares, axis=0) - math.log(math.sqrt(2 * math.pi))


def _arcs(t: Float[Array, "*angles"]) -> Float[Array, "2 *angles 2"]:
    """Both half circles at the angles t."""
    outer = jnp.stack([jnp.cos(t), jnp.sin(t)], axis=-1)
    return jnp.stack([outer, jnp.array([1.0, 0.5]).reshape((1,) * t.ndim + (2,)) - outer])


def _draw_moons(key: Key[Array, ""]) -> Float[Array, " axes"]:
    which, angle, noise = jax.random.split(key, 3)
    arcs = _arcs(jax.random.uniform(angle, maxval=math.pi))
    return arcs[jax.random.randint(which, (), 0, 2)] + NOISE * jax.random.normal(noise, (2,))


def _two_moons(x: Points) -> Float[Array, " points"]:
    arcs = _arcs((jnp.arange(ARC) + 0.5) * math.pi / ARC).reshape(-1, 2)
    squares = jnp.sum((x[:, None] - arcs[None]) ** 2, axis=-1) / NOISE**2
    return logsumexp(-squares / 2, axis=1) - math.log(2 * ARC * 2 * math.pi * NOISE**2)


def _draw_ring(key: Key[Array, ""]) -> Float[Array, " axes"]:
    which, angle, noise = jax.random.split(key, 3)
    t = jax.random.uniform(angle, maxval=2 * math.pi)
    radius = jnp.array(RADII)[jax.random.randint(which, (), 0, len(RADII))]
    return radius * jnp.stack([jnp.cos(t), jnp.sin(t)]) + WIDTH * jax.random.normal(noise, (2,))


def _rings(x: Points) -> Float[Array, " points"]:
    radius, r = jnp.linalg.norm(x, axis=1)[:, None], jnp.array(RADII)[None]
    product = radius * r / WIDTH**2
    each = -((radius - r) ** 2) / (2 * WIDTH**2) + jnp.log(i0e(product))
    return logsumexp(each, axis=1) - math.log(len(RADII) * 2 * math.pi * WIDTH**2)


def _draw_square(key: Key[Array, ""]) -> Float[Array, " axes"]:
    square, place = jax.random.split(key)
    row, half = jnp.divmod(jax.random.randint(square, (), 0, 8), 2)
    corner = jnp.stack([2 * half + row % 2, row]) - 2.0
    return corner + jax.random.uniform(place, (2,))


def _checkerboard(x: Points) -> Float[Array, " points"]:
    inside = jnp.all(jnp.abs(x) < 2, axis=1) & (jnp.sum(jnp.floor(x), axis=1) % 2 == 0)
    return jnp.where(inside, -math.log(8), -jnp.inf)


_RING = math.sqrt(sum(r**2 for r in RADII) / len(RADII) / 2 + WIDTH**2)
_MOON = (math.sqrt(0.75 + NOISE**2), math.sqrt(9 / 16 - 1 / math.pi + NOISE**2))

DENSITIES: dict[str, Density] = {
    # 1/2 N(-2, 1/4) + 1/2 N(2, 1/4), not standardised
    "two_gaussians": Density(_draw_gaussians, _two_gaussians, (0.0,), (1.0,)),
    "two_moons": Density(_draw_moons, _two_moons, (0.5, 0.25), _MOON),
    "rings": Density(_draw_ring, _rings, (0.0, 0.0), (_RING, _RING)),
    "checkerboard": Density(_draw_square, _checkerboard, (0.0, 0.0), (math.sqrt(4 / 3),) * 2),
}


def points(name: str) -> Dataset:
    """Points of a density, each coordinate with mean 0 and variance 1 (`two_gaussians` as it is).

    Batches hold `x`, float32 `[batch, axes]`. Every training point is new; 10,000 are kept for
    validation and 100,000 for the test, whose mean log-density has a standard error below .004.

        two_gaussians   1/2 N(-2, 1/4) + 1/2 N(2, 1/4)
        two_moons       the half circles of `generated.two_moons`, with noise .05
        rings           four circles with noise .06
        checkerboard    uniform on 8 of 16 squares

    Raises:
        UsageError: unknown name.
    """
    density = _named(name)
    mean, std = jnp.array(density.mean), jnp.array(density.std)

    def example(key: Key[Array, ""]) -> dict[str, Array]:
        return {"x": (density.draw(key) - mean) / std}

    return fresh(name.replace("_", " "), name, example, validation=10_000, test=100_000)


def log_density(name: str, x: Float[np.ndarray, "points axes"]) -> Float[np.ndarray, " points"]:
    """The exact log-density of the points of a set, in its coordinates; moons by quadrature.

    Raises:
        UsageError: unknown name.
    """
    density = _named(name)
    mean, std = (np.array(each, np.float32)[None] for each in (density.mean, density.std))
    compute = jax.jit(density.log_density)
    pieces = np.array_split(x * std + mean, -(-len(x) // 4096))  # moons take 2 kB a point
    found = np.concatenate([compute(piece) for piece in pieces])
    return found.astype(np.float64) + np.log(std).sum()


def _named(name: str) -> Density:
    if name not in DENSITIES:
        raise UsageError(f"Unknown density '{name}'; there are {', '.join(DENSITIES)}.")
    return DENSITIES[name]
