"""A finished run: its metrics, its trained model, and computing with it."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from dlcourse.data.examples import as_examples
from dlcourse.errors import UsageError
from dlcourse.learner import without_optimizer
from dlcourse.training.config import Config
from dlcourse.training.engine import sharding
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.folder import RunFolder, members
from dlcourse.training.run.loop import Loop
from dlcourse.training.run.screen import Silent
from dlcourse.training.run.written import Row


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A finished run. It holds nothing on a device.

    Attributes:
        name: the experiment's name, and the row's in a comparison: `lenet/CNN`.
        config: its config.
        folder: the run folder.
        summary: the content of `summary.json`.
        rows: the content of `metrics.jsonl`.
        state: the learner's final state as NumPy arrays; with patience, the best one without its
            optimizer. With several seeds every array begins with their axis.
        make: the function that made the experiment from the config.
    """

    name: str
    config: Config
    folder: pathlib.Path
    summary: Mapping[str, Any]
    rows: list[Row]
    state: Any
    make: Callable[[Config], Experiment]

    @functools.cached_property
    def experiment(self) -> Experiment:
        """Learner and data, made again from the config."""
        return self.make(self.config)

    def by_seed(self) -> list[Any]:
        """The state of each seed by itself."""
        if self.config.seeds == 1:
            return [self.state]
        seeds = range(self.config.seeds)
        return [jax.tree.map(lambda leaf, i=i: leaf[i], self.state) for i in seeds]

    def apply(
        self, batch: Mapping[str, Any], *, seed: int = 0, key: jax.Array | None = None
    ) -> Any:
        """What the trained model computes for examples as its data set holds them.

        Args:
            batch: arrays with the examples along the first axis, such as `{"image": x}`; they are
                prepared as in training (uint8 to float, say).
            seed: which seed's weights to use, counted from 0.
            key: draws random numbers, for models that need some.

        Returns:
            What `learner.apply` gives: logits, reconstructions, samples, actions.
        """
        prepared = self.experiment.data.prepare(dict(batch))
        key = jax.random.key(0) if key is None else key
        return self._apply(self.by_seed()[seed], prepared, key)

    def predict(self, inputs: np.ndarray, *, seed: int = 0) -> list[dict[str, float]]:
        """The probability of each class by its name, the most probable first, for each example.

            run.predict(images)[0]      # {"cat": 0.97, "dog": 0.03}

        It is the softmax of what the model gives, as the cross-entropy has it.

        Args:
            inputs: images or rows of a table, `[examples, ...]`, of the shape that the set has.
                Images are integers with all the range of their type, or floats in [0, 1].
            seed: which seed's weights to use, counted from 0.

        Raises:
            UserError: the run trained no classifier, or the shape is another one.
        """
        data, measured = self.experiment.data, self.summary["metrics"]["test"]
        if not data.classes or "accuracy" not in measured:
            raise UsageError(f"{self.folder} holds no classifier; use `run.apply`.")
        batch = as_examples(data, np.asarray(inputs))
        return [
            {data.classes[n]: float(row[n]) for n in np.argsort(-row, kind="stable")}
            for row in self.probabilities(batch, seed=seed)
        ]

    def probabilities(self, batch: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
        """The softmax of what `apply` gives, in float64."""
        logits = np.asarray(self.apply(batch, seed=seed), np.float64)
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return odds / odds.sum(axis=-1, keepdims=True)

    @functools.cached_property
    def _apply(self) -> Callable[..., Any]:
        return jax.jit(self.experiment.learner.apply)

    def measure(self, split: str) -> dict[str, np.ndarray]:
        """The metrics of the final state on all of a split, arrays `[*members]`.

        The training metrics of the summary were measured during training, with dropout,
        augmentation and changing weights; `measure("train")` is free of them.
        """
        # On one device, so that a single process can compute it.
        mesh = sharding.make_mesh("data=1", jax.local_devices()[:1])
        loop = Loop(self.experiment, self.config, RunFolder(self.folder), mesh, Silent())
        judged = without_optimizer(self.state)
        placed = jax.tree.map(lambda leaf: sharding.place(leaf, mesh), judged)
        return loop.measure(split, placed)

    def values(self, split: str, metric: str) -> np.ndarray:
        """A final metric of every member of the run, `[members]`; of one run, `[1]`."""
        return members(self.summary["metrics"][split][metric]).reshape(-1)

    def curve(self, split: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """A metric as it was logged: the steps, and the values `[times, members]`."""
        rows = [row for row in self.rows if row["split"] == split]
        steps = np.array([row["step"] for row in rows])
        return steps, np.stack([members(row[metric]).reshape(-1) for row in rows])
