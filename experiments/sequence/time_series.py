"""A GRU and a temporal convolutional network that forecast a time series (decks 002, 003).

    python experiments/sequence/time_series.py
    python experiments/sequence/time_series.py --dataset mine.csv --column price --season 7

All steps are predicted at once, from the last year to the next half. `figures/forecasts.png` shows
three windows of the test split, `figures/errors.png` the error of each step. MAE in standard
deviations of the train split; a MASE of 1 is the seasonal naive error there. Seeds 0 to 2, mean ±
standard deviation, in 107 CPU seconds; ridge, chosen on validation, is the target:

                        MAE             MAE, ppmv       MASE
    last value          0.244           2.63            2.14
    seasonal naive      0.157           1.69            1.38
    ridge               0.0490          0.529           0.431
    GRU                 0.0486 ± 0.0007 0.525 ± 0.008   0.427 ± 0.006
    mean of forecasts   0.0482          0.521           0.424
    TCN                 0.0482 ± 0.0007 0.520 ± 0.008   0.424 ± 0.006
    mean of forecasts   0.0461          0.498           0.405

The second command is not yet measured.
"""

import dataclasses
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training

Network = Literal["GRU", "TCN"]


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A GRU and a TCN that predict several steps of a time series at once."""

    limits = training.Config.limits | {
        "context": (1, 100_000), "horizon": (1, 100_000), "season": (1, 100_000),
        "layers": (1, 20),
    }  # fmt: skip

    dataset: str = "co2"
    """`co2`, weekly carbon dioxide at Mauna Loa, which is bundled; or a .csv file."""
    column: str | None = None
    """Column of the file."""
    network: Network = "GRU"
    """Network of a run."""
    context: int = 52
    """Values that a forecast sees."""
    horizon: int = 26
    """Values that it predicts."""
    season: int = 52
    """Values in a season, of the seasonal naive forecast and of MASE."""
    hidden: int = 32
    """Width of each layer."""
    layers: int = 4
    """Layers of the TCN."""
    optimizer: optim.Optimizer = "adamw"
    schedule: optim.ScheduleName = "cosine"
    weight_decay: float = 1e-4
    clip: float | None = 1.0
    learning_rate: float = 5e-3
    batch_size: int = 64
    seeds: int = 3
    """Number of seeds, counted from `seed`; they train side by side in one compiled program."""
    epochs: float = 20.0
    """Passes over the train split."""
    evaluate_every: str = "5%"


def experiment(config: Config) -> training.Experiment:
    series = data.series(
        config.dataset, config.column, context=config.context, horizon=config.horizon,
        stream=config.stream, folder=config.workdir,
    )  # fmt: skip
    if config.network == "GRU":
        network = models.SequenceNet("gru", (config.hidden,), config.horizon)
    else:
        widths = (config.hidden,) * config.layers
        network = models.TCN(widths, config.horizon)
    learner = learners.supervised(
        models.FromLast(network), losses.huber, config.rule(series),
        inputs="past", target="future", metrics_of={"mae": lambda found, y: jnp.abs(found - y)},
    )  # fmt: skip
    return training.Experiment(learner, series, "min mae", copies=series.copies)


def variants(config: Config) -> dict[str, Config]:
    return {name: dataclasses.replace(config, network=name) for name in get_args(Network)}


def forecasts(runs: training.Runs, series: data.Series) -> dict[str, np.ndarray]:
    """The forecasts of the test split by each method, `[seeds, windows, horizon]`."""
    plain = analysis.baselines(series, "test", runs.config.season)
    found = {name: forecast[None] for name, forecast in plain.items()}
    past = series.read(series.splits["test"])["past"]
    for row, run in runs.items():
        seeds = range(runs.config.seeds)
        found[row] = np.stack([np.asarray(run.apply({"past": past}, seed=s)) for s in seeds])
        found[f"{row}, mean forecast"] = found[row].mean(0, keepdims=True)
    return found


def report(runs: training.Runs) -> analysis.Report:
    config, series = runs.config, next(iter(runs.values())).experiment.data
    test = series.read(series.splits["test"])
    found = forecasts(runs, series)
    errors = {row: np.abs(each - test["future"]) for row, each in found.items()}
    q = analysis.naive_error(series.values[: series.splits["validation"][0]], config.season)
    rows = {
        row: {
            "MAE, deviations": error.mean((1, 2)),
            f"MAE, {series.unit}": error.mean((1, 2)) * series.scale,
            "MASE": error.mean((1, 2)) * series.scale / q,
        }
        for row, error in errors.items()
    }
    table = analysis.Table(
        f"{config.dataset}: {config.horizon} steps ahead, test split", rows, "MAE, deviations",
        dict.fromkeys(runs, float(errors["ridge"].mean())),
        lower_is_better=True, diverged=runs.diverged,
    )  # fmt: skip
    drawn = {row: found[row] for row in ("last value", "seasonal naive", "ridge", *runs)}
    near = {row: found[row] for row in ("ridge", *runs)}
    return analysis.Report(
        table,
        {
            "forecasts": analysis.draw_forecasts(series, near),
            "errors": analysis.draw_errors_ahead(series, drawn),
        },
    )


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
