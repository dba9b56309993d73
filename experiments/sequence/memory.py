"""What recurrent cells remember: the adding problem and the copy task (decks 001, 002, 003).

    python experiments/sequence/memory.py
    python experiments/sequence/memory.py --task copying --length 10 --hidden 64 --steps 1500
    python experiments/sequence/memory.py --length 100 --steps 2000

`comparison.png` shows how each cell learns, `remembered.png` how its error grows with the age of
the first number, or its recall of each symbol, and `gradients.png` how much of the gradient arrives
at earlier steps, before and after training, beside linear networks, of which it is known exactly.
Seed 0, mean squared error of adding two numbers in sequences of 50 and of 100 (the first and the
third command; the target is 0.01), and symbols that are recalled after a delay of 10 (the second,
which does not train long enough):

                      adding, 50    adding, 100       copying, 10
    RNN                   0.116          0.169            32.8 %
    LSTM                 0.0041         0.0007            27.2 %
    GRU                  0.0003         0.0001            46.0 %
    without memory        0.167          0.167            12.5 %
    CPU seconds             104            161               152

The first takes 56 if its programs were compiled before.
"""

import dataclasses
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, data, learners, losses, metrics, models, training
from dlcourse.data.memory import BLANK, REMEMBERED, SYMBOLS
from dlcourse.models.sequence import cells


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A plain RNN, an LSTM and a GRU on tasks that need memory."""

    limits = training.Config.limits | {"length": (2, 10_000)}

    task: Literal["adding", "copying"] = "adding"
    """Adding two marked numbers of a sequence, or copying ten symbols after a delay."""
    cell: cells.Name = "lstm"
    """Recurrent cell of a run."""
    length: int = 50
    """Length of a sequence to add; delay before a copy."""
    hidden: int = 32
    """Width of the hidden state."""
    clip: float | None = 1.0
    learning_rate: float = 1e-2
    batch_size: int = 64
    steps: int | None = 1000
    """Number of training steps; every sequence is new."""
    evaluate_every: str = "5%"


def experiment(config: Config) -> training.Experiment:
    if config.task == "adding":
        sequences = data.memory.adding(config.length)
        model = models.SequenceNet(config.cell, (config.hidden,), 1)
        loss, measured = losses.squared_error, {}
    else:
        sequences = data.memory.copying(config.length)
        model = models.SequenceNet(config.cell, (config.hidden,), BLANK + 1, "places")
        loss, measured = losses.softmax_cross_entropy, {"recall": recall}
    rule = config.rule(sequences)
    learner = learners.supervised(model, loss, rule, inputs="x", target="y", metrics_of=measured)
    return training.Experiment(learner, sequences, monitor="min loss")


def recall(logits: jax.Array, symbols: jax.Array) -> metrics.Weighted:
    """Accuracy at the places where a symbol has to be recalled."""
    return metrics.Weighted(metrics.accuracy(logits, symbols), symbols != BLANK)


def variants(config: Config) -> dict[str, Config]:
    return {cell.upper(): dataclasses.replace(config, cell=cell) for cell in get_args(cells.Name)}


def square(h: jax.Array) -> jax.Array:
    """A loss of the last state, whose gradient is followed through time."""
    return jnp.mean(h**2, axis=-1)


def through_time(runs: training.Runs) -> dict[str, dict[str, np.ndarray]]:
    """The gradient through the first layer, of 100 test sequences, before and after training."""
    columns: dict[str, dict[str, np.ndarray]] = {"before training": {}, "after training": {}}
    for row, run in runs.items():
        sequences = run.experiment.data
        batch = sequences.prepare(sequences.read(sequences.splits["test"][:100]))
        first = training.stream(run.config.seed, "init")
        start = jax.jit(run.experiment.learner.init)(first, batch)
        for column, state in zip(columns, (start, run.by_seed()[0]), strict=True):
            weights = state.params["Recurrent_0"]["RecurrentLayer_0"]
            columns[column][row] = analysis.gradient_through_time(
                cells.CELLS[run.config.cell], weights, batch["x"], square
            )
    columns["linear network, U = s Q"] = {
        f"s = {s}": analysis.powers_through_time(s, runs.config.hidden, runs.config.length, square)
        for s in (0.9, 1.0, 1.1)
    }
    return columns


def remembered(run: training.Run) -> tuple[np.ndarray, np.ndarray]:
    """The recall of each symbol, or the error of a sum by the age of its first number."""
    sequences = run.experiment.data
    batch = jax.device_get(sequences.prepare(sequences.read(sequences.splits["test"])))
    found = np.asarray(run.apply({"x": batch["x"]}))
    if run.config.task == "copying":
        right = (found.argmax(-1) == batch["y"])[:, -REMEMBERED:]
        return np.arange(1, REMEMBERED + 1), right.mean(0)[:, None]
    age = run.config.length - batch["x"][..., 1].argmax(1)
    groups = np.array_split(np.argsort(age, kind="stable"), 10)
    squares = (found - batch["y"]) ** 2
    return np.array([age[g].mean() for g in groups]), np.array([squares[g].mean(0) for g in groups])


def report(runs: training.Runs) -> analysis.Report:
    adds, length = runs.config.task == "adding", runs.config.length
    blind = {"loss": 1 / 6 if adds else REMEMBERED * np.log(SYMBOLS) / (length + 2 * REMEMBERED)}
    blind |= {} if adds else {"recall": 1 / SYMBOLS}
    rows = {row: {name: run.values("test", name) for name in blind} for row, run in runs.items()}
    rows["without memory"] = {name: np.array([value]) for name, value in blind.items()}
    table = analysis.Table(
        f"{runs.config.task}, length {length}, test split", rows, percent=["recall"],
        diverged=runs.diverged,
    )  # fmt: skip
    ages = {row: remembered(run) for row, run in runs.items()}
    if adds:
        line = {"first number forgotten": 1 / 12}
        memory = analysis.draw_variants(ages, "squared error", line, "age of the first number")
    else:
        line = {"guessing": 1 / SYMBOLS}
        memory = analysis.draw_variants(ages, "recall", line, "number of the symbol")
    loss = analysis.draw_variants(
        runs.curves("validation", "loss"), "loss", {"without memory": blind["loss"]}
    )
    found = analysis.draw_through_time(through_time(runs))
    return analysis.Report(table, {"comparison": loss, "gradients": found, "remembered": memory})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
