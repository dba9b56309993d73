"""What a signal becomes on its way through a deep network, and a gradient on its way back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from dlcourse import losses
from dlcourse.models.foundations.activations import ACTIVATIONS, Activation
from dlcourse.models.foundations.initializers import INITIALIZERS
from dlcourse.models.foundations.mlp import MLP
from dlcourse.models.vision.convolution import Conv

SATURATED = 0.05  # a slope below it lets next to nothing back


class Signal(NamedTuple):
    """One number a hidden layer, from the input's side to the output's.

    Attributes:
        activation_variance: of `a^l = g(z^l)`, over units and examples.
        gradient_variance: of `dJ/dz^l`, over units and examples.
        dead: the share of units with `g'(z) = 0` on every example: none can move them.
        saturated: the share of (unit, example) pairs with `|g'(z)| < 0.05`.
    """

    activation_variance: Float[Array, " layers"]
    gradient_variance: Float[Array, " layers"]
    dead: Float[Array, " layers"]
    saturated: Float[Array, " layers"]


def signal(
    model: nn.Module,
    params: Any,
    x: Float[Array, "batch ..."],
    loss: Callable[[Array], Array],
    activation: Activation,
) -> Signal:
    """Measures the hidden layers of a network of dense or convolutional layers in one pass.

    `z^l` is what the l-th `nn.Dense` or `models.Conv` gives, taken by Linen's
    `capture_intermediates`; its gradient is that of a zero added to it, Linen's `perturb`, put in
    from outside so that the model needs to know nothing. The last layer is the output and is left
    out.

    Args:
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
        examples = tuple(range(z.ndim - 1))  # a convolution's places count as examples
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
    """The signal through a perceptron of `depth` hidden layers before any training.

    Args:
        key: draws the weights.
        x, labels: a batch; the gradient is that of its cross-entropy.
        activation: one of `models.activations.ACTIVATIONS`.
        scheme: one of `models.initializers.INITIALIZERS`.
    """
    g = ACTIVATIONS[activation]
    features = (*(width,) * depth, int(labels.max()) + 1)
    model = MLP(features, activation=g.function, kernel_init=INITIALIZERS[scheme])

    def loss(logits: Array) -> Array:
        return jnp.mean(losses.softmax_cross_entropy(logits, labels))

    return signal(model, model.init(key, x)["params"], x, loss, g)


TITLES = {
    "activation_variance": "variance of activations, $a^l = g(z^l)$",
    "gradient_variance": "variance of gradients, $∂J/∂z^l$",
    "dead": "share of dead units:\n$g'(z) = 0$ on every example",
    "saturated": f"share of saturated (unit, example) pairs:\n$|g'(z)| < {SATURATED}$",
}


def draw_signals(
    columns: Mapping[str, Mapping[str, Signal]],
    measures: Sequence[str] = ("activation_variance", "gradient_variance"),
) -> Any:
    """Measures against depth: one line a network.

    Args:
        columns: the networks of each column of panels, by the name of the column and their own.
        measures: the fields of `Signal` to draw, one row of panels each. Variances are drawn on a
            logarithmic axis down to 1e-20, where one that is 0 has no place: its label says so.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    styles = ("-", "--", ":", "-.")  # lines that lie on each other stay apart

    figure = Figure(figsize=(4.8 * len(columns), 3.1 * len(measures)), layout="constrained")
    panels = figure.subplots(len(measures), len(columns), squeeze=False, sharex=True, sharey="row")
    for (column, signals), line in zip(columns.items(), panels.T, strict=True):
        for measure, panel in zip(measures, line, strict=True):
            logarithmic = measure.endswith("variance")
            for i, (name, signal) in enumerate(signals.items()):
                values = np.asarray(getattr(signal, measure))
                label = name.replace("_", " ")
                if logarithmic:
                    label += "" if values.any() else " (0 everywhere)"
                    values = np.where(values > 0, values, np.nan)
                layers = np.arange(1, len(values) + 1)
                panel.plot(layers, values, styles[i % 4], marker=".", label=label)
            if logarithmic:
                panel.set_yscale("log")
                panel.set_ylim(bottom=max(panel.get_ylim()[0], 1e-20))
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.set_ylabel(TITLES[measure], fontsize=9)
            panel.grid(alpha=0.3)
        line[0].set_title(column)
        line[0].legend(fontsize=8)
        line[-1].set_xlabel("hidden layer")
    return figure
