"""Each optimizer against the deck's recurrence in NumPy, each schedule against its formula."""

import functools
from collections.abc import Iterator

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dlcourse import losses, optim, parameters
from dlcourse.errors import UserError

STEPS = 150
GENERATOR = np.random.default_rng(0)
SLOPES = GENERATOR.normal(size=(11, 7))
TARGET = GENERATOR.normal(size=11)
START = GENERATOR.normal(size=7)


def gradient(x: np.ndarray) -> np.ndarray:
    """Of `Σ log cosh(A x - b)`: smooth, not quadratic, and of a different size in each entry."""
    return SLOPES.T @ np.tanh(SLOPES @ x - TARGET)


def follow(**optimizers: optax.GradientTransformation) -> dict[str, np.ndarray]:
    """Where each optimizer goes from START, in float64, as [STEPS, 7]; all as one program."""

    def walk(optimizer: optax.GradientTransformation, start: jax.Array) -> jax.Array:
        def step(carry, _) -> tuple:
            x, state = carry
            updates, state = optimizer.update(SLOPES.T @ jnp.tanh(SLOPES @ x - TARGET), state, x)
            x = optax.apply_updates(x, updates)
            return (x, state), x

        return jax.lax.scan(step, (start, optimizer.init(start)), length=STEPS)[1]

    @jax.jit
    def walks(start: jax.Array) -> dict[str, jax.Array]:
        return {name: walk(optimizer, start) for name, optimizer in optimizers.items()}

    return jax.tree.map(np.asarray, walks(START))


def at(steps: np.ndarray, *schedules: optim.Schedule) -> list[np.ndarray]:
    """The rates of these steps, as one program: the operations alone take longer to compile."""
    rates = jax.jit(lambda steps: [schedule(steps) for schedule in schedules])(steps)
    return [np.asarray(each) for each in rates]


# Deck 001, line by line. An epsilon as large as these shows on which side of the root it stands.


def deck_sgd(rate) -> Iterator[np.ndarray]:
    x = START
    for t in range(STEPS):
        x = x - rate(t) * gradient(x)
        yield x


def deck_momentum(rate, beta) -> Iterator[np.ndarray]:
    x, v = START, 0.0
    for t in range(STEPS):
        v = beta * v + (1 - beta) * gradient(x)
        x = x - rate(t) * v
        yield x


def deck_adagrad(rate, epsilon) -> Iterator[np.ndarray]:
    x, total = START, 0.0
    for t in range(STEPS):
        g = gradient(x)
        total = total + g**2
        x = x - rate(t) / (np.sqrt(total) + epsilon) * g
        yield x


def deck_rmsprop(rate, beta, epsilon) -> Iterator[np.ndarray]:
    x, average = START, 0.0
    for t in range(STEPS):
        g = gradient(x)
        average = beta * average + (1 - beta) * g**2
        x = x - rate(t) / (np.sqrt(average) + epsilon) * g
        yield x


def deck_adam(rate, beta1, beta2, epsilon, decay=0.0) -> Iterator[np.ndarray]:
    x, v, s = START, 0.0, 0.0
    for t in range(STEPS):
        g = gradient(x)
        v = beta1 * v + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        v_corrected = v / (1 - beta1 ** (t + 1))
        s_corrected = s / (1 - beta2 ** (t + 1))
        x = x - rate(t) * (v_corrected / (np.sqrt(s_corrected) + epsilon) + decay * x)
        yield x


RULES = {
    "sgd": (optim.sgd, deck_sgd, ()),
    "momentum": (optim.momentum, deck_momentum, (0.7,)),
    "adagrad": (optim.adagrad, deck_adagrad, (0.1,)),
    "rmsprop": (optim.rmsprop, deck_rmsprop, (0.8, 0.1)),
    "adam": (optim.adam, deck_adam, (0.8, 0.95, 0.1)),
}


@functools.cache
def paths() -> dict[str, np.ndarray]:
    """Those of all optimizers, at a constant rate and at one that falls."""
    rates = {"constant": 0.05, "scheduled": optim.time_decay(0.05, 0.01)}
    with jax.enable_x64(True):
        return follow(
            **{
                f"{name} {kind}": rule(rate, *constants)
                for name, (rule, _, constants) in RULES.items()
                for kind, rate in rates.items()
            }
        )


