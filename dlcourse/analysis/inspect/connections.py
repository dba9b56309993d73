"""The weights of a multi-layer perceptron and the activity of its units for one image."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dlcourse.analysis.draw.connections import Connections
from dlcourse.models import MLP


def connections(
    model: MLP, variables: Any, image: Float[np.ndarray, "height width channels"]
) -> Connections:
    """The weights of a network, and the activity of its units for one image.

    Args:
        model: a classifier.
        variables: as `model.apply` takes them.
        image: the input.
    """
    # The input of a dense layer is the activation of the layer before.
    received: list[jax.Array] = []

    def listen(next_call: Any, args: tuple, kwargs: dict, context: Any) -> Any:
        if isinstance(context.module, nn.Dense) and context.method_name == "__call__":
            received.append(args[0])
        return next_call(*args, **kwargs)

    with nn.intercept_methods(listen):
        logits = model.apply(variables, jnp.asarray(image)[None])
    units = [*received, jax.nn.softmax(logits)]
    kernels = [variables["params"][f"Dense_{i}"]["kernel"] for i in range(len(received))]
    return Connections(
        np.asarray(image), [np.asarray(k) for k in kernels], [np.asarray(u[0]) for u in units]
    )
