"""Attacks: the laws they keep, closed forms on linear models, and parity with foolbox."""

import functools
import types
import warnings
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dlcourse import learners, losses, models
from dlcourse.analysis import attacks
from dlcourse.data import images as load_images
from dlcourse.errors import UserError
from dlcourse.learner import Learner

ATTACKS = {
    "fgsm": attacks.fgsm,
    "fgsm l2": functools.partial(attacks.fgsm, norm="l2"),
    "pgd": functools.partial(attacks.pgd, steps=7, restarts=3),
    "pgd l2": functools.partial(attacks.pgd, norm="l2", steps=7, restarts=3),
    "pgd from the image": functools.partial(attacks.pgd, steps=7, random_start=False),
}
each_attack = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())


def network(weights, x) -> jax.Array:
    hidden = jnp.tanh(x.reshape(len(x), -1) @ weights["first"])
    return hidden @ weights["last"]


@pytest.fixture(scope="module")
def batch() -> tuple[jax.Array, jax.Array]:
    digits = load_images("digits")
    rows = digits.read(digits.splits["test"][:101])
    return jnp.asarray(rows["image"]), jnp.asarray(rows["label"])


@pytest.fixture(scope="module")
def logits() -> jax.tree_util.Partial:
    """A small network trained on digits for a moment."""
    digits = load_images("digits")
    rows = digits.read(digits.splits["train"])
    x, y = jnp.asarray(rows["image"]), jnp.asarray(rows["label"])
    first, last = jax.random.split(jax.random.key(0))
    weights = {
        "first": jax.random.normal(first, (64, 32)) / 8,
        "last": jax.random.normal(last, (32, 10)) / 8,
    }
    optimizer = optax.adam(0.02)

    @jax.jit
    def train(weights) -> dict[str, jax.Array]:
        def step(carry, _) -> tuple:
            weights, state = carry
            gradient = jax.grad(lambda w: losses.softmax_cross_entropy(network(w, x), y).mean())(
                weights
            )
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(weights, updates), state), None

        return jax.lax.scan(step, (weights, optimizer.init(weights)), length=100)[0][0]

    return jax.tree_util.Partial(network, train(weights))


def accuracy(logits, x, y) -> float:
    return float(jnp.mean(jnp.argmax(logits(x), axis=-1) == y))


def distances(x, y, norm: str) -> np.ndarray:
    offsets = np.asarray(x - y).reshape(len(x), -1)
    return np.abs(offsets).max(-1) if norm == "linf" else np.linalg.norm(offsets, axis=-1)


@each_attack
@pytest.mark.parametrize("epsilon", [0.05, 0.7])
def test_ball_and_range_hold_and_neither_loss_nor_mistakes_fall(
    logits, batch, key, attack, epsilon
) -> None:
    x, y = batch
    attacked = attack(logits, key, x, y, epsilon)
    norm = attack.keywords.get("norm", "linf") if hasattr(attack, "keywords") else "linf"
    assert distances(attacked, x, norm).max() <= epsilon * (1 + 1e-5)
    assert distances(attacked, x, norm).max() > 0.9 * epsilon
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    before, after = (losses.softmax_cross_entropy(logits(z), y) for z in (x, attacked))
    assert jnp.all(after >= before - 1e-6)
    assert jnp.mean(after) > jnp.mean(before)
    assert accuracy(logits, attacked, y) < accuracy(logits, x, y)


@each_attack
def test_epsilon_zero_changes_nothing(logits, batch, key, attack) -> None:
    x, y = batch
    chex.assert_trees_all_equal(attack(logits, key, x, y, 0.0), x)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 1.0), ("l2", 8.0)])
