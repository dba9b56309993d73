"""Runs of the small experiments of `tests.kinds`, and stopping them at a step."""

import json

from dlcourse import training
from dlcourse.training.engine.feed import Resident
from dlcourse.training.run import loop
from dlcourse.training.run.interruption import Interruption
from tests.kinds import KINDS, Config


class At(Interruption):
    """A signal that comes when the loop has been given the batch of a step."""

    def __init__(self, monkeypatch, step: int) -> None:
        super().__init__()
        # One step a chunk, so that the loop can stop anywhere.
        monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
        given = Resident.training

        def training_until(feed, first, length):
            if first + length >= step:
                self.signal = "SIGTERM"
            return given(feed, first, length)

        monkeypatch.setattr(Resident, "training", training_until)


def train(kind, folder, interruption=None, **fields):
    """Trains one of the small experiments."""
    config = Config(workdir=folder, **fields)
    return training.run(KINDS[kind], config, name=kind, interruption=interruption, silent=True)


def rows(folder):
    """The rows of `metrics.jsonl`."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder):
    """TensorBoard's events of a run: the values by tag and step."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  (the format it wrote)

    (file,) = folder.glob("events.out.tfevents.*")
    content, found = file.read_bytes(), []
    while content:  # length, its checksum, the event, its checksum
        size = int.from_bytes(content[:8], "little")
        found.append(Event.FromString(content[12 : 12 + size]))
        content = content[12 + size + 4 :]
    return {(v.tag, e.step): v.simple_value for e in found for v in e.summary.value if v.tag}
