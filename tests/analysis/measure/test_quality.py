"""The quality of samples, on sets whose quality is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, data, metrics, models
from dlcourse.errors import UserError
from dlcourse.learner import Trained


def gaussian(mean, scale, count=400, seed=0):
    return np.random.default_rng(seed).normal(mean, scale, (count, 3)).astype(np.float32)


def test_a_set_is_as_good_as_itself():
    found = analysis.quality(gaussian(0, 1), gaussian(0, 1))
    assert found.frechet == pytest.approx(0, abs=1e-4)
    assert (found.precision, found.recall) == (1, 1)


def test_far_samples_are_neither_real_nor_various():
    found = analysis.quality(gaussian(0, 1), gaussian(100, 1, seed=1))
    assert found.frechet == pytest.approx(3 * 100**2, rel=0.01)
    assert (found.precision, found.recall) == (0, 0)


def test_samples_of_one_kind_are_real_but_not_various():
    """Two clusters are real; the samples are of one of them."""
    real = np.concatenate([gaussian(0, 1), gaussian(50, 1, seed=1)])
    found = analysis.quality(real, gaussian(0, 1, seed=2))
    assert found.precision > 0.9
    assert found.recall == pytest.approx(0.5, abs=0.05)
    turned = analysis.quality(gaussian(0, 1, seed=2), real)
    assert turned[1:] == found[:0:-1]


def test_shares_are_those_of_a_loop(monkeypatch):
    monkeypatch.setattr("dlcourse.analysis.measure.quality.CHUNK", 7)
    real, made = gaussian(0, 1, 20), gaussian(0.5, 1.3, 24, seed=1)

    def share(vectors, members):
        count = 0
        for vector in vectors:
            for member in members:
                nearest = sorted(np.linalg.norm(member - other) for other in members)
                if np.linalg.norm(vector - member) <= nearest[3]:  # the first is itself
                    count += 1
                    break
        return count / len(vectors)

    found = analysis.quality(real, made)
    assert found.precision == pytest.approx(share(made, real))
    assert found.recall == pytest.approx(share(real, made))


def test_the_bundled_extractor_tells_digits():
    """Its features are compared with a fixed sum: another version would change every number."""
    features, images = analysis.extractor("digits"), data.images("digits")
    assert features.name == "digits-1"
    test = images.read(images.splits["test"])
    found = np.asarray(features(jnp.asarray(test["image"])))
    assert found.shape == (450, 48)
    logits = models.CNN((16, 32), 10, 32).apply(features.variables, jnp.asarray(test["image"]))
    assert np.mean(logits.argmax(1) == test["label"]) > 0.985
    real = analysis.quality_of_images(images, features)
    assert real.frechet == pytest.approx(0.0183, abs=0.001)
    assert min(real[1:]) > 0.8
    image, rng = test["image"], np.random.default_rng(0)
    worse = {
        "noise": rng.uniform(size=image.shape),
        "shuffled": rng.permuted(image.reshape(450, -1), axis=1).reshape(image.shape),
        "blurred": (image + np.roll(image, 1, axis=1) + np.roll(image, 1, axis=2)) / 3,
    }
    for made in worse.values():
        of_made = analysis.quality(found, np.asarray(features(jnp.asarray(made, jnp.float32))))
        assert of_made.frechet > 30 * real.frechet
        assert min(of_made[1:]) < 0.1


def test_an_extractor_is_its_file(tmp_path, key):
    network = models.CNN((4, 6), 3, 5)
    images = jax.random.uniform(key, (2, 8, 8, 1))
    variables = network.init(key, images)
    state = Trained(variables["params"], {"batch_stats": variables["batch_stats"]})
    arrays = analysis.extractor_arrays(state, (8, 8, 1))
    np.savez(tmp_path / "own.npz", **arrays)
    found = analysis.extractor(str(tmp_path / "own.npz"))
    assert found.name == "own"
    first = variables["params"]["Conv_0"]["kernel"]  # without pooling, at its first values
    map_ = jax.lax.conv_general_dilated(
        images, first, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    means = np.maximum(map_ / np.sqrt(1 + 1e-5), 0).mean(axis=(1, 2))
    assert found(images).shape == (2, 10)
    np.testing.assert_allclose(found(images)[:, :4], means, rtol=1e-2, atol=2e-3)
    with pytest.raises(
        UserError, match=r"'own' is for images of shape \(8, 8, 1\); these have \(9"
    ):
        found(jnp.ones((1, 9, 9, 1)))


def test_what_is_no_extractor_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no extractor for 'cifar10'\. Train one"):
        analysis.extractor("cifar10")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04broken")
    with pytest.raises(UserError, match=r"broken\.npz is no extractor"):
        analysis.extractor(str(tmp_path / "broken.npz"))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match=r"other\.npz is no extractor"):
        analysis.extractor(str(tmp_path / "other.npz"))


def test_the_distance_is_that_of_the_metrics():
    real, made = gaussian(0, 1), gaussian(0.2, 1.5, seed=1)
    sides = [metrics.second_moments(jnp.asarray(each)) for each in (real, made)]
    assert analysis.quality(real, made).frechet == metrics.FrechetDistance(*sides).value