@pytest.mark.parametrize("kind", ["constant", "scheduled"])
@pytest.mark.parametrize("name", RULES)
def test_an_optimizer_is_the_decks_recurrence(name, kind) -> None:
    _, recurrence, constants = RULES[name]
    path = paths()[f"{name} {kind}"]
    decay = 0.01 if kind == "scheduled" else 0.0
    expected = recurrence(lambda t: 0.05 / (1 + decay * t), *constants)
    np.testing.assert_allclose(path, list(expected), rtol=1e-10, atol=1e-12)
    assert np.linalg.norm(gradient(path[-1])) < 0.5 * np.linalg.norm(gradient(START))


def test_adamw_decays_beside_the_moments() -> None:
    everywhere = optim.adamw(
        0.05, 0.3, 0.8, 0.95, 0.1, mask=lambda x: jax.tree.map(lambda _: True, x)
    )
    with jax.enable_x64(True):
        path = follow(adamw=everywhere)["adamw"]
    expected = list(deck_adam(lambda t: 0.05, 0.8, 0.95, 0.1, decay=0.3))
    np.testing.assert_allclose(path, expected, rtol=1e-10, atol=1e-12)


def test_where_optax_differs_is_what_the_docstrings_say() -> None:
    """Against momentum of 0.7, RMSprop of 0.8 and 0.1, and Adagrad of 0.1, at a rate of 0.05."""
    with jax.enable_x64(True):
        theirs = follow(
            momentum_of_a_smaller_rate=optax.sgd(0.05 * 0.3, 0.7),
            rmsprop_outside_the_root=optax.rmsprop(0.05, 0.8, 0.1, eps_in_sqrt=False),
            momentum=optax.sgd(0.05, 0.7),
            rmsprop=optax.rmsprop(0.05, 0.8, 0.1),
            adagrad=optax.adagrad(0.05, 0.0, 0.1),
        )
    ours = {name: paths()[f"{name} constant"] for name in ("momentum", "rmsprop", "adagrad")}
    for name, same in [
        ("momentum", "momentum_of_a_smaller_rate"),
        ("rmsprop", "rmsprop_outside_the_root"),
    ]:
        chex.assert_trees_all_close(ours[name], theirs[same], rtol=1e-10)
    for name, path in ours.items():
        assert np.max(np.abs(path - theirs[name])) > 1e-2


@functools.cache
def short_walks() -> dict[str, tuple]:
    """For each rule, where a vector of rates leads, and where each of them alone does."""
    rates = np.array([0.01, 0.03, 0.1], np.float32)

    def walk(rule, rate) -> jax.Array:
        optimizer = rule(rate)
        x, state = jnp.ones(2), optimizer.init(jnp.ones(2))
        for _ in range(5):
            updates, state = optimizer.update(jnp.array([1.0, 7.0]) * x, state, x)
            x = optax.apply_updates(x, updates)
        return x

    @jax.jit
    def each_both(rates) -> dict[str, tuple]:
        return {
            name: (
                jax.vmap(functools.partial(walk, rule))(rates),
                jnp.stack([walk(rule, rate) for rate in (0.01, 0.03, 0.1)]),
            )
            for name, (rule, *_) in RULES.items()
        }

    return each_both(rates)


@pytest.mark.parametrize("name", RULES)
def test_learning_rates_train_side_by_side(name) -> None:
    side_by_side, alone = short_walks()[name]
    np.testing.assert_allclose(side_by_side, alone, rtol=1e-5)


# Schedules


def test_the_decks_decays() -> None:
    t = np.arange(23)
    time, staircase, exponential = at(
        t,
        optim.time_decay(0.4, 0.5),
        optim.staircase_decay(0.4, 0.5, 5),
        optim.exponential_decay(0.4, 0.5, 5),
    )
    np.testing.assert_allclose(time, 0.4 / (1 + 0.5 * t), rtol=1e-6)
    np.testing.assert_allclose(staircase, 0.4 / (1 + 0.5 * np.floor(t / 5)), rtol=1e-6)
    np.testing.assert_allclose(exponential, 0.4 * 0.5 ** (t / 5), rtol=1e-6)


