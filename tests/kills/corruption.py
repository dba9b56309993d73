"""Checkpoints of which one byte is changed: refused, or restored exactly, or the one before is."""

import dataclasses
import pathlib
import random
import shutil
from collections import Counter
from typing import Any

import chex
import jax

from dlcourse.errors import UserError
from dlcourse.training.commands import evaluate
from tests.kills.client import Answer, Client
from tests.kills.left import differences, left
from tests.kills.trials import FAULTS, Reference


@dataclasses.dataclass
class Corruptions:
    """What has happened so far.

    Attributes:
        outcomes: of the resumed command, and of loading for evaluation.
        failures: each with the number of its trial.
    """

    outcomes: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    failures: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def run_corruptions(
    client: Client, references: dict[str, Reference], count: int, seed: int
) -> Corruptions:
    """Changes one byte of the newest checkpoint of each kind in turn.

    Then the checkpoint is loaded for evaluation, and the same command is started again: with an
    older checkpoint that it can fall back to, or without one.
    """
    found = Corruptions()
    kinds = [kind for kind in references if (references[kind].folder / "config.json").exists()]
    opened: dict[str, _Opened] = {}
    for number in range(count):
        kind = kinds[number % len(kinds)]
        if kind not in opened:
            opened[kind] = _Opened(references[kind])
        chance = random.Random(f"corruption {seed} {number}")
        _corrupt(client, references[kind], opened[kind], number, chance, found)
    return found


class _Opened:
    """A run that was left alone, opened for evaluation; its checkpoints as they should be."""

    def __init__(self, reference: Reference) -> None:
        self._loop = evaluate.open_folder(reference.folder, mesh="data=1").loop()
        self.steps = sorted(int(s.name) for s in (reference.folder / "checkpoints").iterdir())
        self._states = {s: jax.device_get(evaluate.restore(self._loop, s)[1]) for s in self.steps}

    def load(self, folder: pathlib.Path, step: int) -> str:
        """Loads the newest checkpoint of a folder: `refused`, `exact`, or what is wrong."""
        self._loop.folder.path = folder
        try:
            loaded, state = evaluate.restore(self._loop, None)
        except UserError as error:
            named = f"checkpoints/{step} " in str(error)
            return "refused" if named else f"The refusal does not name it: {error}"
        if loaded != step:
            return f"Step {loaded} was loaded."
        try:
            chex.assert_trees_all_equal(jax.device_get(state), self._states[step])
        except AssertionError as error:
            return f"Silently different: {error}"
        return "exact"


def _corrupt(
    client: Client,
    reference: Reference,
    opened: _Opened,
    number: int,
    chance: random.Random,
    found: Corruptions,
) -> None:
    folder = client.folder / f"corruption-{number}"
    shutil.copytree(reference.folder, folder)
    older, newest = opened.steps
    # Both are there; or the newest alone; or the run is unfinished.
    kept = chance.choice([(older, newest), (newest,), (older,)])
    for step in {older, newest} - {*kept}:
        shutil.rmtree(folder / "checkpoints" / str(step))
    place = folder / "checkpoints" / str(kept[-1])
    where = _change_a_byte(place, chance)
    loaded = opened.load(folder, kept[-1])
    answer = client.start(reference.kind, folder)
    resumed = _judge(answer, place, alone=len(kept) == 1)
    what = [outcome for outcome in (loaded, resumed) if " " in outcome]
    if answer.status == 0:
        what += differences(reference.left, left(folder))
    found.outcomes["loaded", loaded.split()[0]] += 1
    found.outcomes["resumed", resumed.split()[0]] += 1
    if what:
        found.failures.append(
            {
                "corruption": number, "kind": reference.kind, "what": what,
                "where": f"{place.name}/{where}", "said": answer.said[-2000:],
                "folder": str(folder),
            }
        )  # fmt: skip
    else:
        shutil.rmtree(folder)
        folder.with_suffix(".log").unlink()


def _change_a_byte(step: pathlib.Path, chance: random.Random) -> str:
    """In a file that is drawn uniformly, or by its size; one bit, or any."""
    files = sorted(file for file in step.rglob("*") if file.is_file() and file.stat().st_size)
    sizes = [file.stat().st_size for file in files]
    (file,) = chance.choices(files, sizes if chance.random() < 0.5 else None)
    content = bytearray(file.read_bytes())
    place = chance.randrange(len(content))
    change = 1 << chance.randrange(8) if chance.random() < 0.5 else chance.randrange(1, 256)
    content[place] ^= change
    file.write_bytes(bytes(content))
    return f"{file.relative_to(step)}, byte {place} xor {change}"


def _judge(answer: Answer, step: pathlib.Path, alone: bool) -> str:
    """The outcome of the resumed command in one word; in more, if something is wrong."""
    name = f"checkpoints/{step.name}"
    if answer.status == 0 and not FAULTS.search(answer.said):
        if "moved to" in answer.said:
            fell_back = name in answer.said and not alone
            return "older" if fell_back else f"It went on without {name}."
        return "exact"
    refusal = answer.said.startswith("error: ") and name in answer.said
    if answer.status == 1 and refusal and alone and answer.said.count("\n") <= 2:
        return "refused"
    return f"It ended with status {answer.status}."
