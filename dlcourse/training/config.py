"""What every experiment can be told on the command line."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from dlcourse.data import Dataset
from dlcourse.learner import Policy

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(steps?|epochs?|%)")

# Fields that say where and how fast a run is computed, but not what it computes: a run may go on
# with other values of these.
PLACE = frozenset(
    {
        "workdir", "mesh", "stream", "checkpoint_every", "keep", "compilation_cache", "progress",
        "coordinator", "num_processes", "process_id", "dry_run", "replay", "remat",
    }
)  # fmt: skip

AT_LEAST_1, NOT_NEGATIVE = (1, math.inf), (0, math.inf)  # limits of a number


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The fields that all experiments share; an experiment's own config inherits them.

    A duration is a text with its unit: `100 steps`, `2 epochs`, or `5%` of the run.

    Attributes:
        limits: the least and the most that a number, or each of several, may be, by field. An
            experiment with fields of its own adds theirs: `training.Config.limits | {...}`.
    """

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "seed": NOT_NEGATIVE,
        "seeds": AT_LEAST_1,
        "batch_size": AT_LEAST_1,
        "steps": AT_LEAST_1,
        "keep": AT_LEAST_1,
        "patience": AT_LEAST_1,
        "accumulate": AT_LEAST_1,
        # Of fields that many experiments have:
        "examples": AT_LEAST_1,
        "features": AT_LEAST_1,
        "hidden": AT_LEAST_1,
        "dropout": (0, 1),
        "shift": NOT_NEGATIVE,
        "learning_rate": NOT_NEGATIVE,
    }

    seed: int = 0
    """Everything random in a run is derived from it."""
    seeds: int = 1
    """How many seeds, from `seed` on, train side by side in one compiled program."""
    batch_size: int = 64
    """Examples in a step, over all devices together."""
    epochs: float = 10.0
    """How often training walks through the train split."""
    steps: int | None = None
    """How many steps to train; takes the place of `epochs`."""
    evaluate_every: str = "1 epoch"
    """When to measure on the validation split."""
    checkpoint_every: str = "10%"
    """When to save; a run stopped by a signal saves in any case."""
    keep: int = 2
    """How many checkpoints to keep, the newest."""
    log_every: str = "1%"
    """How many steps one row of training metrics is the mean of."""
    patience: int | None = None
    """Stop after so many evaluations without a better validation metric, and keep the best weights;
    without it, train to the end and keep the last."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The type of activations; weights and optimizer stay float32."""
    accumulate: int = 1
    """Into how many micro-batches a batch is cut, to fit a smaller memory."""
    ema: float | None = None
    """Evaluate an exponential moving average of the weights with this decay."""
    freeze: str | None = None
    """Weights in whose path this regular expression is found stay as they begin; a path reads
    `Dense_0/kernel`."""
    remat: bool = False
    """Compute each layer once more for its gradient, to fit a smaller memory (of GPUs and TPUs)."""
    mesh: str = "data=-1"
    """Devices along the axes `data`, `fsdp`, `tensor`; -1 stands for all that remain."""
    stream: bool = False
    """Read examples as they are needed, even if the set fits in memory."""
    skip_damaged: bool = False
    """Leave out streamed examples that cannot be decoded and count them; else the first ends the
    run."""
    workdir: pathlib.Path | None = None
    """The run folder; by default a new one under `runs/<experiment>/`. An unfinished run in it
    goes on."""
    compilation_cache: bool = True
    """Keep compiled programs in the user's cache folder, so that the next start is quick."""
    progress: bool = True
    """Show a live line of progress where the screen allows."""
    coordinator: str | None = None
    """Of several processes: HOST:PORT of process 0, or `auto`; see `launch/`."""
    num_processes: int | None = None
    """How many processes train together."""
    process_id: int | None = None
    """Which of them this is, from 0."""
    dry_run: bool = False
    """Print where each parameter would live, what a step costs and what the devices say to each
    other, and train nothing."""
    replay: int | None = None
    """Do this step of the run in `--workdir` again, from the checkpoint before it, say what became
    of it, and train nothing."""

    def __post_init__(self) -> None:
        """Refuses values that no experiment can mean; the message is for the command line."""
        for name, value in vars(self).items():
            finite = not isinstance(value, float) or math.isfinite(value)
            _require(finite, f"{name} is {value}; it must be a finite number")
            low, high = self.limits.get(name, (-math.inf, math.inf))
            most = "" if high == math.inf else f" and at most {high:g}"
            for number in value if isinstance(value, tuple) else (value,):
                _require(
                    not isinstance(number, int | float) or low <= number <= high,
                    f"{name} must be at least {low:g}{most}; it is {number}",
                )
        _require(self.epochs > 0, "epochs must be positive")
        _require(self.ema is None or 0 <= self.ema < 1, "ema must lie in [0, 1)")
        _require(_is_pattern(self.freeze), f"freeze is '{self.freeze}', no regular expression")
        _require(self.replay is None or self.workdir is not None, "replay needs the run's workdir")
        _require(
            self.batch_size % self.accumulate == 0,
            f"batch_size {self.batch_size} is no multiple of accumulate {self.accumulate}",
        )
        for name in ("evaluate_every", "checkpoint_every", "log_every"):
            _require(
                _DURATION.fullmatch(getattr(self, name)) is not None,
                f"{name} is '{getattr(self, name)}'; write it as '100 steps', '2 epochs' or '5%'",
            )

    @property
    def policy(self) -> Policy:
        """How learners compute: what `--precision`, `--accumulate`, `--ema` and the like say."""
        return Policy(self.precision, self.accumulate, self.ema, self.remat, self.freeze)

    def steps_of(self, epochs: float, data: Dataset) -> int:
        """`epochs` in steps, rounded, at least 1."""
        return max(1, round(epochs * len(data.splits["train"]) / self.batch_size))

    def total_steps(self, data: Dataset) -> int:
        """The length of the run in steps, as schedules need it."""
        return self.steps or self.steps_of(self.epochs, data)

    def boundaries(self, duration: str, data: Dataset) -> list[int]:
        """The steps at which something due every `duration` is done; the last step is one.

        Epochs that are no whole number of steps round one by one, so they do not drift.
        """
        amount, unit = _DURATION.fullmatch(duration).groups()  # type: ignore[union-attr]
        total = self.total_steps(data)
        per_unit = {
            "s": 1.0,
            "e": len(data.splits["train"]) / self.batch_size,
            "%": total / 100,
        }[unit[0]]
        every = max(1.0, float(amount) * per_unit)
        due = {round(count * every) for count in range(1, int(total / every) + 1)}
        return sorted({step for step in due if step <= total} | {total})


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _is_pattern(text: str | None) -> bool:
    try:
        re.compile(text or "")
    except re.error:
        return False
    return True


def as_json(config: Config) -> dict:
    """A config as JSON writes it: paths as text, tuples as lists."""
    plain = {
        name: str(value) if isinstance(value, pathlib.Path) else value
        for name, value in dataclasses.asdict(config).items()
    }
    return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}
