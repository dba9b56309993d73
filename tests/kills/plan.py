"""Which commands are killed, when, and with which signals."""

import random
import signal
from collections.abc import Sequence

# Options of `tests/kills/experiment.py`, by the name of the kind of run.
RUNS: dict[str, list[str]] = {
    "classifier": ["--kind", "classifier"],
    "batch norm": ["--kind", "batch_norm"],
    "GAN": ["--kind", "gan"],
    "deep Q-learning": ["--kind", "dqn"],
    "side by side": ["--kind", "side_by_side"],
    "population of rates": ["--kind", "rates"],
    "augmented": ["--kind", "augmented"],
    "adversarial": ["--kind", "adversarial"],
    "three seeds": ["--kind", "classifier", "--seeds", "3"],
    "streamed": ["--kind", "classifier", "--stream"],
    "patience": ["--kind", "rates", "--patience", "2", "--evaluate-every", "4 steps"],
    "patience of parts": [
        "--kind", "side_by_side", "--patience", "3", "--evaluate-every", "3 steps",
    ],
    "policy": [
        "--kind", "batch_norm", "--ema", "0.9", "--accumulate", "4", "--precision", "bfloat16",
        "--remat", "--freeze", "Conv_0",
    ],
    "two devices": ["--kind", "classifier", "--mesh", "data=1,fsdp=2"],
    "comparison": [],
}  # fmt: skip
DEVICES = {"two devices": 2}

# How often each is sent.
SIGNALS = {
    (signal.SIGKILL,): 0.6,
    (signal.SIGTERM,): 0.18,
    (signal.SIGINT,): 0.17,
    (signal.SIGINT, signal.SIGINT): 0.05,
}
AGAIN = 3 / 4  # the chance that a run is killed once more
COLD = 0.02  # that it begins with an empty cache of compiled programs
LATER = 0.3  # seconds within which a second signal follows

# A life of a run: phases with the seconds at which they began, and its end.
Life = tuple[Sequence[tuple[str, float]], float]


def draw_signals(chance: random.Random) -> list[int]:
    (chosen,) = chance.choices([*SIGNALS], [*SIGNALS.values()])
    return [int(number) for number in chosen]


def draw_moments(chance: random.Random, count: int, life: Life) -> list[float]:
    """Moments of signals, in seconds, from a life that was not cut short.

    Half of them are uniform over the life. The others are uniform over a phase, which is drawn
    first: some phases are short.
    """
    marks, end = life
    if chance.random() < 0.5:
        first = chance.uniform(0, end)
    else:
        spans: dict[str, list[tuple[float, float]]] = {}
        for (phase, begin), (_, after) in zip(marks, [*marks[1:], ("", end)], strict=True):
            spans.setdefault(phase, []).append((begin, after))
        of_phase = spans[chance.choice(sorted(spans))]
        ((begin, after),) = chance.choices(of_phase, [after - begin for begin, after in of_phase])
        first = chance.uniform(begin, after)
    return [first, *(first + chance.uniform(0, LATER) for _ in range(count - 1))]
