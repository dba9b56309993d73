"""Diffusion: what is learned, and that a sample depends on its own number alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, models, optim
from dlcourse.errors import UserError
from dlcourse.learner import Rule

SHAPE, CLASSES = (4, 4, 1), 3
NOISE = models.Noise(20)


class Linear(nn.Module):
    """A network of two layers that knows step and class."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        x = inputs["image"]
        step = nn.Embed(20, 16)(inputs["step"])
        label = nn.Embed(CLASSES + 1, 16)(inputs["label"])
        flat = nn.tanh(nn.Dense(16)(x.reshape(x.shape[0], -1)) + step + label)
        return nn.Dense(16)(flat).reshape(x.shape)


class Zero(nn.Module):
    @nn.compact
    def __call__(self, inputs, *, train=False):
        return 0.0 * self.param("w", nn.initializers.ones_init(), (1,))[0] * inputs["image"]


TASK = learners.Denoising(Linear(), NOISE, classes=CLASSES)


def sampler(task=TASK, **options):
    return learners.sampler(task, **({"shape": SHAPE, "steps": 4} | options))


def batch(count):
    images = jax.random.uniform(jax.random.key(5), (count, *SHAPE))
    return {
        "image": images,
        "label": jnp.arange(count) % CLASSES,
        "index": jnp.arange(count),
        "mask": jnp.ones(count),
    }


@pytest.fixture(scope="module")
def made():
    rule = Rule(optim.adam(1e-2))
    learner = learners.diffusion(TASK, rule, sampler(eta=1.0))
    return learner, jax.jit(learner.init)(jax.random.key(0), batch(6))


def drawn(state, key, given, **options):
    draw = sampler(**options)
    return np.asarray(jax.jit(lambda s, b, k: draw(s, b, k).data)(state, given, key))


def test_a_sample_depends_on_its_number_and_class_alone(made, key):
    learner, state = made
    index, label = jnp.arange(9), jnp.arange(9) % CLASSES
    apply = jax.jit(learner.apply)
    whole = apply(state, {"index": index, "label": label}, key)
    some = apply(state, {"index": jnp.array([7, 2]), "label": jnp.array([1, 2])}, key)
    np.testing.assert_allclose(some, np.asarray(whole)[[7, 2]], rtol=1e-5, atol=1e-6)
    assert np.all((whole >= 0) & (whole <= 1))
    other = apply(state, {"index": index[:2], "label": label[:2] + 1}, key)
    assert np.abs(other - whole[:2]).max() > 1e-3
    assert len(np.unique(np.asarray(whole[:, 0, 0, 0]))) > 3


def test_measurements_do_not_depend_on_the_batch(made):
    learner, state = made
    whole = jax.jit(learner.evaluate)(state, batch(6))
    parts = [
        jax.jit(learner.evaluate)(state, jax.tree.map(lambda a, s=s: a[s], batch(6)))
        for s in (slice(0, 3), slice(3, 6))
    ]
    total = sum(float(part["loss"].total) for part in parts)
    np.testing.assert_allclose(whole["loss"].total, total, rtol=1e-5)
    merged = jax.tree.map(jnp.add, parts[0]["frechet"], parts[1]["frechet"])
    np.testing.assert_allclose(whole["frechet"].value, merged.value, rtol=1e-3)


def test_guidance_1_is_the_conditional_model_and_0_knows_no_class(made, key):
    _, state = made
    given = {"index": jnp.arange(5), "label": jnp.arange(5) % CLASSES}
    none = given | {"label": jnp.full(5, CLASSES)}
    plain = drawn(state, key, given)
    np.testing.assert_array_equal(drawn(state, key, given, guidance=1.0), plain)
    without = drawn(state, key, given, guidance=0.0)
    np.testing.assert_array_equal(without, drawn(state, key, none))
    np.testing.assert_array_equal(without, drawn(state, key, {"index": jnp.arange(5)}))
    # Continuous in between, and beyond.
    nearly = drawn(state, key, given, guidance=1.0001)
    np.testing.assert_allclose(nearly, plain, atol=1e-3)
    assert np.abs(drawn(state, key, given, guidance=3.0) - plain).max() > 1e-3


@pytest.mark.parametrize("target", ["epsilon", "v"])
def test_the_loss_of_a_network_that_predicts_nothing(target):
    """Of ε it is E ε² = 1; of v it is E (√ᾱ ε - √(1 - ᾱ) x)² = ᾱ + (1 - ᾱ) x² for images ±1."""
    task = learners.Denoising(Zero(), NOISE, target)
    learner = learners.diffusion(task, Rule(optim.adam(1e-2)), sampler(task))
    given = batch(2000) | {"image": jnp.ones((2000, *SHAPE))}
    state = learner.init(jax.random.key(0), given)
    found = jax.jit(learner.evaluate)(state, given)["loss"]
    assert float(found.total / found.weight) == pytest.approx(1.0, abs=0.04)


def test_labels_are_sometimes_left_out(made, key):
    """The embedding of no class learns only if some training images have none."""
    moved = []
    for share in (0.0, 0.5):
        rule = Rule(optim.sgd(1.0))
        learner = learners.diffusion(TASK, rule, sampler(), without_label=share)
        state = learner.init(jax.random.key(0), batch(30))
        after = jax.jit(learner.step)(state, batch(30), key)[0]
        change = after.params["Embed_1"]["embedding"] - state.params["Embed_1"]["embedding"]
        moved.append(np.abs(change).max(axis=1) > 0)
    np.testing.assert_array_equal(moved, [[True, True, True, False], [True] * 4])


def test_guidance_without_labels_is_refused():
    with pytest.raises(UserError, match=r"Guidance of 2 needs a model that was trained with label"):
        sampler(TASK._replace(classes=0), guidance=2.0)
