"""The options of the optimizer, which all experiments share."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import ClassVar

from dlcourse import optim
from dlcourse.errors import UsageError
from dlcourse.training.limits import BELOW_1, NOT_NEGATIVE, POSITIVE, Limits

HAVE_BETAS = ("momentum", "adam", "adamw")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimization:
    """How gradients move the weights. `Config.rule` makes an optax chain of these fields."""

    limits: ClassVar[Mapping[str, Limits]] = {
        "learning_rate": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "clip": POSITIVE,
        "betas": (0, BELOW_1),
    }

    optimizer: optim.Optimizer = "adam"
    """Optimizer."""
    learning_rate: float = 1e-3
    """Learning rate; with a schedule, the highest one."""
    schedule: optim.ScheduleName = "cosine"
    """Course of the learning rate over the run."""
    warmup: str | None = None
    """Duration over which the learning rate rises to its highest value, such as `5%`."""
    weight_decay: float | None = None
    """Coefficient of decoupled weight decay of the kernels; by default 0.01 with adamw, else 0."""
    clip: float | None = None
    """Largest norm of the gradient; greater gradients are scaled down to it."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of Adam's two moving averages; momentum has the first."""

    def require_default_optimization(self) -> None:
        """Refuses these options where they have no effect.

        A field that the experiment's own config declares again is the experiment's matter.

        Raises:
            UsageError: naming the option.
        """
        bases = (base for base in type(self).__mro__ if base is not Optimization)
        own = {name for base in bases for name in inspect.get_annotations(base)}
        for field in dataclasses.fields(Optimization):
            if field.name not in own and getattr(self, field.name) != field.default:
                option = field.name.replace("_", "-")
                raise UsageError(f"--{option} has no effect on this experiment. Leave it out.")
