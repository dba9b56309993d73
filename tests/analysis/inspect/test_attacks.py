"""Attacks: the laws they keep, closed forms on linear models, and parity with foolbox."""

import functools
import types
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import losses
from dlcourse.analysis.inspect import attacks
from dlcourse.errors import UserError
from tests.analysis.networks import network

ATTACKS = {
    "fgsm": attacks.fgsm,
    "fgsm l2": functools.partial(attacks.fgsm, norm="l2"),
    "pgd": functools.partial(attacks.pgd, steps=7, restarts=3),
    "pgd l2": functools.partial(attacks.pgd, norm="l2", steps=7, restarts=3),
    "pgd from the image": functools.partial(attacks.pgd, steps=7, random_start=False),
}
each_attack = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())


def distances(x, y, norm: str) -> np.ndarray:
    offsets = (np.asarray(x) - np.asarray(y)).reshape(len(x), -1)
    return np.abs(offsets).max(-1) if norm == "linf" else np.linalg.norm(offsets, axis=-1)


@jax.jit
def judged_by(logits, x, y) -> tuple[jax.Array, jax.Array]:
    outputs = logits(x)
    return losses.softmax_cross_entropy(outputs, y), jnp.argmax(outputs, axis=-1) == y


def judged(logits, x, y) -> tuple[np.ndarray, float]:
    """The loss of each image, and the accuracy."""
    loss, right = judged_by(logits, x, y)
    return np.asarray(loss), np.asarray(right).mean()


@each_attack
@pytest.mark.parametrize("epsilon", [0.05, 0.7])
def test_ball_and_range_hold_and_neither_loss_nor_mistakes_fall(
    logits, batch, key, attack, epsilon
) -> None:
    x, y = batch
    attacked = np.asarray(attack(logits, key, x, y, epsilon))
    norm = attack.keywords.get("norm", "linf") if hasattr(attack, "keywords") else "linf"
    assert distances(attacked, x, norm).max() <= epsilon * (1 + 1e-5)
    assert distances(attacked, x, norm).max() > 0.9 * epsilon
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    (before, accuracy), (after, under_attack) = (judged(logits, z, y) for z in (x, attacked))
    assert np.all(after >= before - 1e-6)
    assert np.mean(after) > np.mean(before)
    assert under_attack < accuracy


@each_attack
def test_epsilon_zero_changes_nothing(logits, batch, key, attack) -> None:
    x, y = batch
    chex.assert_trees_all_equal(attack(logits, key, x, y, 0.0), x)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 1.0), ("l2", 8.0)])
