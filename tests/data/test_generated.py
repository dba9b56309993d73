"""Generated sets follow their equations and depend on the seed alone."""

import numpy as np
import pytest

from dlcourse.data import generated
from dlcourse.errors import UsageError


def everything(data):
    return data.examples["features"].astype(float), data.examples["label"]


def test_two_moons_lie_on_two_half_circles():
    points, labels = everything(generated.two_moons(3, noise=0.0))
    for label, (centre, side) in enumerate([((0, 0), 1), ((1, 0.5), -1)]):
        from_centre = points[labels == label] - centre
        np.testing.assert_allclose(np.linalg.norm(from_centre, axis=1), 1.0, rtol=1e-5)
        assert (side * from_centre[:, 1] >= -1e-6).all()
        assert from_centre[:, 0].min() < -0.9
        assert from_centre[:, 0].max() > 0.9


def test_spirals_have_the_requested_turns():
    points, labels = everything(generated.spirals(3, noise=0.0, turns=2.0))
    radius = np.linalg.norm(points, axis=1)
    assert radius.max() <= 1.0
    angle = 2 * np.pi * 2.0 * radius + np.pi * labels
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    np.testing.assert_allclose(points, radius[:, None] * unit, atol=1e-5)
    # Uniform over the disc: half of the points have r < sqrt(1/2).
    assert np.mean(radius < np.sqrt(0.51)) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("make", [generated.two_moons, generated.spirals])
def test_the_seed_determines_the_set(make):
    first, again, other = (make(seed).examples["features"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    data = make(0)
    assert data.name.startswith("generated")
    assert {split: len(numbers) for split, numbers in data.splits.items()} == {
        "train": 400, "validation": 100, "test": 500,
    }  # fmt: skip
    assert np.mean(data.examples["label"]) == pytest.approx(0.5, abs=0.06)
    clean, noisy = (make(0, noise=noise).examples["features"] for noise in (0.0, 0.2))
    assert (noisy - clean).std() == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("wave", 0.5, 0.2),  # 0.6 sin(π/2) + 0.4 sin(3π/2)
        ("triangle", 0.5, 1.0),
        ("triangle", 0.25, 0.0),
        ("triangle", -1.0, -1.0),
        ("chirp", -0.5, 1.0),  # sin(2π/4)
        ("chirp", 0.5, 1.0),  # sin(2π 9/4)
    ],
)
def test_curves_have_known_values(name, x, y):
    assert generated.CURVES[name](np.array(x)) == pytest.approx(y)


def test_a_curve_is_tested_between_its_examples():
    data = generated.curve("chirp", 17)
    train, validation, test = (
        data.examples["x"][data.splits[split], 0] for split in ("train", "validation", "test")
    )
    assert (len(train), len(validation), len(test)) == (17, 16, 136)
    np.testing.assert_allclose(validation, train[:-1] + 1 / 16, atol=1e-6)
    assert train[0] == test[0] == -1
    assert train[-1] == test[-1] == 1
    x, y = data.examples["x"].astype(float), data.examples["y"]
    np.testing.assert_allclose(y, generated.CURVES["chirp"](x), atol=1e-5)


def test_an_unknown_curve_is_refused():
    with pytest.raises(UsageError, match=r"Unknown curve 'wafe'.*wave, triangle, chirp"):
        generated.curve("wafe")
