"""Functions of two variables that test optimizers, with their minima."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

Point = Float[Array | np.ndarray, "... 2"]
Height = Float[Array | np.ndarray, "..."]


def rosenbrock(point: Point) -> Height:
    """`(1 - x)² + 100 (y - x²)²`: a bent valley, easy to find and slow to follow; 0 at (1, 1)."""
    x, y = point[..., 0], point[..., 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(point: Point) -> Height:
    """`(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²`: plains under steep walls.

    0 at (3, ½).
    """
    x, y = point[..., 0], point[..., 1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def ravine(point: Point) -> Height:
    """`½ (x² + 100 y²)`: the curvature along y is 100 times that along x; 0 at the origin.

    Gradient descent multiplies x by `1 - α` and y by `1 - 100 α` in every step. It diverges from
    a learning rate of 2/100 on, and below that rate x is slow.
    """
    x, y = point[..., 0], point[..., 1]
    return 0.5 * (x**2 + 100 * y**2)


class Surface(NamedTuple):
    """A function of two variables, where to start on it, and the part of the plane to draw.

    Attributes:
        height: the function, `[..., 2] -> [...]`.
        start: the point where descents begin.
        minimum: the lowest point.
        window: left, right, bottom and top of the part of the plane to draw.
    """

    height: Callable[[Point], Height]
    start: tuple[float, float]
    minimum: tuple[float, float]
    window: tuple[float, float, float, float]


SURFACES = {
    "Rosenbrock": Surface(rosenbrock, (-1.0, 2.5), (1.0, 1.0), (-2.0, 2.0, -1.0, 3.0)),
    "Beale": Surface(beale, (1.0, 1.5), (3.0, 0.5), (-1.0, 4.0, -2.0, 2.0)),
    "ravine": Surface(ravine, (-4.0, 1.0), (0.0, 0.0), (-5.0, 5.0, -2.0, 2.0)),
}