def test_nothing_withstands_an_unbounded_attack(logits, batch, key, norm, epsilon) -> None:
    x, y = batch
    _, accuracy = judged(logits, x, y)
    assert accuracy > 0.9
    attack = ATTACKS["pgd" if norm == "linf" else "pgd l2"]
    attacked = attack(logits, key, x, y, epsilon)
    _, under_attack = judged(logits, attacked, y)
    assert under_attack == 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_the_attack_is_the_closed_form(key, norm) -> None:
    """Of two classes, the margin w·x falls fastest by ε |w|₁ (L∞) and ε |w|₂ (L2)."""
    random = np.random.default_rng(0)
    weights = random.standard_normal((13, 2), np.float32)
    x = random.uniform(0.4, 0.6, (5, 13)).astype(np.float32)
    y = np.array([0, 1, 1, 0, 1], np.int32)
    direction = (weights[:, 1 - y] - weights[:, y]).T
    epsilon = 0.1
    for attack in (attacks.fgsm, functools.partial(attacks.pgd, random_start=False)):
        attacked = attack(
            lambda z: z @ weights, key, jnp.asarray(x), jnp.asarray(y), epsilon, norm=norm
        )
        gained = np.sum(direction * (np.asarray(attacked) - x), axis=-1)
        size = np.linalg.norm(direction, ord=1 if norm == "linf" else 2, axis=-1)
        np.testing.assert_allclose(gained, epsilon * size, rtol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_steps_and_more_restarts_do_more_harm(logits, batch, key, norm) -> None:
    x, y = batch
    epsilon = 0.08 if norm == "linf" else 0.5

    def harm(steps: int, restarts: int) -> float:
        attack = functools.partial(attacks.pgd, norm=norm, steps=steps, restarts=restarts)
        loss, _ = judged(logits, attack(logits, key, x, y, epsilon), y)
        return np.mean(loss)

    assert harm(1, 1) < harm(7, 1) < harm(7, 3)


def test_random_starts_fill_the_ball(key) -> None:
    """A flat classifier gives the image back; one of pure noise gives a start, wherever it lies."""
    x = jnp.asarray(np.full((500, 2), 0.5, np.float32))
    y = jnp.asarray(np.zeros(500, np.int32))
    flat = attacks.pgd(lambda z: jnp.zeros((len(z), 3)), key, x, y, 0.3)
    chex.assert_trees_all_equal(flat, x)

    def noise(z) -> jax.Array:
        rough = jax.lax.stop_gradient(jnp.sin(1e4 * z[:, :1]) * jnp.cos(1e4 * z[:, 1:]))
        return jnp.concatenate([rough, jnp.zeros_like(rough)], axis=-1)

    for norm in ("linf", "l2"):
        started = attacks.pgd(noise, key, x, y, 0.3, norm=norm, steps=1, restarts=4)
        radius = distances(started, x, norm) / 0.3
        # Uniform in a ball of dimension 2: P(radius < r) = r². Some images were at their worst.
        moved = radius[radius > 0]
        assert abs(np.mean(moved < 0.5) - 0.25) < 0.08
        assert abs(np.mean(np.asarray(started) - 0.5)) < 0.02


def test_a_mistake_is_kept_though_another_point_has_a_higher_loss() -> None:
    here = attacks.Found(
        np.zeros((3, 1), np.float32), np.array([True, False, False]), np.ones(3, np.float32)
    )
    there = attacks.Found(
        np.ones((3, 1), np.float32), np.array([False, True, False]), np.float32([2.0, 0.5, 2.0])
    )
    worse = jax.jit(attacks.Found.worse)(here, there)
    np.testing.assert_array_equal(worse.image, [[0.0], [1.0], [1.0]])
    np.testing.assert_array_equal(worse.wrong, [True, True, False])


def test_same_key_same_attack_and_other_key_another(logits, batch, key) -> None:
    x, y = batch
    attack = ATTACKS["pgd"]
    first = attack(logits, key, x, y, 0.1)
    chex.assert_trees_all_equal(attack(logits, key, x, y, 0.1), first)
    other = attack(logits, jax.random.key(1), x, y, 0.1)
    assert np.any(np.asarray(other) != np.asarray(first))


def test_new_weights_and_new_radii_compile_nothing_new(logits, batch, key) -> None:
    x, y = batch
    traces = []

    def counted(weights, x) -> jax.Array:
        traces.append(x.shape)
        return logits.func(weights, x)

    def attack(weights, epsilon: float) -> int:
        before = len(traces)
        attacks.pgd(jax.tree_util.Partial(counted, weights), key, x, y, epsilon, steps=3)
        return len(traces) - before

    (weights,) = logits.args
    assert attack(weights, 0.1) > 1
    # The check of the labels asks for the shape of the logits, without compiling anything.
    assert attack(jax.tree.map(lambda w: 2 * np.asarray(w), weights), 0.2) == 1


@pytest.fixture(scope="module")
def foolbox() -> types.ModuleType:
    with warnings.catch_warnings():
        # It imports from a namespace that SciPy has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import foolbox
    return foolbox


@pytest.fixture(scope="module")
def smooth() -> tuple[jax.tree_util.Partial, jax.Array, jax.Array]:
    """A smooth network, inputs and labels."""

    @jax.jit
    def draw(key) -> tuple:
        first, last, images, classes = jax.random.split(key, 4)
        weights = {
            "first": jax.random.normal(first, (13, 17)),
            "last": jax.random.normal(last, (17, 5)),
        }
        x = jax.random.uniform(images, (19, 13))
        return weights, x, jax.random.randint(classes, (19,), 0, 5)

    weights, x, y = draw(jax.random.key(0))
    return jax.tree_util.Partial(network, weights), x, y


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 10])
def test_foolbox_finds_the_same_images(foolbox, smooth, key, norm, steps) -> None:
    """On a smooth network and in a small ball, where the last point is also the worst one."""
    logits, x, y = smooth
    epsilon, step = {"linf": 0.01, "l2": 0.05}[norm], 0.3
    model = foolbox.JAXModel(jax.jit(logits), bounds=(0, 1))
    if steps == 1:
        name = {"linf": "LinfFastGradientAttack", "l2": "L2FastGradientAttack"}[norm]
        theirs = getattr(foolbox.attacks, name)(random_start=False)
        ours = attacks.fgsm(logits, key, x, y, epsilon, norm=norm)
    else:
        name = {"linf": "LinfPGD", "l2": "L2PGD"}[norm]
        theirs = getattr(foolbox.attacks, name)(rel_stepsize=step, steps=steps, random_start=False)
        ours = attacks.pgd(
            logits, key, x, y, epsilon,
            norm=norm, steps=steps, step_size=step, random_start=False,
        )  # fmt: skip
    expected, _, _ = theirs(model, x, y, epsilons=epsilon)
    chex.assert_trees_all_close(ours, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -0.1}, "epsilon.*at least 0; it is -0.1"),
        ({"images": lambda x: 255 * x}, r"\[0, 1\]; these reach from 0 to 255"),
        ({"images": lambda x: x * np.nan}, r"\[0, 1\]"),
        ({"labels": lambda y: y + 5}, "0 to 9"),
        ({"labels": lambda y: y - 1}, "0 to 9"),
        ({"labels": lambda y: y[:, None]}, r"need one label each.*labels have shape \(.*, 1\)"),
        ({"labels": lambda y: y[1:]}, "need one label each"),
        ({"labels": lambda y: y + 0.5}, "must be integers; they are float32"),
        ({"images": lambda x: x[:0], "labels": lambda y: y[:0]}, "at least one image"),
        ({"epsilon": np.array([-0.1])}, "one radius, at least 0"),
        ({"norm": "Linf"}, "norm must be linf or l2; it is 'Linf'"),
        ({"steps": 0}, "at least 1 step and 1 restart, not 0 and 1"),
        ({"restarts": 0}, "at least 1 step and 1 restart, not 40 and 0"),
        ({"step_size": -1.0}, "step_size must be above 0; it is -1"),
    ],
)
def test_what_cannot_be_attacked_is_refused_in_words(logits, batch, key, change, message) -> None:
    x, y = map(np.asarray, batch)
    x, y = change.get("images", lambda x: x)(x), change.get("labels", lambda y: y)(y)
    options = {
        name: change[name] for name in ("norm", "steps", "restarts", "step_size") & change.keys()
    }
    # The annotations are checked in tests alone, and before the words of a user.
    attack = getattr(attacks.pgd, "__wrapped__", attacks.pgd)
    with pytest.raises(UserError, match=message):
        attack(logits, key, *map(jnp.asarray, (x, y)), change.get("epsilon", 0.1), **options)


# Adversarial training
