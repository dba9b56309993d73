"""Compares an epoch of the ISLR network in this project and in PyTorch.

    pip install 'dlcourse[torch]'
    python -m dlcourse.benchmark.pytorch --dataset mnist

Both train 784-256-128-10 with ReLU, dropout 0.4 and Adam at batch size 128. The data are in memory
and every epoch has a new random order. This project trains as its training loop does, PyTorch
eagerly. Epochs alternate in one process, so that other work on the machine slows both.
"""

import dataclasses
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

import jax
import tyro

from dlcourse.benchmark.program import Session, matmul_peak
from dlcourse.data import Dataset, images
from dlcourse.errors import UserError
from dlcourse.training.commands.parse import load_experiment
from dlcourse.training.commands.process import prepare_process


@dataclasses.dataclass(frozen=True)
class Options:
    """Compares an epoch of the ISLR network with PyTorch's."""

    experiment: pathlib.Path = pathlib.Path("experiments/foundations/mnist_mlp.py")
    """The experiment file that trains the ISLR network."""
    dataset: str = "mnist"
    """The images to train on."""
    epochs: int = 7
    """Epochs to time in each framework, after one to warm up."""


def pytorch_epoch(data: Dataset, batch_size: int) -> Callable[[], float]:
    """A function that trains the same architecture for one epoch in PyTorch, in seconds."""
    import torch
    from torch import nn

    train = data.read(data.splits["train"])
    x = torch.tensor(train["image"].reshape(len(train["label"]), -1), dtype=torch.float32)
    x = x / x.max()
    y = torch.tensor(train["label"], dtype=torch.long)
    model = nn.Sequential(
        nn.Linear(x.shape[1], 256), nn.ReLU(), nn.Dropout(0.4),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.4),
        nn.Linear(128, data.num_classes),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    cross_entropy = nn.CrossEntropyLoss()
    steps = round(len(x) / batch_size)

    def epoch() -> float:
        begun = time.perf_counter()
        order = torch.randperm(len(x))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        return time.perf_counter() - begun

    return epoch


def main() -> None:
    """Runs the comparison and prints the medians."""
    options = tyro.cli(Options, prog="python -m dlcourse.benchmark.pytorch")
    try:
        module = load_experiment(options.experiment)
        config = module.Config(dataset=options.dataset)
        prepare_process(config)
        data = images(options.dataset)
        ours = Session(module, config)
        theirs = pytorch_epoch(data, config.batch_size)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing: pip install 'dlcourse[torch]'", file=sys.stderr)
        sys.exit(1)
    steps = config.steps_of(1, data)

    def our_epoch() -> float:
        whole, rest = divmod(steps, ours.feed.capacity)
        return sum(ours.train(n) for n in [ours.feed.capacity] * whole + [rest] * (rest > 0))

    theirs()
    pairs = [(our_epoch(), theirs()) for _ in range(options.epochs)]
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    peak = matmul_peak()
    counted = ours.programs.flops * steps / a / peak
    weights = sum(leaf.size for leaf in jax.tree.leaves(ours.state.params))
    nominal = 6 * weights * config.batch_size * steps / a / peak
    device = jax.devices()[0].device_kind
    print(f"{options.dataset}, {steps} steps of {config.batch_size} an epoch, {device}:")
    print(f"  dlcourse       {a:.3f} s   ({counted:.0%} of the matrix-product peak by XLA's count,")
    print(f"                           {nominal:.0%} at 6 FLOPs per weight and example)")
    print(f"  PyTorch eager  {b:.3f} s")
    print(f"  ratio          {a / b:.2f}   (medians of {options.epochs} alternating epochs)")


if __name__ == "__main__":
    main()
