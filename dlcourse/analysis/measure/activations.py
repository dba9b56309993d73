"""Values and derivatives of the activation functions along a line."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dlcourse.models.foundations.activations import ACTIVATIONS

Curve = tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]


def activation_curves(
    z: Float[np.ndarray, " points"] | None = None,
) -> tuple[Float[np.ndarray, " points"], dict[str, Curve]]:
    """Every activation function and its derivative.

    Softmax has as many inputs as outputs; measured is the first of three outputs, as a function of
    its own input with the other two at 0. Jumps are nan.

    Args:
        z: the inputs in rising order; 401 points between -4 and 4 by default.

    Returns:
        z, and by name the values and the derivatives at z.
    """
    z = np.linspace(-4.0, 4.0, 401, dtype=np.float32) if z is None else z
    points, curves = jnp.asarray(z), {}
    for name, (function, derivative) in ACTIVATIONS.items():
        if name == "softmax":
            inputs = jnp.stack([points, 0 * points, 0 * points], axis=-1)
            value, slope = function(inputs)[:, 0], derivative(inputs)[:, 0, 0]
        else:
            value, slope = function(points), jax.vmap(derivative)(points)
        value, slope = np.array(value), np.array(slope)
        if name != "softmax":
            for curve in (value, slope):
                curve[np.abs(np.diff(curve, prepend=curve[0])) > 0.5] = np.nan
        curves[name] = value, slope
    return z, curves
