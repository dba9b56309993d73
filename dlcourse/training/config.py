"""The options that all experiments share: what a run computes, and where it is computed."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import optax

from dlcourse import optim
from dlcourse.data import Dataset
from dlcourse.errors import UsageError
from dlcourse.learner import Policy, Rule
from dlcourse.training.cadence import Cadence, is_duration
from dlcourse.training.limits import (
    ABOVE_0,
    ANY,
    AT_LEAST_1,
    BELOW_1,
    LARGEST,
    NOT_NEGATIVE,
    SHARE,
    SIZE,
    Limits,
    check,
)
from dlcourse.training.optimization import HAVE_BETAS, Optimization


@dataclasses.dataclass(frozen=True, kw_only=True)
class Execution:
    """Where and how a run is computed. These fields do not affect what it learns.

    An unfinished run may be resumed with other values of these, and a search cannot vary them.
    """

    workdir: pathlib.Path | None = None
    """Run folder, by default a new one under `runs/<experiment>/`; an unfinished run continues."""
    mesh: str = "data=-1"
    """Number of devices along the axes `data`, `fsdp`, `tensor`; -1 means all that remain."""
    stream: bool = False
    """Read examples on demand, even if the set fits in memory."""
    checkpoint_every: str = "10%"
    """Interval between checkpoints; a run also saves when a signal stops it."""
    keep: int = 2
    """Number of newest checkpoints to keep."""
    remat: bool = False
    """Recompute each layer in the backward pass, to use less memory (on GPUs and TPUs)."""
    compilation_cache: bool = True
    """Keep compiled programs in the user's cache folder, for a quicker next start."""
    progress: bool = True
    """Show a live progress line if the output is a terminal."""
    coordinator: str | None = None
    """HOST:PORT of process 0 of several processes, or `auto`; see `launch/`."""
    num_processes: int | None = None
    """Number of processes that train together."""
    process_id: int | None = None
    """Number of this process, counted from 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Execution, Optimization):
    """The fields that all experiments share; an experiment's own config inherits them.

    A duration is a text with its unit: `100 steps`, `2 epochs`, or `5%` of the run.

    Attributes:
        limits: least and greatest value of a number, or of each of several, by field; every
            field with numbers has an entry. An experiment with fields of its own adds theirs:
            `training.Config.limits | {...}`.
        selects: fields of a comparison that only choose which of its rows are trained. A row is
            the same run whichever others are chosen, so they are not compared on resume.
        distinct: other fields of which each value names a network, a search or a figure.
    """

    limits: ClassVar[Mapping[str, Limits]] = {
        **Optimization.limits,
        "seed": (0, LARGEST),
        "seeds": (1, 10_000),
        "batch_size": (1, 2**20),
        "epochs": (ABOVE_0, 1_000_000),
        "steps": AT_LEAST_1,
        "patience": AT_LEAST_1,
        "accumulate": (1, 2**20),
        "ema": (0, BELOW_1),
        "keep": AT_LEAST_1,
        "num_processes": AT_LEAST_1,
        "process_id": (0, LARGEST),
        # Fields that several experiments have:
        "examples": AT_LEAST_1,
        "image_size": SIZE,
        "features": SIZE,
        "hidden": SIZE,
        "widths": SIZE,
        "dropout": SHARE,
        "shift": (0, 1000),
        "l1": NOT_NEGATIVE,
        "l2": NOT_NEGATIVE,
        "early": AT_LEAST_1,
    }
    selects: ClassVar[frozenset[str]] = frozenset()
    distinct: ClassVar[frozenset[str]] = frozenset()

    seed: int = 0
    """Seed of all random numbers of a run."""
    seeds: int = 1
    """Number of seeds, counted from `seed`; they train side by side in one compiled program."""
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 10.0
    """Passes over the train split."""
    steps: int | None = None
    """Number of training steps, in place of `epochs`; a default gives way to given epochs."""
    evaluate_every: str = "1 epoch"
    """Interval between evaluations on the validation split."""
    log_every: str = "1%"
    """Interval over which training metrics are averaged and logged."""
    patience: int | None = None
    """Stop after this many evaluations without improvement, and keep the best weights."""
    monitor: str | None = None
    """`min METRIC` or `max METRIC` on the validation split, which tells the best weights; by
    default the experiment's own."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; weights and optimizer state stay float32."""
    accumulate: int = 1
    """Number of micro-batches in a batch, to use less memory."""
    ema: float | None = None
    """Evaluate an exponential moving average of the weights with this decay."""
    freeze: str | None = None
    """Regex of paths, such as `Dense_0/kernel`, of weights that keep their initial values."""
    skip_damaged: bool = False
    """Skip and count examples that cannot be decoded, instead of ending the run."""

    def __post_init__(self) -> None:
        """Refuses impossible values; the message is for the command line."""
        own = type(self)
        if self.steps is not None and self.steps == own.steps and self.epochs != own.epochs:
            object.__setattr__(self, "steps", None)
        for name, value in vars(self).items():
            check(name, value, self.limits.get(name, ANY))
            if isinstance(value, tuple):
                _require(bool(value), f"{name} needs at least one value")
                if name in self.selects | self.distinct:
                    once = len(set(value)) == len(value)
                    _require(once, f"{name} has a value twice: {' '.join(map(str, value))}")
        last = self.seed + self.seeds - 1
        _require(last <= LARGEST, f"seed + seeds - 1 must be at most {LARGEST}; it is {last}")
        _require(
            _is_pattern(self.freeze), f"freeze must be a regular expression; it is '{self.freeze}'"
        )
        _require(
            self.batch_size % self.accumulate == 0,
            f"batch_size {self.batch_size} is not a multiple of accumulate {self.accumulate}",
        )
        for name in ("evaluate_every", "checkpoint_every", "log_every", "warmup"):
            value = getattr(self, name)
            _require(
                value is None or is_duration(value),
                f"{name} is '{value}'; write it as '100 steps', '2 epochs' or '5%'",
            )
        _require(
            self.optimizer in HAVE_BETAS or self.betas == type(self).betas,
            f"betas have no effect with the optimizer {self.optimizer}; leave them out",
        )

    @property
    def policy(self) -> Policy:
        """How learners compute gradients: `--precision`, `--accumulate`, `--ema` and the like."""
        return Policy(self.precision, self.accumulate, self.ema, self.remat, self.freeze)

    def rule(self, data: Dataset, *, updates: int = 1) -> Rule:
        """What a gradient learner takes: the optimizer of the options, bound to the policy.

        Args:
            data: the set; the schedule spans the run.
            updates: how many updates the learner makes in a step.

        Raises:
            UsageError: the warm-up is as long as the run.
        """
        steps = self.total_steps(data)
        rising = round(self.cadence(self.warmup, data).every) if self.warmup else 0
        if rising >= steps:
            raise UsageError(
                f"--warmup '{self.warmup}' are {rising} steps, and the run has {steps}. "
                "The warm-up must be shorter than the run."
            )
        rate = optim.schedule(self.schedule, self.learning_rate, updates * steps, updates * rising)
        optimizer = optim.optimizer(
            self.optimizer,
            rate,
            weight_decay=self.weight_decay,
            clip=self.clip,
            betas=self.betas,
        )
        return Rule(optimizer, self.policy)

    def rule_of(self, optimizer: optax.GradientTransformation) -> Rule:
        """An optax chain of the experiment's own, bound to the policy.

        Raises:
            UsageError: an option of the shared optimizer is given, which would have no effect.
        """
        self.require_default_optimization()
        return Rule(optimizer, self.policy)

    def steps_of(self, epochs: int | float, data: Dataset) -> int:
        """`epochs` in steps, rounded, at least 1."""
        return max(1, round(epochs * len(data.splits["train"]) / self.batch_size))

    def total_steps(self, data: Dataset) -> int:
        """The length of the run in steps, as schedules need it.

        Raises:
            UsageError: the epochs are more steps than devices can count.
        """
        steps = self.steps or self.steps_of(self.epochs, data)
        if steps > LARGEST:
            raise UsageError(
                f"--epochs {self.epochs:g} are {steps} steps; at most {LARGEST} can be counted."
            )
        return steps

    def cadence(self, duration: str, data: Dataset) -> Cadence:
        """The steps at which something due every `duration` is done; the last step is one."""
        per_epoch = len(data.splits["train"]) / self.batch_size
        return Cadence.of(duration, self.total_steps(data), per_epoch)


EXECUTION = frozenset(field.name for field in dataclasses.fields(Execution))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _is_pattern(text: str | None) -> bool:
    try:
        return text is None or bool(re.compile(text).pattern)  # an empty one matches everything
    except re.error:
        return False


def as_json(config: Config) -> dict[str, Any]:
    """A config as JSON writes it: paths as text, tuples as lists."""
    plain = {
        name: str(value) if isinstance(value, pathlib.Path) else value
        for name, value in dataclasses.asdict(config).items()
    }
    return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}
