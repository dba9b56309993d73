"""Generated sets: two classes of points in the plane, and curves for regression."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from dlcourse.data.dataset import Dataset
from dlcourse.errors import UsageError


def two_moons(seed: int, noise: float = 0.1) -> Dataset:
    """Two interleaved half circles, as in scikit-learn's `make_moons`.

        class 0: (cos t, sin t),    class 1: (1 - cos t, ½ - sin t),    t ~ U(0, π)

    plus Gaussian noise. Batches hold `features`, float32 `[batch, 2]`, and `label`, int32
    `[batch]`; the splits have 400, 100 and 500 points.

    Args:
        seed: of the generator.
        noise: standard deviation.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, 1]))
    labels = random.integers(0, 2, 1000)
    t = random.uniform(0, np.pi, 1000)
    outer = np.stack([np.cos(t), np.sin(t)], axis=-1)
    points = np.where(labels[:, None] == 0, outer, [1.0, 0.5] - outer)
    return _planar("generated two moons", points, noise, labels, random)


def spirals(seed: int, noise: float = 0.05, turns: float = 1.5) -> Dataset:
    """Two interleaved arms of a spiral.

        (r cos φ, r sin φ),    φ = 2π · turns · r + π · class,    r = √u,    u ~ U(0.02, 1)

    plus Gaussian noise. The square root makes the density uniform over the disc. Batches and
    splits are those of `two_moons`.

    Args:
        seed: of the generator.
        noise: standard deviation.
        turns: revolutions of each arm.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, 2]))
    labels = random.integers(0, 2, 1000)
    r = np.sqrt(random.uniform(0.02, 1, 1000))
    angle = 2 * np.pi * turns * r + np.pi * labels
    points = r[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return _planar("generated spirals", points, noise, labels, random)


def _planar(
    name: str,
    points: Float[np.ndarray, "examples 2"],
    noise: float,
    labels: np.ndarray,
    random: np.random.Generator,
) -> Dataset:
    noisy = points + noise * random.normal(size=points.shape)
    examples = {"features": noisy.astype(np.float32), "label": labels.astype(np.int32)}
    parts = np.split(np.arange(len(labels)), [400, 500])
    splits = dict(zip(("train", "validation", "test"), parts, strict=True))
    return Dataset(name, examples, splits, classes=("0", "1"))


# Continuous functions from [-1, 1] to [-1, 1], in the order of increasing difficulty.
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "wave": lambda x: 0.6 * np.sin(np.pi * x) + 0.4 * np.sin(3 * np.pi * x),
    "triangle": lambda x: 1 - 2 * np.abs(2 * np.abs(x) - 1),
    "chirp": lambda x: np.sin(2 * np.pi * (x + 1) ** 2),
}


def curve(name: str, count: int = 512) -> Dataset:
    """A curve sampled without noise at evenly spaced points of [-1, 1].

    Batches hold `x` and `y`, float32 `[batch, 1]`. The validation points are the midpoints between
    the training points. The test split is eight times as dense, to measure the maximum error.

    Args:
        name: one of `CURVES`.
        count: number of training points.

    Raises:
        UsageError: unknown name.
    """
    if name not in CURVES:
        raise UsageError(f"Unknown curve '{name}'; the curves are {', '.join(CURVES)}.")
    train = np.linspace(-1, 1, count)
    parts = [train, (train[1:] + train[:-1]) / 2, np.linspace(-1, 1, 8 * count)]
    x = np.concatenate(parts)
    examples = {"x": x, "y": CURVES[name](x)}
    ends = np.cumsum([len(part) for part in parts])
    places = np.split(np.arange(len(x)), ends[:-1])
    return Dataset(
        f"generated {name}",
        {column: values[:, None].astype(np.float32) for column, values in examples.items()},
        dict(zip(("train", "validation", "test"), places, strict=True)),
    )