def test_nothing_withstands_an_unbounded_attack(logits, batch, key, norm, epsilon) -> None:
    x, y = batch
    assert accuracy(logits, x, y) > 0.9
    assert accuracy(logits, attacks.pgd(logits, key, x, y, epsilon, norm=norm), y) == 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_the_attack_is_the_closed_form(key, norm) -> None:
    """Of two classes, the margin w·x falls fastest by ε |w|₁ (L∞) and ε |w|₂ (L2)."""
    weights = jax.random.normal(key, (13, 2))
    x = jax.random.uniform(jax.random.fold_in(key, 1), (5, 13), minval=0.4, maxval=0.6)
    y = jnp.array([0, 1, 1, 0, 1])
    direction = (weights[:, 1 - y] - weights[:, y]).T
    epsilon = 0.1
    for attack in (attacks.fgsm, functools.partial(attacks.pgd, random_start=False)):
        attacked = attack(lambda z: z @ weights, key, x, y, epsilon, norm=norm)
        gained = jnp.sum(direction * (attacked - x), axis=-1)
        size = jnp.linalg.norm(direction, ord=1 if norm == "linf" else 2, axis=-1)
        chex.assert_trees_all_close(gained, epsilon * size, rtol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_steps_and_more_restarts_do_more_harm(logits, batch, key, norm) -> None:
    x, y = batch
    epsilon = 0.08 if norm == "linf" else 0.5

    def harm(steps: int, restarts: int) -> jax.Array:
        attack = functools.partial(attacks.pgd, norm=norm, steps=steps, restarts=restarts)
        return jnp.mean(losses.softmax_cross_entropy(logits(attack(logits, key, x, y, epsilon)), y))

    assert harm(1, 1) < harm(10, 1) < harm(10, 5)


def test_random_starts_fill_the_ball(key) -> None:
    """A flat classifier gives the image back; one of pure noise gives a start, wherever it lies."""
    x = jnp.full((500, 2), 0.5)
    y = jnp.zeros(500, jnp.int32)
    flat = attacks.pgd(lambda z: jnp.zeros((len(z), 3)), key, x, y, 0.3)
    chex.assert_trees_all_equal(flat, x)

    def noise(z) -> jax.Array:
        rough = jax.lax.stop_gradient(jnp.sin(1e4 * z[:, :1]) * jnp.cos(1e4 * z[:, 1:]))
        return jnp.concatenate([rough, jnp.zeros_like(rough)], axis=-1)

    for norm in ("linf", "l2"):
        started = attacks.pgd(noise, key, x, y, 0.3, norm=norm, steps=1, restarts=4) - x
        radius = np.asarray(distances(started, jnp.zeros_like(x), norm)) / 0.3
        # Uniform in a ball of dimension 2: P(radius < r) = r². Some images were at their worst.
        moved = radius[radius > 0]
        assert abs(np.mean(moved < 0.5) - 0.25) < 0.08
        assert abs(np.mean(started)) < 0.02


def test_a_mistake_is_kept_though_another_point_has_a_higher_loss() -> None:
    here = attacks.Found(jnp.zeros((3, 1)), jnp.array([True, False, False]), jnp.ones(3))
    there = attacks.Found(
        jnp.ones((3, 1)), jnp.array([False, True, False]), jnp.array([2.0, 0.5, 2.0])
    )
    worse = here.worse(there)
    chex.assert_trees_all_equal(worse.image[:, 0], jnp.array([0.0, 1.0, 1.0]))
    chex.assert_trees_all_equal(worse.wrong, jnp.array([True, True, False]))


def test_same_key_same_attack_and_other_key_another(logits, batch, key) -> None:
    x, y = batch
    attack = ATTACKS["pgd"]
    first = attack(logits, key, x, y, 0.1)
    chex.assert_trees_all_equal(attack(logits, key, x, y, 0.1), first)
    assert jnp.any(attack(logits, jax.random.fold_in(key, 1), x, y, 0.1) != first)


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
    assert attack(jax.tree.map(lambda w: 2 * w, weights), 0.2) == 1


@pytest.fixture(scope="module")
def foolbox() -> types.ModuleType:
    with warnings.catch_warnings():
        # It imports from a namespace that SciPy has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import foolbox
    return foolbox


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 10])
def test_foolbox_finds_the_same_images(foolbox, key, norm, steps) -> None:
    """On a smooth network and in a small ball, where the last point is also the worst one."""
    first, last, images, classes = jax.random.split(key, 4)
    weights = {
        "first": jax.random.normal(first, (13, 17)),
        "last": jax.random.normal(last, (17, 5)),
    }
    logits = jax.tree_util.Partial(network, weights)
    x = jax.random.uniform(images, (19, 13))
    y = jax.random.randint(classes, (19,), 0, 5)
    epsilon, step = {"linf": 0.01, "l2": 0.05}[norm], 0.3
    model = foolbox.JAXModel(logits, bounds=(0, 1))
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


def test_robustness_is_the_accuracy_after_each_attack(logits, batch, key) -> None:
    """Cut into batches of 23, with a remainder, as in one."""
    x, y = batch
    epsilons = [0.0, 0.05, 0.1, 1.0]
    attack = functools.partial(attacks.pgd, random_start=False)
    found = attacks.robustness(logits, key, x, y, epsilons, attack=attack, batch_size=23)
    expected = [accuracy(logits, attack(logits, key, x, y, e), y) for e in epsilons]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[3] == 0
    assert np.all(np.diff(found) < 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -0.1}, "epsilon.*at least 0; it is -0.1"),
        ({"images": lambda x: 255 * x}, r"\[0, 1\]; these reach from 0 to 255"),
        ({"images": lambda x: x * jnp.nan}, r"\[0, 1\]"),
        ({"labels": lambda y: y + 5}, "0 to 9"),
        ({"labels": lambda y: y - 1}, "0 to 9"),
        ({"labels": lambda y: y[:, None]}, r"need one label each.*labels' shape is \(.*, 1\)"),
        ({"labels": lambda y: y[1:]}, "need one label each"),
        ({"labels": lambda y: y + 0.5}, "float32; integers are needed"),
        ({"images": lambda x: x[:0], "labels": lambda y: y[:0]}, "at least one image"),
        ({"epsilon": np.array([-0.1])}, "one radius, at least 0"),
        ({"norm": "Linf"}, "norm is linf or l2; it is 'Linf'"),
        ({"steps": 0}, "at least 1 step and 1 start, not 0 and 1"),
        ({"restarts": 0}, "at least 1 step and 1 start, not 40 and 0"),
        ({"step_size": -1.0}, "step_size must be above 0; it is -1"),
    ],
)
def test_what_cannot_be_attacked_is_refused_in_words(logits, batch, key, change, message) -> None:
    x, y = batch
    x, y = change.get("images", lambda x: x)(x), change.get("labels", lambda y: y)(y)
    options = {
        name: change[name] for name in ("norm", "steps", "restarts", "step_size") & change.keys()
    }
    # The annotations are checked in tests alone, and before the words of a user.
    attack = getattr(attacks.pgd, "__wrapped__", attacks.pgd)
    with pytest.raises(UserError, match=message):
        attack(logits, key, x, y, change.get("epsilon", 0.1), **options)


