"""Adversarial training: attacked images in each step, exact and repeatable evaluation."""

import functools
from typing import Any

import chex
import jax
import numpy as np
import optax
import pytest

from dlcourse import analysis, learners, losses, models
from dlcourse.analysis.inspect import attacks
from dlcourse.data import images as load_images
from dlcourse.errors import UserError
from dlcourse.learner import Learner, Rule

LEARNER = learners.supervised(
    models.MLP((32, 10)), losses.softmax_cross_entropy, Rule(optax.adam(0.01))
)
step = jax.jit(LEARNER.step)


def predict(state, x) -> jax.Array:
    return LEARNER.apply(state, {"image": x}, jax.random.key(0))


@pytest.fixture(scope="module")
def examples() -> dict[str, np.ndarray]:
    digits = load_images("digits")
    rows = digits.read(digits.splits["test"][:101])
    return {
        "image": rows["image"],
        "label": rows["label"],
        "index": np.arange(101, dtype=np.int32),
        "mask": np.ones(101, np.float32),
    }


@pytest.fixture(scope="module")
def start(examples) -> Any:
    """The first state, of the learner and of its adversarial training alike."""
    robust = learners.adversarial_training(LEARNER, attacks.pgd, 0.1)
    return jax.jit(robust.init)(jax.random.key(0), examples)


@pytest.fixture(scope="module")
def trained(start, examples) -> Any:
    """After a few steps without an attack, so that some images withstand one."""
    state = start
    for _ in range(30):
        state, _ = step(state, examples, jax.random.key(0))
    return state


def test_the_step_is_the_learners_own_on_attacked_images(start, examples, key) -> None:
    attack = functools.partial(attacks.pgd, steps=2)
    robust = learners.adversarial_training(LEARNER, attack, 0.1)

    @jax.jit
    def attacked(state, key, images, labels) -> tuple[jax.Array, jax.Array]:
        attack_key, step_key = jax.random.split(key)
        return attack(lambda x: predict(state, x), attack_key, images, labels, 0.1), step_key

    images, step_key = attacked(start, key, examples["image"], examples["label"])
    expected, _ = step(start, examples | {"image": images}, step_key)
    found, metrics = jax.jit(robust.step)(start, examples, key)
    chex.assert_trees_all_close(found, expected, atol=1e-5)
    clean = step(start, examples, step_key)[1]
    assert metrics["loss"].value > clean["loss"].value


@pytest.mark.long
def test_adversarial_training_withstands_what_plain_training_does_not(start, examples, key) -> None:
    """On the test images, under a stronger attack than either has seen."""
    digits = load_images("digits")
    rows = digits.read(digits.splits["train"][:500])
    train = jax.device_put({"image": rows["image"], "label": rows["label"]})
    images, labels = jax.device_put((examples["image"], examples["label"]))
    epsilon = 0.1
    robust = learners.adversarial_training(
        LEARNER, functools.partial(attacks.pgd, steps=5), epsilon
    )
    evaluate = jax.jit(robust.evaluate)
    strong = functools.partial(attacks.pgd, steps=10, restarts=2)

    def accuracies(learner) -> tuple[float, float]:
        @jax.jit
        def run(state) -> Any:
            return jax.lax.scan(
                lambda state, k: (learner.step(state, train, k)[0], None),
                state,
                jax.random.split(key, 80),
            )[0]

        state = run(start)
        measured = evaluate(state, examples)
        logits = jax.tree_util.Partial(predict, state)
        under_attack = analysis.robustness(logits, key, images, labels, [epsilon], attack=strong)[0]
        assert under_attack <= measured["robust_accuracy"].value + 0.02
        return float(measured["accuracy"].value), float(under_attack)

    clean, attacked = accuracies(LEARNER)
    clean_robust, attacked_robust = accuracies(robust)
    assert clean > 0.9
    assert clean_robust > 0.85
    assert attacked_robust > attacked + 0.1


def test_evaluation_counts_every_example_once_and_repeats(start, examples) -> None:
    attack = functools.partial(attacks.pgd, steps=2, random_start=False)
    evaluate = jax.jit(learners.adversarial_training(LEARNER, attack, 0.1).evaluate)
    masked = examples | {"mask": np.arange(101) < 97}
    found, again = evaluate(start, masked), evaluate(start, masked)
    chex.assert_trees_all_equal(found, again)
    shown = evaluate(start, jax.tree.map(lambda a: a[:97], masked))
    chex.assert_trees_all_close(found, shown, rtol=1e-6)
    assert found["robust_accuracy"].weight == 97
    assert found["robust_accuracy"].value < found["accuracy"].value


def test_adversarial_training_refuses_a_radius_below_zero_before_it_trains() -> None:
    with pytest.raises(UserError, match=r"at least 0; it is -0\.1"):
        learners.adversarial_training(Learner(None, None, None, None), attacks.pgd, -0.1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_robust_accuracy_does_not_depend_on_the_batch_size(norm, trained, examples) -> None:
    """Each image is attacked from a start of its own, whatever else is in its batch."""
    attack = functools.partial(attacks.pgd, steps=2, restarts=2, norm=norm)
    radius = 0.05 if norm == "linf" else 0.4
    evaluate = jax.jit(learners.adversarial_training(LEARNER, attack, radius).evaluate)

    def counted(size: int) -> float:
        total = 0.0
        for first in range(0, 101, size):
            rows = np.arange(first, first + size)
            part = {name: array[rows % 101] for name, array in examples.items()}
            part["mask"] = (rows < 101).astype(np.float32)
            total += float(evaluate(trained, part)["robust_accuracy"].total)
        return total

    whole = counted(101)
    assert 0 < whole < 101
    assert counted(32) == counted(50) == whole
