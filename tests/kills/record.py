"""The figures of a campaign of kills: as a record, and as tables to read."""

import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from dlcourse.training.run.folder import versions
from tests import ROOT
from tests.kills.corruption import Corruptions
from tests.kills.trials import Counts


def write_record(
    place: pathlib.Path, counts: Counts, corrupted: Corruptions, seconds: Any, seed: int
) -> None:
    """Writes everything that was counted, and where."""
    kinds, signals, phases = _by(counts)
    record = {
        "command": shlex.join(["python", "-m", "tests.kills", *sys.argv[1:]]),
        "seed": seed,
        "seconds": seconds,
        "kills": {
            "total": counts.kills.total(), "by_kind": kinds, "by_signal": signals,
            "by_phase": phases, "left_half_a_checkpoint": counts.half_saved,
            "runs_compared": counts.trials,
            "statuses": {f"{name}: {status}": n for (name, status), n in counts.statuses.items()},
            "failures": counts.failures,
        },
        "corruptions": {
            "outcomes": {" ".join(names): n for names, n in corrupted.outcomes.items()},
            "failures": corrupted.failures,
        },
        "machine": {
            "platform": platform.platform(), "processor": _processor(),
            "cpus": len(os.sched_getaffinity(0)),
        },
        "python": platform.python_version(),
        "versions": versions(),
        "commit": _commit(),
    }  # fmt: skip
    place.write_text(json.dumps(record, indent=2) + "\n")


def print_tables(counts: Counts, corrupted: Corruptions, seconds: Mapping[str, int]) -> None:
    kinds, signals, phases = _by(counts)
    for title, table in (("kind", kinds), ("signal", signals), ("phase", phases)):
        print(f"\nkills by {title}")
        for name, count in sorted(table.items(), key=lambda item: -item[1]):
            print(f"{count:6}  {name}")
    print(
        f"\n{counts.kills.total()} kills, {counts.half_saved} of which left half a checkpoint; "
        f"{counts.trials} runs compared, {len(counts.failures)} failures, {seconds['kills']} s"
    )
    outcomes = ", ".join(f"{' '.join(n)} {c}" for n, c in sorted(corrupted.outcomes.items()))
    print(
        f"corruptions: {outcomes or 'none'}; {len(corrupted.failures)} failures, "
        f"{seconds['corruptions']} s"
    )
    for failure in counts.failures + corrupted.failures:
        print("\n" + json.dumps(failure, indent=2))


def _by(counts: Counts) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """The kills by kind, by signal and by phase."""
    tables: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
    for names, count in counts.kills.items():
        for table, name in zip(tables, names, strict=True):
            table[name] += count
    return tables  # type: ignore[return-value]


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
