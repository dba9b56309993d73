"""A network drawn as deck 003 does: every weight a line, for one image that passes through."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dlcourse.models import MLP

RED, BLUE = (0.84, 0.10, 0.11), (0.17, 0.39, 0.73)


class Wiring(NamedTuple):
    """What one image makes of a multi-layer perceptron.

    Attributes:
        image: the input, `[height, width, channels]`.
        kernels: the weights of each layer, `[inputs, outputs]`.
        activations: the neurons of each layer, the input's first and the probabilities last.
    """

    image: np.ndarray
    kernels: list[np.ndarray]
    activations: list[np.ndarray]


def wiring(model: MLP, variables: Any, image: Float[np.ndarray, "height width channels"]) -> Wiring:
    """The weights of a network, and its neurons for one image.

    Args:
        variables: what `model.apply` takes, `{"params": ...}` and running averages if it has any.
    """

    def is_layer(module: nn.Module, method: str) -> bool:
        return isinstance(module, nn.Dense) and method == "__call__"

    # What a dense layer is given is the activation of the layer before.
    received: list[jax.Array] = []

    def listen(next_call: Any, args: tuple, kwargs: dict, context: Any) -> Any:
        if is_layer(context.module, context.method_name):
            received.append(args[0])
        return next_call(*args, **kwargs)

    with nn.intercept_methods(listen):
        logits = model.apply(variables, jnp.asarray(image)[None])
    neurons = [*received, jax.nn.softmax(logits)]
    kernels = [variables["params"][f"Dense_{i}"]["kernel"] for i in range(len(received))]
    return Wiring(
        np.asarray(image), [np.asarray(k) for k in kernels], [np.asarray(n[0]) for n in neurons]
    )


def line_colors(
    kernel: Float[np.ndarray, "inputs outputs"], before: Float[np.ndarray, " inputs"]
) -> Float[np.ndarray, "inputs outputs rgba"]:
    """Red where a weight is positive, blue where it is negative; the opacity is

        |w_jk| / max |w| · |a_j| / max |a|

    with a_j the neuron before: a line shows as far as something goes along it.
    """
    share = np.abs(kernel) / max(np.abs(kernel).max(), 1e-12)
    active = np.abs(before) / max(np.abs(before).max(), 1e-12)
    hue = np.where((kernel > 0)[..., None], RED, BLUE)
    return np.concatenate([hue, (share * active[:, None])[..., None]], axis=-1)


def draw_wirings(wirings: Mapping[str, Wiring], classes: tuple[str, ...]) -> Any:
    """One network below the other, by title: the image, its neurons in columns, lines between."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2 * len(wirings)), layout="constrained")
    panels = figure.subplots(len(wirings), 1, squeeze=False)[:, 0]
    for panel, (title, each) in zip(panels, wirings.items(), strict=True):
        _draw(panel, each, classes)
        panel.set_title(title)
    figure.supxlabel(
        "a line is a weight: red above 0, blue below, fainter the smaller it is or the less the "
        "neuron before is active",
        fontsize=9,
    )
    return figure


def _draw(panel: Any, wiring: Wiring, classes: tuple[str, ...]) -> None:
    from matplotlib.collections import LineCollection

    columns = [np.linspace(1, -1, len(neurons)) for neurons in wiring.activations]
    layers = zip(wiring.kernels, wiring.activations[:-1], strict=True)
    for place, (kernel, before) in enumerate(layers):
        colors = line_colors(kernel, before).reshape(-1, 4)
        left = np.repeat(columns[place], kernel.shape[1])
        right = np.tile(columns[place + 1], kernel.shape[0])
        ends = [
            np.stack([np.full_like(y, x), y], -1) for x, y in ((place, left), (place + 1, right))
        ]
        order = np.argsort(colors[:, 3])
        order = order[colors[order, 3] > 0.01]  # what cannot be seen need not be drawn
        lines = np.stack(ends, axis=1)[order]
        width = min(1.0, np.sqrt(600 / len(colors)))  # the more there are, the finer
        panel.add_collection(
            LineCollection(lines, colors=colors[order], linewidths=width, zorder=1)
        )
    for place, (heights, neurons) in enumerate(zip(columns, wiring.activations, strict=True)):
        shade = np.abs(neurons) / max(np.abs(neurons).max(), 1e-12)
        size = min(120.0, 2500.0 / len(neurons))
        panel.scatter(
            np.full(len(neurons), place), heights, size, shade, cmap="Greys", vmin=0, vmax=1,
            edgecolors="black", linewidths=0.5 if size > 8 else 0.1, zorder=2,
        )  # fmt: skip
    for height, name, probability in zip(columns[-1], classes, wiring.activations[-1], strict=True):
        panel.text(
            place + 0.08, height, f"{name}   {probability:.2f}", va="center",
            fontweight="bold" if probability == wiring.activations[-1].max() else "normal",
        )  # fmt: skip
    inset = panel.inset_axes((-0.02, 0.3, 0.2, 0.4))
    inset.imshow(wiring.image, cmap="Greys" if wiring.image.shape[-1] == 1 else None)
    inset.set(xticks=[], yticks=[])
    counts = [f"{len(neurons)} neurons" for neurons in wiring.activations]
    counts[0] = f"{len(wiring.activations[0])} pixels"
    for x, text in enumerate(counts):
        panel.text(x, -1.12, text, ha="center", va="top", fontsize=9)
    panel.set(xlim=(-1.0, place + 0.6), ylim=(-1.25, 1.05))
    panel.axis("off")