def test_the_staircase_by_epochs_is_the_decks_time_based_decay() -> None:
    steps_per_epoch = 7
    (by_step,) = at(np.arange(28), optim.staircase_decay(0.1, 1.0, steps_per_epoch))
    by_epoch = np.repeat([0.1, 0.1 / 2, 0.1 / 3, 0.1 / 4], steps_per_epoch)
    np.testing.assert_allclose(by_step, by_epoch, rtol=1e-6)


def test_steps_fall_at_their_milestones() -> None:
    rates, constant = at(
        np.arange(7), optim.step_decay(2.0, (3, 5), 0.5), optim.step_decay(2.0, ())
    )
    np.testing.assert_allclose(rates, [2, 2, 2, 1, 1, 0.5, 0.5])
    np.testing.assert_allclose(constant, np.full(7, 2.0))


def test_warmup_is_a_line_and_then_the_schedule_from_its_beginning() -> None:
    after = optim.cosine_decay(3.0, 11, final=0.5)
    rates, unwarmed, constant, without = at(
        np.arange(20), optim.warmup(after, 5), after, optim.warmup(3.0, 5), optim.warmup(3.0, 0)
    )
    np.testing.assert_allclose(rates[:6], 3.0 * np.arange(1, 7) / 6, rtol=1e-6)
    np.testing.assert_allclose(rates[5:], unwarmed[:15], rtol=1e-6)
    np.testing.assert_allclose(constant[5:], np.full(15, 3.0))
    np.testing.assert_allclose(without, np.full(20, 3.0))


