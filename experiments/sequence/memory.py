"""What recurrent cells remember: the adding problem and the copy task (decks 001, 002, 003).

python experiments/sequence/memory.py
"""

import dataclasses
from typing import Literal, get_args

import jax

from dlcourse import analysis, data, learners, losses, metrics, models, training
from dlcourse.data.memory import BLANK
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
    hidden: int = 64
    """Width of the hidden state."""
    clip: float | None = 1.0
    learning_rate: float = 5e-3
    batch_size: int = 64
    steps: int | None = 2000
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
    return {cell: dataclasses.replace(config, cell=cell) for cell in get_args(cells.Name)}


def report(runs: training.Runs) -> analysis.Report:
    config = runs.config
    rows = {row: {"loss": run.values("test", "loss")} for row, run in runs.items()}
    table = analysis.Table(f"{config.task}, length {config.length}", rows, diverged=runs.diverged)
    return analysis.Report(table, {})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
