"""The variance of activations and gradients in each hidden layer, and dead and saturated units."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from dlcourse import losses
from dlcourse.analysis.draw.signals import SATURATED, Signal
from dlcourse.models.foundations.activations import ACTIVATIONS, Activation
from dlcourse.models.foundations.initializers import INITIALIZERS
from dlcourse.models.foundations.mlp import MLP
from dlcourse.models.vision.convolution import Conv


def signal(
    model: nn.Module,
    params: Any,
    x: Float[Array, "batch ..."],
    loss: Callable[[Array], Array],
    activation: Activation,
) -> Signal:
    """Measures the hidden layers of a network of dense or convolutional layers in one pass.

    `z^l` is the output of the l-th `nn.Dense` or `models.Conv`, read by Linen's
    `capture_intermediates`. Its gradient is that of a zero added to it by Linen's `perturb`, which
    is called from outside, so that any model can be measured. The output layer is left out.

    Args:
        model: its layers are called in the order of depth.
        params: its parameters.
        x: a batch of inputs.
        loss: from the model's output to one number, such as a batch's mean cross-entropy.
        activation: the model's `g` with its derivative.
    """
    order: list[tuple[str, ...]] = []

    def is_layer(module: nn.Module, method: str) -> bool:
        return isinstance(module, nn.Dense | Conv) and method == "__call__"

    def perturb(next_call: Callable, args: tuple, kwargs: dict, context: Any) -> Array:
        z = next_call(*args, **kwargs)
        if not is_layer(context.module, context.method_name):
            return z
        order.append(context.module.path)
        return context.module.perturb("z", z)

    def forward(perturbations: Any) -> tuple[Array, Any]:
        order.clear()
        with nn.intercept_methods(perturb):
            outputs, variables = model.apply(
                {"params": params, "perturbations": perturbations},
                x,
                capture_intermediates=is_layer,
            )
        return loss(outputs), variables["intermediates"]

    def shapes() -> Any:
        with nn.intercept_methods(perturb):
            return model.apply({"params": params}, x, mutable=["perturbations"])[1]["perturbations"]

    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(shapes))
    gradients, intermediates = jax.grad(forward, has_aux=True)(zeros)

    def leaf(tree: Any, path: tuple[str, ...]) -> Any:
        for name in path:
            tree = tree[name]
        return tree

    measured = []
    for path in order[:-1]:
        (z,), dz = leaf(intermediates, path)["__call__"], leaf(gradients, path)["z"]
        slope = jnp.abs(activation.derivative(z))
        examples = tuple(range(z.ndim - 1))  # the positions of a convolution count as examples
        measured.append(
            Signal(
                jnp.var(activation.function(z)),
                jnp.var(dz),
                jnp.mean(jnp.all(slope == 0, axis=examples)),
                jnp.mean(slope < SATURATED),
            )
        )
    return jax.tree.map(lambda *layers: jnp.stack(layers), *measured)


def signal_at_start(
    key: Key[Array, ""],
    x: Float[Array, "batch ..."],
    labels: Int[Array, " batch"],
    activation: str,
    scheme: str,
    *,
    depth: int = 30,
    width: int = 256,
) -> Signal:
    """Measures an untrained multi-layer perceptron with `depth` hidden layers.

    Args:
        key: draws the weights.
        x, labels: a batch; the loss is its mean cross-entropy.
        activation: one of `models.activations.ACTIVATIONS`.
        scheme: one of `models.initializers.INITIALIZERS`.
        depth, width: the number of hidden layers, and the units of each.
    """
    g = ACTIVATIONS[activation]
    features = (*(width,) * depth, int(labels.max()) + 1)
    model = MLP(features, activation=g.function, kernel_init=INITIALIZERS[scheme])

    def loss(logits: Array) -> Array:
        return jnp.mean(losses.softmax_cross_entropy(logits, labels))

    return signal(model, model.init(key, x)["params"], x, loss, g)
