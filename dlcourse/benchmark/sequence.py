"""Compares training steps of sequence models with PyTorch.

    pip install 'dlcourse[torch]'
    python -m dlcourse.benchmark.sequence

A step is forward pass, backward pass and Adam in float32 on one batch of random tokens. This
project runs several steps per call in a compiled loop, as training does; PyTorch runs eagerly and
compiled. All alternate in one process, and the ratio is that of the medians.
"""

import dataclasses
import statistics
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from dlcourse import learners, losses, models, optim
from dlcourse.benchmark.turns import in_turn
from dlcourse.learner import Batch, Rule

STEPS = 2  # per call of this project's program
RATE = 1e-3

Name = Literal["char LSTM", "GPT", "BiGRU classifier", "transformer"]


class Workload(NamedTuple):
    """A model and a batch.

    Attributes:
        model: this project's; `dlcourse.benchmark.twins` has PyTorch's of the same name.
        batch: `inputs` of the model, and the `target` of its logits.
    """

    model: nn.Module
    batch: Batch


class BiGRU(nn.Module):
    """A bidirectional GRU over embedded tokens of any length, and two logits from its ends."""

    vocabulary: int
    features: int

    @nn.compact
    def __call__(self, text: Batch, *, train: bool = False) -> jax.Array:
        x = nn.Embed(self.vocabulary, self.features)(text["tokens"])
        network = models.SequenceNet("gru", (self.features,), 2, bidirectional=True)
        return network(x, text["lengths"], train=train)


def workloads() -> dict[str, Workload]:
    """By name: what is compared."""
    generator = np.random.default_rng(0)

    def tokens(vocabulary: int, *shape: int) -> np.ndarray:
        return generator.integers(1, vocabulary, shape, np.int32)

    characters = {"inputs": tokens(65, 64, 128), "target": tokens(65, 64, 128)}
    reviews = {"tokens": tokens(8192, 64, 128), "lengths": generator.integers(32, 129, 64)}
    pairs = {"source": tokens(10_000, 64, 32), "target": tokens(10_000, 64, 32)}
    return {
        "char LSTM": Workload(models.RecurrentLM(65, "lstm", (256,)), characters),
        "GPT": Workload(models.GPT(65, 128, 4, 4, 128), characters),
        "BiGRU classifier": Workload(
            BiGRU(8192, 128), {"inputs": reviews, "target": tokens(2, 64)}
        ),
        "transformer": Workload(
            models.Transformer(10_000, 4, 4, 128, 256, dropout=0.3),
            {"inputs": pairs, "target": tokens(10_000, 64, 32)},
        ),
    }


def our_step(work: Workload, steps: int = STEPS) -> Callable[[], None]:
    """A function that trains for `steps` steps and waits for the result."""
    rule, key = Rule(optim.adam(RATE)), jax.random.key(0)
    loss = losses.softmax_cross_entropy
    learner = learners.supervised(work.model, loss, rule, inputs="inputs", target="target")

    def train(state: Any, batch: Batch) -> Any:
        def step(number: Any, state: Any) -> Any:
            return learner.step(state, batch, jax.random.fold_in(key, number))[0]

        return jax.lax.fori_loop(0, steps, step, state)

    program = jax.jit(train, donate_argnums=0)
    batch = jax.tree.map(jnp.asarray, work.batch)
    state = jax.jit(learner.init)(key, batch)

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(program(state, batch))

    return run


@dataclasses.dataclass(frozen=True)
class Options:
    """Compares training steps of sequence models with PyTorch."""

    only: tuple[Name, ...] = ()
    """The models to compare; all if not given."""
    rounds: int = 11
    """Calls of each that are timed, after two to warm up."""
    compile: bool = True
    """Also time `torch.compile`, which needs a C++ compiler."""


def main() -> None:
    """Runs the comparison and prints a table."""
    from rich.console import Console
    from rich.table import Table

    options = tyro.cli(Options, prog="python -m dlcourse.benchmark.sequence")
    try:
        from dlcourse.benchmark.twins import pytorch_step
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing: pip install 'dlcourse[torch]'", file=sys.stderr)
        sys.exit(1)
    columns = ["dlcourse", "eager", *(["compiled"] if options.compile else [])]
    table = Table(title=f"ms per step, {jax.devices()[0].device_kind}, jax {jax.__version__}")
    for column in ("", *columns, "ratio to PyTorch's best"):
        table.add_column(column, justify="right" if column else "left")
    for name, work in workloads().items():
        if options.only and name not in options.only:
            continue
        functions = {"dlcourse": our_step(work), "eager": pytorch_step(name, work.batch)}
        if options.compile:
            functions["compiled"] = pytorch_step(name, work.batch, compiled=True)
        times = in_turn(functions, options.rounds)
        median = {column: statistics.median(seconds) for column, seconds in times.items()}
        median["dlcourse"] /= STEPS
        ratio = median["dlcourse"] / min(median[column] for column in columns[1:])
        table.add_row(name, *(f"{1e3 * median[c]:.0f}" for c in columns), f"{ratio:.2f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