def test_cosine_is_optaxs() -> None:
    ours, theirs = at(
        np.arange(20),
        optim.cosine_decay(3.0, 13, final=0.6),
        optax.cosine_decay_schedule(3.0, 13, 0.2),
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(ours[13:], 0.6, rtol=1e-6)


def test_one_cycle_is_optaxs() -> None:
    ours, theirs = at(
        np.arange(45),
        optim.one_cycle(2.0, 40),
        jax.vmap(optax.cosine_onecycle_schedule(40, 2.0)),
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)
    assert np.argmax(ours) == 12


@pytest.mark.parametrize(
    "schedule",
    [
        optim.time_decay(0.3, 0.1),
        optim.staircase_decay(0.3, 0.1, 3),
        optim.exponential_decay(0.3, 0.9, 3),
        optim.step_decay(0.3, (2, 4)),
        optim.warmup(optim.cosine_decay(0.3, 7), 3),
        optim.one_cycle(0.3, 7),
    ],
)
def test_a_schedule_drives_the_update_at_its_step(schedule) -> None:
    optimizer = optim.sgd(schedule)

    @jax.jit
    def driven(gradient, numbers) -> dict:
        state, steps = optimizer.init(gradient), []
        for _ in range(9):
            step, state = optimizer.update(gradient, state)
            steps.append(-step)
        alone = [schedule(t) for t in range(9)]
        return {"steps": steps, "rates": schedule(numbers), "rates one by one": alone}

    found = driven(np.float32(1), np.arange(9))
    np.testing.assert_allclose(found["steps"], found["rates"], rtol=1e-6)
    np.testing.assert_allclose(found["steps"], found["rates one by one"], rtol=1e-6)


# Clipping, masks, freezing


def test_clipping_by_the_global_norm() -> None:
    clip = optim.clip_by_global_norm(2.0)
    update = jax.jit(lambda tree: clip.update(tree, clip.init(tree))[0])
    tree = {"a": np.array([3, 0, 0], np.float32), "b": np.array([[4]], np.float32)}  # of norm 5
    expected = jax.tree.map(lambda g: g * np.float32(2 / 5), tree)
    chex.assert_trees_all_close(update(tree), expected, rtol=1e-6)
    short = jax.tree.map(lambda g: g * np.float32(0.3), tree)
    chex.assert_trees_all_equal(update(short), short)


class Everything(nn.Module):
    @nn.compact
    def __call__(self, tokens) -> jax.Array:
        x = nn.Embed(5, 3, name="embed")(tokens)
        x = nn.LayerNorm(name="norm")(x)
        x = nn.MultiHeadDotProductAttention(1, name="attention")(x)
        return nn.Dense(2, name="head")(x)


@pytest.fixture(scope="module")
def params() -> dict:
    tokens = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    shapes = jax.eval_shape(Everything().init, jax.random.key(0), tokens)["params"]
    return jax.tree.map(lambda x: GENERATOR.normal(size=x.shape).astype(np.float32), shapes)


def test_kernels_are_kernels_and_nothing_else(params) -> None:
    marked = {
        parameters.name(path)
        for path, kernel in jax.tree_util.tree_leaves_with_path(parameters.kernels(params))
        if kernel
    }
    attention = {f"attention/{part}/kernel" for part in ("query", "key", "value", "out")}
    assert marked == {"head/kernel", *attention}


def first_update(optimizer, gradient, params) -> dict:
    return jax.jit(lambda g, x: optimizer.update(g, optimizer.init(x), x)[0])(gradient, params)


def test_decay_reaches_the_kernels_only(params) -> None:
    still = jax.tree.map(np.zeros_like, params)
    for optimizer in (optim.adamw(0.1, 0.2), optim.chain(optim.add_l2(0.2), optim.sgd(0.1))):
        updates = first_update(optimizer, still, params)
        expected = jax.tree.map(
            lambda kernel, x: -0.02 * np.asarray(x) * kernel, parameters.kernels(params), params
        )
        chex.assert_trees_all_close(updates, expected, rtol=1e-6)


def test_add_l2_is_the_gradient_of_the_penalty(params) -> None:
    still = jax.tree.map(np.zeros_like, params)
    updates = first_update(optim.add_l2(0.2), still, params)
    penalty = jax.jit(jax.grad(lambda params: 0.2 * losses.l2(params)))(params)
    chex.assert_trees_all_close(updates, penalty, rtol=1e-6)


def test_a_frozen_parameter_has_no_update_and_no_moments(params) -> None:
    def first_step(optimizer, params) -> tuple:
        gradient = jax.tree.map(np.ones_like, params)
        return jax.jit(lambda x: optimizer.update(gradient, optimizer.init(x), x))(params)

    frozen = optim.freeze(optim.adamw(0.1), "^(embed|attention)/")
    updates, state = first_step(frozen, params)
    alone = {name: params[name] for name in ("norm", "head")}
    expected, expected_state = first_step(optim.adamw(0.1), alone)
    chex.assert_trees_all_close({name: updates[name] for name in alone}, expected, rtol=1e-6)
    for name in ("embed", "attention"):
        chex.assert_trees_all_equal(updates[name], jax.tree.map(np.zeros_like, params[name]))
    sizes = sorted(leaf.size for leaf in jax.tree.leaves(state))
    assert sizes == sorted(leaf.size for leaf in jax.tree.leaves(expected_state))


def test_freezing_nothing_is_refused(params) -> None:
    with pytest.raises(UserError, match=r"No parameter matches 'encoder/'.*attention/key/bias"):
        optim.freeze(optim.sgd(0.1), "encoder/").init(params)


# Averaged weights


def test_ema_and_its_bias() -> None:
    weights = GENERATOR.normal(size=(17, 3)).astype(np.float32)
    ema = jax.jit(functools.partial(optim.ema, decay=0.8))
    average = {"w": np.zeros(3, np.float32)}
    for new in weights:
        average = ema(average, {"w": new})
    shares = 0.8 ** np.arange(16, -1, -1) / np.sum(0.8 ** np.arange(17))
    unbiased = np.asarray(average["w"]) / (1 - 0.8**17)
    np.testing.assert_allclose(unbiased, shares @ weights, rtol=1e-5)

    average = {"w": np.ones(3, np.float32)}
    for _ in range(17):
        average = ema(average, {"w": np.zeros(3, np.float32)})
    np.testing.assert_allclose(average["w"], 0.8**17, rtol=1e-5)


def test_the_decay_of_an_average_warms_up() -> None:
    """min(d, (1 + t) / (10 + t)): the first weights leave the average of a short run."""
    decays = [float(optim.warm_decay(0.999, t)) for t in (0, 1, 90, 8_980, 9_000, 10**6)]
    np.testing.assert_allclose(decays[:3], [1 / 10, 2 / 11, 91 / 100], rtol=1e-6)
    assert decays[3] < np.float32(0.999)
    assert decays[4:] == [np.float32(0.999)] * 2
    assert float(optim.warm_decay(0.05, 0)) == np.float32(0.05)


# By name


def of_a_kernel(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The point as a kernel, which is what decays."""

    def update(gradient, state, x) -> tuple:
        updates, state = optimizer.update({"kernel": gradient}, state, {"kernel": x})
        return updates["kernel"], state

    return optax.GradientTransformation(lambda x: optimizer.init({"kernel": x}), update)


def test_an_optimizer_by_name_decays_beside_its_direction() -> None:
    """`x - α (u + λ x)`; of `adamw` λ is 0.01 if none is given."""
    settings = {
        "sgd": {"weight_decay": 0.3},
        "momentum": {"weight_decay": 0.3, "betas": (0.7, 0.0)},
        "adam": {"betas": (0.8, 0.95)},
        "adamw": {"betas": (0.8, 0.95)},
    }
    with jax.enable_x64(True):
        made = {name: optim.optimizer(name, 0.05, **given) for name, given in settings.items()}
        found = follow(**{name: of_a_kernel(optimizer) for name, optimizer in made.items()})
    x, y, v = START, START, 0.0
    for step in range(3):
        x = x - 0.05 * (gradient(x) + 0.3 * x)
        v = 0.7 * v + 0.3 * gradient(y)
        y = y - 0.05 * (v + 0.3 * y)
        np.testing.assert_allclose(found["sgd"][step], x, rtol=1e-12)
        np.testing.assert_allclose(found["momentum"][step], y, rtol=1e-12)
    for name, decay in (("adamw", 0.01), ("adam", 0.0)):
        expected = list(deck_adam(lambda t: 0.05, 0.8, 0.95, 1e-8, decay))
        np.testing.assert_allclose(found[name], expected, rtol=1e-8, atol=1e-12)


SCHEDULES = {
    "constant": lambda t, n: np.ones_like(t),
    "linear": lambda t, n: np.maximum(1 - t / n, 0),
    "cosine": lambda t, n: (1 + np.cos(np.pi * np.minimum(t / n, 1))) / 2,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_by_name_falls_after_its_warm_up(name) -> None:
    steps = np.arange(60)
    alone, warmed = optim.schedule(name, 0.2, 40), optim.schedule(name, 0.2, 40, 10)
    alone, warmed = at(steps, alone if callable(alone) else optim.constant(alone), warmed)
    np.testing.assert_allclose(alone, 0.2 * SCHEDULES[name](steps, 40), rtol=1e-5, atol=1e-8)
    rising = 0.2 * (steps[:10] + 1) / 11
    falling = 0.2 * SCHEDULES[name](steps[:50], 30)
    np.testing.assert_allclose(warmed, [*rising, *falling], rtol=1e-5, atol=1e-8)


def test_schedules_by_name_that_count_from_the_first_step() -> None:
    steps = np.arange(1, 60)
    step, root, cycle, usual = at(
        steps,
        optim.schedule("step", 0.2, 40, 10),
        optim.schedule("inverse_sqrt", 0.2, 60, 10),
        optim.schedule("one_cycle", 0.2, 60, 10),
        optim.schedule("one_cycle", 0.2, 60),
    )
    by_hand = 0.2 * np.where(steps < 20, 1, np.where(steps < 30, 0.1, 0.01))
    np.testing.assert_allclose(step[10:], by_hand[10:], rtol=1e-5)
    np.testing.assert_allclose(root[9:], 0.2 * np.sqrt(10 / steps[9:]), rtol=1e-5)
    assert steps[cycle.argmax()] == 10
    assert steps[usual.argmax()] == 18


def test_the_state_knows_the_rate_of_its_last_update() -> None:
    rate = optim.linear_decay(0.5, 10)
    chain = optim.freeze(optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(rate)), "frozen")
    params = {"frozen": jnp.ones(2), "moved": jnp.ones(3)}
    state = chain.init(params)
    for expected in (0.5, 0.45, 0.4):
        _, state = chain.update(params, state, params)
        np.testing.assert_allclose(optim.rates(state), [expected], rtol=1e-6)
    assert optim.rates(optax.adam(0.1).init(params)) == []
