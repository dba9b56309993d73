"""The convolution benchmark: both references compute the same function, and the command runs."""

import jax
import numpy as np
import pytest

from dlcourse.benchmark import convolution as benchmark_convolution
from dlcourse.benchmark.convolution import MODELS, PlainFlax
from dlcourse.benchmark.turns import in_turn
from tests.fixtures.weights import draw
from tests.models.variables import drawn, images


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_twin_has_the_same_weights(key, name):
    model, layers = MODELS[name]
    ours, twin = (
        jax.eval_shape(each.init, key, images(2, 32, 32, 3))
        for each in (model(), PlainFlax(layers))
    )
    assert jax.tree.map(np.shape, ours) == jax.tree.map(np.shape, twin)


def test_the_plain_twin_is_the_same_function():
    model, layers = MODELS["model 2"]
    batch = draw("batch", (2, 32, 32, 3))
    variables = drawn(model(), images(*batch.shape))
    both = jax.jit(lambda v, x: [each.apply(v, x) for each in (model(), PlainFlax(layers))])
    ours, theirs = both(variables, batch)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_calls_alternate():
    order = []
    steps = {name: lambda name=name: order.append(name) for name in "ab"}
    assert {name: len(times) for name, times in in_turn(steps, rounds=2).items()} == {
        "a": 2,
        "b": 2,
    }
    assert order == list("abababab")


def test_the_command_prints_a_table(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr(benchmark_convolution, "MODELS", {"model 2": MODELS["model 2"]})
    arguments = ["benchmark", "--batch-size", "3", "--rounds", "1", "--no-compile"]
    monkeypatch.setattr("sys.argv", arguments)
    benchmark_convolution.main()
    assert "model 2" in capsys.readouterr().out
