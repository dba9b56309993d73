"""Adversarial training: attacked images in each step, exact and repeatable evaluation."""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from dlcourse import analysis, learners, losses, models
from dlcourse.analysis.inspect import attacks
from dlcourse.data import images as load_images
from dlcourse.errors import UserError
from dlcourse.learner import Learner, Rule


@pytest.fixture(scope="module")
def batch() -> tuple[jax.Array, jax.Array]:
    digits = load_images("digits")
    rows = digits.read(digits.splits["test"][:101])
    return jnp.asarray(rows["image"]), jnp.asarray(rows["label"])


def examples_of(batch) -> dict[str, jax.Array]:
    return {"image": batch[0], "label": batch[1], "index": jnp.arange(101)}


def classifier(attack, epsilon: float) -> tuple:
    rule = Rule(optax.adam(0.01))
    learner = learners.supervised(models.MLP((32, 10)), losses.softmax_cross_entropy, rule)

    def predict(state, x) -> jax.Array:
        return learner.apply(state, {"image": x}, jax.random.key(0))

    return learner, predict, learners.adversarial_training(learner, attack, epsilon)


def test_the_step_is_the_learners_own_on_attacked_images(batch, key) -> None:
    examples = examples_of(batch)
    attack = functools.partial(attacks.pgd, steps=2)
    learner, predict, robust = classifier(attack, 0.1)
    state = jax.jit(robust.init)(key, examples)
    attack_key, step_key = jax.random.split(key)
    attacked = attack(lambda x: predict(state, x), attack_key, *batch, 0.1)
    step = jax.jit(learner.step)
    expected, _ = step(state, examples | {"image": attacked}, step_key)
    found, metrics = jax.jit(robust.step)(state, examples, key)
    chex.assert_trees_all_close(found, expected, atol=1e-5)
    clean = step(state, examples, step_key)[1]
    assert metrics["loss"].value > clean["loss"].value


def test_adversarial_training_withstands_what_plain_training_does_not(batch, key) -> None:
    """On the test images, under a stronger attack than either has seen."""
    digits = load_images("digits")
    rows = digits.read(digits.splits["train"])
    train = {"image": jnp.asarray(rows["image"]), "label": jnp.asarray(rows["label"])}
    test = examples_of(batch) | {"mask": jnp.ones(101)}
    epsilon = 0.1
    plain, predict, robust = classifier(functools.partial(attacks.pgd, steps=5), epsilon)
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

        state = run(jax.jit(learner.init)(key, train))
        measured = evaluate(state, test)
        logits = jax.tree_util.Partial(predict, state)
        under_attack = analysis.robustness(logits, key, *batch, [epsilon], attack=strong)[0]
        assert under_attack <= measured["robust_accuracy"].value + 0.02
        return float(measured["accuracy"].value), float(under_attack)

    clean, attacked = accuracies(plain)
    clean_robust, attacked_robust = accuracies(robust)
    assert clean > 0.9
    assert clean_robust > 0.85
    assert attacked_robust > attacked + 0.1


def test_evaluation_counts_every_example_once_and_repeats(batch, key) -> None:
    attack = functools.partial(attacks.pgd, steps=2, random_start=False)
    learner, _, robust = classifier(attack, 0.1)
    examples = examples_of(batch) | {"mask": jnp.arange(101) < 97}
    state = jax.jit(learner.init)(key, examples)
    evaluate = jax.jit(robust.evaluate)
    found, again = evaluate(state, examples), evaluate(state, examples)
    chex.assert_trees_all_equal(found, again)
    shown = evaluate(state, jax.tree.map(lambda a: a[:97], examples))
    chex.assert_trees_all_close(found, shown, rtol=1e-6)
    assert found["robust_accuracy"].weight == 97
    assert found["robust_accuracy"].value < found["accuracy"].value


def test_adversarial_training_refuses_a_radius_below_zero_before_it_trains() -> None:
    with pytest.raises(UserError, match=r"at least 0; it is -0\.1"):
        learners.adversarial_training(Learner(None, None, None, None), attacks.pgd, -0.1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_robust_accuracy_does_not_depend_on_the_batch_size(norm, batch, key) -> None:
    """Each image is attacked from a start of its own, whatever else is in its batch."""
    attack = functools.partial(attacks.pgd, steps=2, restarts=2, norm=norm)
    learner, _, robust = classifier(attack, 0.05 if norm == "linf" else 0.4)
    examples = examples_of(batch) | {"mask": jnp.ones(101)}
    state, step = jax.jit(learner.init)(key, examples), jax.jit(learner.step)
    for _ in range(30):  # until some images withstand the attack
        state, _ = step(state, examples, key)
    evaluate = jax.jit(robust.evaluate)

    def counted(size: int) -> float:
        total = 0.0
        for first in range(0, 101, size):
            rows = jnp.arange(first, first + size)
            part = {name: array[rows % 101] for name, array in examples.items()}
            part["mask"] = (rows < 101).astype(jnp.float32)
            total += float(evaluate(state, part)["robust_accuracy"].total)
        return total

    whole = counted(101)
    assert 0 < whole < 101
    assert counted(32) == counted(50) == whole
