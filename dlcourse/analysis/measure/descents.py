"""Which of several descents of a surface is best."""

import numpy as np
from jaxtyping import Float


def best_descent(heights: Float[np.ndarray, "descents points"]) -> int | None:
    """The descent that ends lowest, of those that are never higher than at their start.

    The condition leaves out learning rates that jump into the valley by luck.

    Args:
        heights: of every point of each descent, the first one included; nan where it diverged.

    Returns:
        Its number; None if every descent rises above its start.
    """
    tame = np.all(heights <= heights[:, :1], axis=1)  # nan is not
    if not tame.any():
        return None
    return int(np.argmin(np.where(tame, heights[:, -1], np.inf)))
