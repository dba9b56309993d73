"""Learning from corrupted inputs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, losses, optim
from dlcourse.learner import Rule


class Scaled(nn.Module):
    """`w x`, of which `1 / (1 + σ²)` is the best w for images of variance 1."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return self.param("w", nn.initializers.ones_init(), (1,))[0] * x


def noise(key, image):
    return image + 0.5 * jax.random.normal(key, image.shape)


def inner():
    return learners.supervised(
        Scaled(), losses.squared_error, Rule(optim.sgd(0.2)), inputs="noisy", target="image",
        metrics_of={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def batch():
    images = np.random.default_rng(0).normal(size=(400, 5, 3, 1)).astype(np.float32)
    mask = np.ones(400, np.float32)
    return jax.device_put({"image": images, "index": np.arange(400), "mask": mask})


def test_the_noise_is_new_at_each_step_and_the_target_is_clean(batch):
    learner = learners.corrupted(inner(), noise)
    state, step = learner.init(jax.random.key(0), batch), jax.jit(learner.step)
    losses_of = set()
    for number in range(30):
        state, found = step(state, batch, jax.random.key(number))
        losses_of.add(float(found["loss"].total))
    assert len(losses_of) == 30
    np.testing.assert_allclose(state.params["w"], 1 / 1.25, atol=0.02)
    clean = learner.apply(state, batch, jax.random.key(0))
    np.testing.assert_allclose(clean, state.params["w"][0] * batch["image"], rtol=1e-6)


def test_the_noise_of_evaluation_belongs_to_the_example(batch):
    learner = learners.corrupted(inner(), noise)
    state = learner.init(jax.random.key(0), batch)
    evaluate = jax.jit(learner.evaluate)
    whole = evaluate(state, batch)["loss"]
    np.testing.assert_allclose(whole.total / whole.weight, 0.25, rtol=0.03)
    parts = [
        evaluate(state, {n: a[s] for n, a in batch.items()})["loss"].total
        for s in (slice(0, 200), slice(200, 400))
    ]
    np.testing.assert_allclose(sum(parts), whole.total, rtol=1e-4)
    shown = learners.with_corruption({n: a[7:9] for n, a in batch.items()}, noise)["noisy"]
    expected = learners.with_corruption(batch, noise)["noisy"]
    np.testing.assert_allclose(shown, jnp.asarray(expected)[7:9], rtol=1e-6)
