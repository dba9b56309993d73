"""The convolution benchmark compares like with like, and runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.benchmark import convolution as benchmark_convolution
from dlcourse.benchmark.convolution import MODELS, PlainFlax, best_times


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_twin_has_the_same_weights(key, name):
    model, layers = MODELS[name]
    ours, twin = (
        jax.eval_shape(network.init, key, jnp.ones((2, 32, 32, 3)))
        for network in (model(), PlainFlax(layers))
    )
    assert jax.tree.map(jnp.shape, ours) == jax.tree.map(jnp.shape, twin)


def test_the_plain_twin_is_the_same_function(key):
    model, layers = MODELS["model 2"]
    image = jax.random.uniform(key, (2, 32, 32, 3))
    variables = jax.jit(model().init)(key, image)
    ours, theirs = (jax.jit(m.apply)(variables, image) for m in (model(), PlainFlax(layers)))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_all_take_turns():
    order = []
    steps = {name: lambda name=name: order.append(name) for name in "ab"}
    assert set(best_times(steps, rounds=2)) == {"a", "b"}
    assert order == list("abababab")


def test_the_command_prints_a_table(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr(benchmark_convolution, "MODELS", {"model 2": MODELS["model 2"]})
    arguments = ["benchmark", "--batch-size", "3", "--rounds", "1", "--no-compile"]
    monkeypatch.setattr("sys.argv", arguments)
    benchmark_convolution.main()
    assert "model 2" in capsys.readouterr().out
