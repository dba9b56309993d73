"""Members of a population whose loss is not finite any more, while others train on."""

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from dlcourse.training.run.folder import members


def one_population(measured: Mapping[str, Any], losses: Set[str]) -> dict[str, Any]:
    """Metrics in which a member whose loss is not finite has no value at all.

    Its predictions are those of weights that are not numbers: its accuracy is finite, and would
    count in a mean in which its loss does not. So every mean of a row is over the same members.

    Args:
        measured: metrics by name, of every member `[*members]`; of one run, numbers.
        losses: names of losses; that of a part, `loss/part`, concerns the metrics of that part.
    """
    found = {name: np.asarray(value, np.float64) for name, value in measured.items()}
    for loss in sorted(losses & found.keys()):
        alive = np.isfinite(found[loss])
        _, _, part = loss.partition("/")
        for name, values in found.items():
            concerned = not part or name.endswith(f"/{part}")
            if concerned and alive.ndim and values.shape == alive.shape:
                found[name] = np.where(alive, values, np.nan)
    return found


def diverged_seeds(
    metrics: Mapping[str, Mapping[str, Any]], losses: Set[str], seeds: range
) -> list[int]:
    """The seeds of a run whose loss is not finite, on any split and in all members.

    Args:
        metrics: of a summary, by split and name.
        losses: names of losses.
        seeds: of the run, in the order of its members.
    """
    values = [members(row[name]) for row in metrics.values() for name in losses & row.keys()]
    if len(seeds) == 1 or not values:
        return []
    alive = [np.isfinite(value.reshape(len(seeds), -1)).any(1) for value in values]
    return [seed for seed, each in zip(seeds, np.all(alive, 0), strict=True) if not each]
