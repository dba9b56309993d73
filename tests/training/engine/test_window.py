"""Rows of training metrics: exact sums, in bounded memory, however the steps are cut."""

import functools
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, metrics, training
from dlcourse.learner import Learner, Trained
from dlcourse.training.engine import window
from dlcourse.training.run import loop
from dlcourse.training.run.folder import RunFolder
from dlcourse.training.run.screen import Silent
from dlcourse.training.run.start import make_mesh
from tests.kinds import Config

pytestmark = pytest.mark.usefixtures("without_curves")

# Adding 0.1 in float32 a thousand times rounds in the same direction nearly each time.
VALUES = (0.1 + 1e-7 * np.random.default_rng(0).integers(0, 5, 997)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, 997).astype(np.float32)


@functools.cache
def numbers():
    """A set of two numbers an example."""
    examples = {"value": VALUES, "weight": WEIGHTS}
    splits = {"train": np.arange(997), "validation": np.arange(7)}
    return data.Dataset("numbers", examples, splits)


def reads(batch):
    """The numbers of a batch as a mean that is not divided yet."""
    return metrics.Loss(jnp.sum(batch["value"]), jnp.sum(batch["weight"]))


READER = Learner(
    init=lambda key, batch: Trained({"w": jnp.zeros(())}),
    step=lambda state, batch, key: (state, {"loss": reads(batch)}),
    evaluate=lambda state, batch: {"loss": reads(batch)},
    apply=lambda state, batch, key: batch["value"],
)


def read(folder, **fields):
    config = Config(
        workdir=folder, batch_size=1, **({"steps": 3000, "log_every": "1000 steps"} | fields)
    )
    experiment = training.Experiment(READER, numbers())
    return training.run(experiment, config, name="numbers", silent=True)


def test_a_row_is_the_sum_of_its_steps_in_double_precision(tmp_path):
    result = read(tmp_path, evaluate_every="100%", checkpoint_every="100%")
    steps, found = result.curve("train", "loss")
    assert steps.tolist() == [1000, 2000, 3000]
    indices = numbers().batch_indices(0, 3000, 1, 0)[:, 0]
    totals, weights = (np.float64(a[indices]).reshape(3, -1).sum(1) for a in (VALUES, WEIGHTS))
    np.testing.assert_allclose(found[:, 0], totals / weights, rtol=2e-7)
    # Added one by one in float32 they would be further off than the promise of 1e-6.
    naive = [np.cumsum(part, dtype=np.float32)[-1] for part in VALUES[indices].reshape(3, -1)]
    assert np.abs(naive / totals - 1).max() > 1e-6


def test_rows_do_not_depend_on_the_chunks_of_steps(tmp_path, monkeypatch):
    """Bit for bit: in chunks of one step, of seven, and as long as they may be."""
    often = {"steps": 250, "log_every": "50 steps", "evaluate_every": "100%"}
    lengths = {"whole": "100%", "of seven": "7 steps", "of one": "1 step"}
    logged = [
        read(tmp_path / name, checkpoint_every=every, keep=1, **often).rows
        for name, every in list(lengths.items())[:2]
    ]
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    logged.append(read(tmp_path / "of one", checkpoint_every="100%", **often).rows)
    assert logged[0] == logged[1] == logged[2]
    assert [row["step"] for row in logged[0] if row["split"] == "train"] == [50, 100, 150, 200, 250]


def test_integers_are_counted_and_an_infinite_sum_stays_infinite():
    counts = metrics.ClassMean(jnp.array([3, 2**24]), jnp.array([5, 2**25]))
    infinite = metrics.scalar(jnp.array(jnp.inf))
    steps = {"iou": counts, "loss": infinite}
    sums = window.add(
        window.add(window.empty(steps), steps), {**steps, "loss": metrics.scalar(jnp.ones(()))}
    )
    assert sums.sums["iou"].total.tolist() == [6, 2**25]
    assert sums.sums["loss"].total == jnp.inf
    assert sums.sums["loss"].weight == 2


def test_the_steps_of_a_long_chunk_with_matrix_metrics_take_bounded_memory():
    """8,192 steps, each logged, each with two matrices of 65 x 65: one by one 277 MB a matrix."""
    size = 65

    def step(state, batch, key):
        matrix = jnp.broadcast_to(batch["value"][0], (2, size, size))
        distance = metrics.FrechetDistance(matrix, matrix)
        return state, {"loss": reads(batch), "distance": distance}

    learner = READER._replace(step=step)
    config = Config(
        batch_size=1, steps=20_000, log_every="1 step", evaluate_every="100%",
        checkpoint_every="100%",
    )  # fmt: skip
    experiment = training.Experiment(learner, numbers())
    made = loop.Loop(
        experiment, config, RunFolder(pathlib.Path("nowhere")), make_mesh(config), Silent()
    )
    assert made.feed.capacity == 8192
    memory = made.programs.training_program.memory_analysis()
    needed = memory.temp_size_in_bytes + memory.output_size_in_bytes
    one_by_one = 8192 * 2 * 2 * size**2 * 4
    assert needed < 4 * window.BYTES < one_by_one / 8


def test_chunks_end_early_where_rows_do_not_fit(tmp_path, monkeypatch):
    """With room for two closed windows, a chunk ends at its second log point: the same rows."""
    often = {"steps": 60, "log_every": "3 steps", "evaluate_every": "100%"}
    expected = read(tmp_path / "room", checkpoint_every="100%", **often).rows
    monkeypatch.setattr(window, "MOST", 2)
    assert read(tmp_path / "little", checkpoint_every="100%", **often).rows == expected
    assert len([row for row in expected if row["split"] == "train"]) == 20