def test_adversarial_training_refuses_a_radius_below_zero_before_it_trains() -> None:
    with pytest.raises(UserError, match=r"at least 0; it is -0\.1"):
        learners.adversarial_training(Learner(None, None, None), max, attacks.pgd, -0.1)


def test_robustness_needs_a_label_for_every_image(logits, batch, key) -> None:
    x, y = batch
    bare = getattr(attacks.robustness, "__wrapped__", attacks.robustness)
    with pytest.raises(UserError, match=f"{len(x)} images to attack and 3 labels"):
        bare(logits, key, np.asarray(x), np.asarray(y[:3]), [0.1])


def test_figures_say_what_they_show(logits, batch, key) -> None:
    x, y = batch
    epsilons = np.array([0.0, 0.1])
    figure = attacks.draw_robustness(
        {"L∞": {"plain": (epsilons, [0.9, 0.1])}, "L2": {"plain": (epsilons, [0.9, 0.5])}}
    )
    assert [panel.get_title() for panel in figure.axes] == ["L∞", "L2"]
    line = figure.axes[1].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[0, 90], [0.1, 50]])

    attacked = np.stack([attacks.fgsm(logits, key, x[:3], y[:3], float(e)) for e in epsilons])
    guesses = [[str(int(c)) for c in jnp.argmax(logits(z), -1)] for z in attacked]
    figure = attacks.draw_attacked(attacked, guesses, [str(int(c)) for c in y[:3]], epsilons)
    assert len(figure.axes) == 6
    assert figure.axes[0].get_title() == f"ε = 0\n{guesses[0][0]}"


# Adversarial training


def classifier(attack, epsilon: float) -> tuple:
    model = models.MLP((32, 10))
    learner = learners.supervised(model, losses.softmax_cross_entropy, optax.adam(0.01))
    predict = learners.predictor(model)
    return learner, predict, learners.adversarial_training(learner, predict, attack, epsilon)


def test_the_step_is_the_learners_own_on_attacked_images(batch, key) -> None:
    examples = dict(zip(("image", "label"), batch, strict=True))
    attack = functools.partial(attacks.pgd, steps=2)
    learner, predict, robust = classifier(attack, 0.1)
    state = robust.init(key, examples)
    attack_key, step_key = jax.random.split(key)
    attacked = attack(lambda x: predict(state, {"image": x}), attack_key, *examples.values(), 0.1)
    expected, _ = learner.step(state, examples | {"image": attacked}, step_key)
    found, metrics = jax.jit(robust.step)(state, examples, key)
    chex.assert_trees_all_close(found, expected, atol=1e-5)
    clean = jax.jit(learner.step)(state, examples, step_key)[1]
    assert metrics["loss"].value > clean["loss"].value


def test_adversarial_training_withstands_what_plain_training_does_not(batch, key) -> None:
    """On the test images, under a stronger attack than either has seen."""
    digits = load_images("digits")
    rows = digits.read(digits.splits["train"])
    train = {"image": jnp.asarray(rows["image"]), "label": jnp.asarray(rows["label"])}
    test = dict(zip(("image", "label"), batch, strict=True)) | {"mask": jnp.ones(101)}
    epsilon = 0.1
    plain, predict, robust = classifier(functools.partial(attacks.pgd, steps=5), epsilon)

    def accuracies(learner) -> tuple[float, float]:
        @jax.jit
        def run(state) -> Any:
            return jax.lax.scan(
                lambda state, k: (learner.step(state, train, k)[0], None),
                state,
                jax.random.split(key, 80),
            )[0]

        state = run(learner.init(key, train))
        measured = robust.evaluate(state, test)
        strong = functools.partial(attacks.pgd, steps=20, restarts=3)
        logits = jax.tree_util.Partial(lambda s, x: predict(s, {"image": x}), state)
        under_attack = attacks.robustness(logits, key, *batch, [epsilon], attack=strong)[0]
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
    x, y = batch
    examples = {"image": x, "label": y, "mask": jnp.arange(101) < 97}
    state = learner.init(key, examples)
    found, again = robust.evaluate(state, examples), robust.evaluate(state, examples)
    chex.assert_trees_all_equal(found, again)
    shown = robust.evaluate(state, jax.tree.map(lambda a: a[:97], examples))
    chex.assert_trees_all_close(found, shown, rtol=1e-6)
    assert found["robust_accuracy"].weight == 97
    assert found["robust_accuracy"].value < found["accuracy"].value
