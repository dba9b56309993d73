"""Compares a training step of the convolutional CIFAR models with plain Flax and PyTorch.

    pip install 'dlcourse[torch]'
    python -m dlcourse.benchmark.convolution

A step is forward pass, backward pass and gradient descent in float32 on one batch of noise. This
project runs several steps per call in a compiled loop, as training does. Plain Flax runs one step
per call, because inside a loop it takes ten to eighty times as long on a CPU (see
`dlcourse.models.vision.fast_convolution`). PyTorch runs channels-last, eagerly and compiled. All
alternate in one process. The minimum of each counts, because other work on the machine only adds
to a time.
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from dlcourse.benchmark.turns import in_turn
from dlcourse.losses import softmax_cross_entropy
from dlcourse.models import CIFARModel2, CIFARModel3

RATE = 1e-2
STEPS = 5  # per call of this project's program

# The layers of deck 003 for both references: convolution (channels, size, padding), dense (width).
MODEL_2 = [
    ("conv", 6, 5, 0), "relu", "pool", ("conv", 16, 5, 0), "relu", "pool",
    "flatten", ("dense", 120), "relu", ("dense", 84), "relu", ("dense", 10),
]  # fmt: skip
MODEL_3 = [
    ("conv", 32, 3, 1), "norm", "relu", ("conv", 64, 3, 1), "relu", "pool",
    ("conv", 128, 3, 1), "norm", "relu", ("conv", 128, 3, 1), "relu", "pool",
    ("conv", 256, 3, 1), "norm", "relu", ("conv", 256, 3, 1), "relu", "pool",
    "flatten", "dropout", ("dense", 1024), "relu", ("dense", 512), "relu", "dropout", ("dense", 10),
]  # fmt: skip

MODELS: dict[str, tuple[Any, Any]] = {
    "model 2": (CIFARModel2, MODEL_2),
    "model 3": (CIFARModel3, MODEL_3),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Compares a training step of the convolutional CIFAR models with plain Flax and PyTorch."""

    batch_size: int = 128
    """Images per step."""
    rounds: int = 15
    """Calls of each that are timed, after two to warm up."""
    compile: bool = True
    """Also time `torch.compile`, which needs a C++ compiler."""


class PlainFlax(nn.Module):
    """A sequence of Flax's own layers."""

    layers: Sequence[Any]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        for layer in self.layers:
            match layer:
                case ("conv", features, size, padding):
                    x = nn.Conv(features, (size, size), padding=padding)(x)
                case ("dense", width):
                    x = nn.Dense(width)(x)
                case "norm":
                    x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
                case "relu":
                    x = nn.relu(x)
                case "pool":
                    x = nn.max_pool(x, (2, 2), strides=(2, 2))
                case "flatten":
                    x = x.reshape(x.shape[0], -1)
                case "dropout":
                    x = nn.Dropout(0.05, deterministic=not train)(x)
        return x


def flax_step(
    model: nn.Module, x: np.ndarray, labels: np.ndarray, steps: int = 1
) -> Callable[[], None]:
    """A function that trains a Flax model for `steps` steps and waits for the result."""
    key = jax.random.key(0)
    images, targets = jnp.asarray(x), jnp.asarray(labels)

    def step(variables: dict[str, Any]) -> dict[str, Any]:
        def loss(params: Any) -> tuple[jax.Array, Any]:
            logits, updated = model.apply(
                {**variables, "params": params},
                images,
                train=True,
                mutable=["batch_stats"],
                rngs={"dropout": key},
            )
            return jnp.mean(softmax_cross_entropy(logits, targets)), updated

        gradients, updated = jax.grad(loss, has_aux=True)(variables["params"])
        params = jax.tree.map(lambda w, g: w - RATE * g, variables["params"], gradients)
        return {"params": params, **updated}

    @jax.jit
    def train(variables: dict[str, Any]) -> dict[str, Any]:
        if steps == 1:
            return step(variables)
        return jax.lax.fori_loop(0, steps, lambda _, variables: step(variables), variables)

    variables = jax.jit(model.init)(key, images)

    def run() -> None:
        nonlocal variables
        variables = jax.block_until_ready(train(variables))

    return run


def pytorch_step(
    layers: Sequence[Any], x: np.ndarray, labels: np.ndarray, compiled: bool
) -> Callable[[], None]:
    """A function that trains the same layers for one step in PyTorch."""
    import torch
    from torch import nn as tnn

    modules: list[Any] = []
    channels, side = x.shape[-1], x.shape[1]
    for layer in layers:
        match layer:
            case ("conv", features, size, padding):
                modules.append(tnn.Conv2d(channels, features, size, padding=padding))
                channels, side = features, side + 2 * padding - size + 1
            case ("dense", width):
                modules.append(tnn.Linear(channels, width))
                channels = width
            case "norm":
                modules.append(tnn.BatchNorm2d(channels))
            case "relu":
                modules.append(tnn.ReLU())
            case "pool":
                modules.append(tnn.MaxPool2d(2))
                side //= 2
            case "flatten":
                modules.append(tnn.Flatten())
                channels *= side**2
            case "dropout":
                modules.append(tnn.Dropout(0.05))
    channels_last = torch.channels_last
    model: Any = tnn.Sequential(*modules)
    model = model.to(memory_format=channels_last)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    forward = torch.compile(model) if compiled else model
    images = torch.from_numpy(x.transpose(0, 3, 1, 2)).contiguous(memory_format=channels_last)
    targets = torch.from_numpy(labels).long()

    def run() -> None:
        optimizer.zero_grad()
        tnn.functional.cross_entropy(forward(images), targets).backward()
        optimizer.step()

    return run


def main() -> None:
    """Runs the comparison and prints a table."""
    from rich.console import Console
    from rich.table import Table

    options = tyro.cli(Options, prog="python -m dlcourse.benchmark.convolution")
    generator = np.random.default_rng(0)
    x = generator.random((options.batch_size, 32, 32, 3), np.float32)
    labels = generator.integers(0, 10, options.batch_size, np.int32)
    columns = ["dlcourse", "plain Flax", "PyTorch eager"]
    if options.compile:
        columns.append("PyTorch compiled")
    device = jax.devices()[0].device_kind
    title = f"ms per step of {options.batch_size} images, {device}, jax {jax.__version__}"
    table = Table(title=title)
    for column in ("", *columns, "ratio to PyTorch's best"):
        table.add_column(column, justify="right" if column else "left")
    for name, (model, layers) in MODELS.items():
        try:
            steps = {
                "dlcourse": flax_step(model(), x, labels, STEPS),
                "plain Flax": flax_step(PlainFlax(layers), x, labels),
                "PyTorch eager": pytorch_step(layers, x, labels, compiled=False),
            }
            if options.compile:
                steps["PyTorch compiled"] = pytorch_step(layers, x, labels, compiled=True)
        except ModuleNotFoundError as error:
            print(f"error: {error.name} is missing: pip install 'dlcourse[torch]'", file=sys.stderr)
            sys.exit(1)
        best = {key: min(times) for key, times in in_turn(steps, options.rounds).items()}
        best["dlcourse"] /= STEPS
        pytorch = min(seconds for key, seconds in best.items() if key.startswith("PyTorch"))
        cells = [f"{1e3 * best[column]:.1f}" for column in columns]
        table.add_row(name, *cells, f"{best['dlcourse'] / pytorch:.2f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
