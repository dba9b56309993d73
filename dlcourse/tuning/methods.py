"""Search methods: grid, random, coarse-to-fine and Bayesian.

The proposals of a method are a function of its seed and of the trials so far, so that an
interrupted study resumes exactly.
"""

import dataclasses
import importlib.util
import itertools
import math
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from dlcourse.errors import UsageError
from dlcourse.tuning.space import Choice, Integer, Space, Values, levels, point
from dlcourse.tuning.trial import Trial, ranked, values_of

Name = Literal["random", "grid", "coarse-to-fine", "tpe", "gp"]

ROUNDS = 3  # of coarse-to-fine
SHRINK = 1 / 3  # the factor on every side of the box in each round


@runtime_checkable
class Method(Protocol):
    """A search method.

    Attributes:
        trials: the number of trials.
        extends: True if the first trials do not depend on the number of trials, so that a finished
            search can be extended.
        at_once: the default number of trials that are drawn at the same time.
    """

    @property
    def trials(self) -> int: ...

    @property
    def extends(self) -> bool: ...

    @property
    def at_once(self) -> int: ...

    def propose(self, known: Sequence[Trial], count: int) -> list[Values]:
        """The next points, at most `count`.

        Args:
            known: all trials so far, including running ones.
            count: the maximum number of points.
        """


def make_method(name: Name, space: Space, trials: int, maximize: bool, seed: int) -> Method:
    """The search method with this name.

    Raises:
        UsageError: there are too few trials for a grid, or a library is missing.
    """
    if name == "random":
        return Random(space, trials, seed)
    if name == "grid":
        return Grid(space, trials)
    if name == "coarse-to-fine":
        return CoarseToFine(space, trials, maximize, seed)
    return Bayesian(space, trials, maximize, seed, name)


@dataclasses.dataclass(frozen=True)
class Random:
    """Uniform points of the unit cube; the n-th point is a function of the seed and n."""

    space: Space
    trials: int
    seed: int
    extends = True
    at_once = 16

    def propose(self, known: Sequence[Trial], count: int) -> list[Values]:
        numbers = range(len(known), min(len(known) + count, self.trials))
        return [point(self.space, _uniform(self.seed, n, len(self.space))) for n in numbers]


class Grid:
    """All combinations of evenly spaced levels, with as many levels as the trials allow.

    All ranges have the same number of levels; a choice has its values. Ranges of real numbers vary
    fastest, so that consecutive trials can train side by side.
    """

    extends = False
    at_once = 16

    def __init__(self, space: Space, trials: int) -> None:
        def size(count: int) -> int:
            return math.prod(len(levels(dimension, count)) for dimension in space.values())

        if size(2) > trials:
            raise UsageError(
                f"A grid over {', '.join(space)} needs at least {size(2)} trials, got {trials}. "
                "Raise --trials, search fewer options, or search at random."
            )
        # Choices and integers have a limited number of levels, so `size` may stop growing.
        count = 2
        while size(count) < size(count + 1) <= trials:
            count += 1
        slow_first = sorted(space, key=lambda name: not isinstance(space[name], Choice | Integer))
        axes = [levels(space[name], count) for name in slow_first]
        self.points = [
            {name: dict(zip(slow_first, values, strict=True))[name] for name in space}
            for values in itertools.product(*axes)
        ]
        self.trials = len(self.points)

    def propose(self, known: Sequence[Trial], count: int) -> list[Values]:
        return self.points[len(known) : len(known) + count]


@dataclasses.dataclass(frozen=True)
class CoarseToFine:
    """Random search in rounds (deck 001), each in a smaller box around the best trial so far.

    Round r = 0, 1, 2 draws a third of the trials from a box with sides 3^-r, shifted so that it
    lies inside the unit cube.
    """

    space: Space
    trials: int
    maximize: bool
    seed: int
    extends = False
    at_once = 16

    def propose(self, known: Sequence[Trial], count: int) -> list[Values]:
        first = len(known)
        if first >= self.trials:
            return []
        ends = [math.ceil(self.trials * (r + 1) / ROUNDS) for r in range(ROUNDS)]
        now = next(r for r, end in enumerate(ends) if first < end)
        low, side = self.box(known, now)
        places = [
            low + side * _uniform(self.seed, n, len(self.space))
            for n in range(first, min(first + count, ends[now]))
        ]
        return [point(self.space, place) for place in places]

    def box(self, known: Sequence[Trial], number: int) -> tuple[np.ndarray, float]:
        """The lowest corner and the side of the box of a round."""
        best = ranked(known, maximize=self.maximize)[:1]
        if number == 0 or not best:
            return np.zeros(len(self.space)), 1.0
        side = SHRINK**number
        centre = np.array([d.position(best[0].values[name]) for name, d in self.space.items()])
        return np.clip(centre - side / 2, 0.0, 1.0 - side), side


@dataclasses.dataclass(frozen=True)
class Bayesian:
    """Optuna's samplers: `tpe`, a tree of Parzen estimators (Bergstra et al., 2011), and `gp`.

    Both start with ten random trials. Running trials count as bad ones, so that trials drawn at the
    same time differ. Trials are drawn in groups that begin at multiples of the group size. Where an
    earlier, shorter search cut a group off, the rest of it is drawn as if it never had: an extended
    search makes the proposals of a longer one.
    """

    space: Space
    trials: int
    maximize: bool
    seed: int
    name: str
    extends = True
    at_once = 4  # few, because each draw uses the results of the previous ones

    def __post_init__(self) -> None:
        if self.name == "gp" and importlib.util.find_spec("torch") is None:
            raise UsageError(
                "Optuna's Gaussian process needs PyTorch: pip install 'dlcourse[torch]', or search "
                "with tpe."
            )

    def propose(self, known: Sequence[Trial], count: int) -> list[Values]:
        import optuna

        first = len(known) - len(known) % count
        state = np.random.SeedSequence([self.seed, first]).generate_state(1)
        kind = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}[self.name]
        # A study in memory: the proposals must depend on the known trials only.
        study = optuna.create_study(
            sampler=kind(seed=int(state[0])),
            direction="maximize" if self.maximize else "minimize",
        )
        study.add_trials([trial.to_optuna(self.space) for trial in known[:first]])
        distributions = {name: d.distribution() for name, d in self.space.items()}
        asked = [study.ask(distributions) for _ in range(min(count, self.trials - first))]
        return [values_of(trial.params, self.space) for trial in asked[len(known) - first :]]


def _uniform(seed: int, number: int, dimensions: int) -> np.ndarray:
    """The point of one trial in the unit cube, from its own random stream."""
    return np.random.Generator(np.random.Philox(key=[seed, number])).random(dimensions)
