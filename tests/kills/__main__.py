"""Kills runs of every kind at random moments, resumes them, and compares them bit for bit.

python -m tests.kills --kills 1000 --corruptions 200 --out runs/kills

A failure is printed with the number of its trial, and its folder is kept; `--trial N` with the same
seed draws the same signals again.
"""

import dataclasses
import pathlib
import sys
import time

import tyro


@dataclasses.dataclass(frozen=True)
class Options:
    """Kills runs of every kind at random moments, resumes them, and compares them bit for bit."""

    out: pathlib.Path
    """A new folder, for the record and for what failed."""
    kills: int = 1000
    """Number of kills in all."""
    corruptions: int = 200
    """Number of checkpoints of which a byte is changed."""
    seed: int = 0
    """Of all random draws."""
    trial: int | None = None
    """Do this trial alone, in place of all."""
    cache: pathlib.Path | None = None
    """A folder of compiled programs, by default a new one in `out`."""
    kinds: tuple[str, ...] = ()
    """Kinds of runs, all by default."""


def main(options: Options) -> int:
    from tests.kills.client import Client
    from tests.kills.corruption import run_corruptions
    from tests.kills.plan import RUNS
    from tests.kills.record import print_tables, write_record
    from tests.kills.trials import Counts, Reference, Trial, run_trials

    options.out.mkdir(parents=True)
    began = time.time()
    kinds = options.kinds or tuple(RUNS)
    if options.trial is not None:
        kinds = ([*RUNS][options.trial % len(RUNS)],)
    with Client(options.out, options.cache) as client:
        references = {kind: Reference(client, kind) for kind in kinds}
        print(f"{len(kinds)} runs left alone: {time.time() - began:.0f} s", flush=True)
        if options.trial is not None:
            counts = Counts()
            Trial(client, references[kinds[0]], options.trial, options.seed).run(counts)
        else:
            counts = run_trials(client, references, options.kills, options.seed)
        killing = time.time() - began
        corrupted = run_corruptions(client, references, options.corruptions, options.seed)
    seconds = {"kills": round(killing), "corruptions": round(time.time() - began - killing)}
    write_record(options.out / "record.json", counts, corrupted, seconds, options.seed)
    print_tables(counts, corrupted, seconds)
    return 1 if counts.failures or corrupted.failures else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
