"""A normalizing flow in one dimension, drawn in both directions (deck 003).

    python experiments/generative/flow_1d.py
"""

import dataclasses

import numpy as np

from dlcourse import analysis, data, learners, models, optim, training

GAUSSIAN = 0.5 * np.log(2 * np.pi * np.e * 4.25)  # nats, of one normal with the variance of p


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A monotone spline from two Gaussians to one."""

    limits = training.Config.limits | {"bins": (2, 500), "bound": training.POSITIVE}

    bins: int = 24
    """Bins of the rational-quadratic spline."""
    bound: float = 5.0
    """The spline is the identity outside of [-bound, bound]."""
    learning_rate: float = 3e-2
    schedule: optim.ScheduleName = "cosine"
    batch_size: int = 1000
    steps: int | None = 2000
    """Number of training steps; every point is new."""
    evaluate_every: str = "10%"


def experiment(config: Config) -> training.Experiment:
    points = data.densities.points("two_gaussians")

    def spline() -> models.Spline:
        return models.Spline(config.bins, config.bound)

    flow = models.Flow((1,), [models.Elementwise(spline)])
    return training.Experiment(learners.flow(flow, config.rule(points), inputs="x"), points)


def report(runs: training.Runs) -> analysis.Report:
    ((_, run),) = runs.items()
    points = run.experiment.data
    test = points.prepare(points.read(points.splits["test"]))["x"]
    oracle = -data.densities.log_density("two_gaussians", np.asarray(test)).mean()
    rows = {
        "flow": run.values("test", "nats"),
        "true density": oracle,
        "one Gaussian": GAUSSIAN,
    }
    table = analysis.Table.of_metric(
        "-log p(x) in nats, test split", "nats", rows, {"flow": oracle + 0.01},
        lower_is_better=True, percent=False,
    )  # fmt: skip
    x = np.linspace(-4.5, 4.5, 901, dtype=np.float32)[:, None]
    found = run.apply({"x": x, "index": np.arange(len(x))})
    drawn = np.linspace(-2.6, 2.6, 14, dtype=np.float32)[:, None]
    return analysis.Report(table, {})


if __name__ == "__main__":
    training.main(experiment, Config, report=report)
