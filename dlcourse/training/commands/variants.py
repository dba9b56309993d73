"""Several runs in one command: the rows of a table, each in its own folder and resumable."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

from dlcourse.errors import UsageError
from dlcourse.training.config import Config
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.folder import new_folder
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Interrupted, Result, run


def run_variants(
    variants: Mapping[str, Callable[[Config], Experiment]],
    config: Config,
    *,
    name: str,
    interruption: Interruption | None = None,
) -> tuple[dict[str, Result], pathlib.Path]:
    """Runs one experiment after another, each in `<workdir>/<variant>`.

    Started again with the same run folder, the variants that are finished only report, and the one
    that was stopped goes on.

    Args:
        variants: from the config to an experiment, by the variant's name.
        config: what all of them share.
        name: the experiment's name.
        interruption: truthy once the command should stop.

    Returns:
        The results by the variant's name, and the folder they share.

    Raises:
        UsageError: there are no variants.
    """
    if not variants:
        raise UsageError(f"{name} has nothing to run: name at least one of what it compares.")
    folder = config.workdir or new_folder(name)
    results = {}
    for variant, experiment in variants.items():
        inside = dataclasses.replace(config, workdir=folder / variant)
        try:
            results[variant] = run(
                experiment(inside), inside, name=f"{name}/{variant}", interruption=interruption
            )
        except Interrupted as stop:
            # The run names its own folder; the command goes on from the one they share.
            message = str(stop).replace(str(inside.workdir), str(folder))
            raise Interrupted(f"{variant}: {message}") from None
    return results, folder
