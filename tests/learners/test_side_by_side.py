"""Learners side by side learn what each would alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, models, optim
from dlcourse.learner import Rule


def test_each_learns_what_it_would_alone(key):
    digits = data.images("digits")
    alone = {
        "perceptron": learners.perceptron(10),
        "network": learners.supervised(
            models.MLP((17, 10), dropout=0.3), losses.softmax_cross_entropy, Rule(optim.adam(0.01))
        ),
    }
    both = learners.side_by_side(alone)
    batches = [jax.tree.map(jnp.asarray, digits.batch(step, 23, 0)) for step in range(3)]
    states = both.init(key, batches[0])
    apart = {name: learner.init(key, batches[0]) for name, learner in alone.items()}
    step, steps = jax.jit(both.step), {n: jax.jit(learner.step) for n, learner in alone.items()}
    for number, batch in enumerate(batches):
        stream = jax.random.fold_in(key, number)
        states, values = step(states, batch, stream)
        for name in alone:
            apart[name], expected = steps[name](apart[name], batch, stream)
            for metric, value in expected.items():
                np.testing.assert_allclose(values[f"{metric}/{name}"].value, value.value, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), states, apart)

    batch = batches[0] | {"mask": jnp.ones(23)}
    assert set(both.evaluate(states, batch)) == {
        "accuracy/perceptron",
        "accuracy/network",
        "loss/network",
    }
    outputs = both.apply(states, batch, key)
    assert both.parts == tuple(alone)
    for name, learner in alone.items():
        np.testing.assert_array_equal(
            outputs[name], learner.apply(states[name], batch, key), err_msg=name
        )


def test_one_target_each():
    """AND and OR of the same corners, in one run."""
    gates = data.gates()
    learner = learners.side_by_side(
        {g: learners.perceptron(2, inputs="features", target=g) for g in ("AND", "OR")}
    )
    batch = jax.tree.map(jnp.asarray, gates.read(np.arange(4))) | {"mask": jnp.ones(4)}
    state = learner.init(jax.random.key(0), batch)
    step = jax.jit(learner.step)
    for _ in range(20):
        state, _ = step(state, batch, jax.random.key(0))
    for gate in ("AND", "OR"):
        assert learner.evaluate(state, batch)[f"accuracy/{gate}"].value == pytest.approx(1.0)
