"""The multi-layer perceptron: its size, and the laws of dropout and batch normalisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.models.foundations.activations import linear
from tests.fixtures.weights import draw
from tests.models.variables import drawn, images


@pytest.mark.parametrize(
    ("features", "count"), [((256, 128, 10), 235_146), ((64, 32, 10), 52_650), ((10,), 7_850)]
)
def test_published_counts_of_weights(features, count):
    shapes = jax.eval_shape(models.MLP(features).init, jax.random.key(0), images(1, 28, 28, 1))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


def test_dropout_keeps_the_expectation(key):
    """Without a non-linearity the mean over masks is the network of evaluation."""
    model = models.MLP((31, 29, 3), activation=linear, dropout=0.4)
    x = jnp.asarray(draw("x", (5, 7)))
    variables = drawn(model, x)

    @jax.jit
    def outputs(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def dropped(key: jax.Array) -> jax.Array:
            return model.apply(variables, x, train=True, rngs={"dropout": key})

        return jax.vmap(dropped)(jax.random.split(key, 4000)), model.apply(variables, x)

    dropped, whole = map(np.asarray, outputs(key))
    error = dropped.std(axis=0) / np.sqrt(len(dropped))
    np.testing.assert_array_less(np.abs(dropped.mean(axis=0) - whole), 5 * error)
    # And it drops: no two masks are alike, and evaluation has none.
    assert dropped.std(axis=0).min() > 0.01


def test_running_averages_are_the_weighted_statistics_of_the_batches():
    """`μ := 0.9 μ + 0.1 μ_B`, from 0, and σ² likewise, from 1, while the weights change."""
    model = models.MLP((11, 3), batch_norm=True)
    seen = [3 * draw(f"batch {n}", (23, 5)) + 1 for n in range(4)]
    params = drawn(model, seen[0])["params"]

    @jax.jit
    def train(variables: dict, x: jax.Array) -> dict:
        return model.apply(variables, x, train=True, mutable=["batch_stats"])[1]

    mean, variance = np.zeros(11, np.float32), np.ones(11, np.float32)
    state = {"batch_stats": {"BatchNorm_0": {"mean": mean, "var": variance}}}
    for number, x in enumerate(seen):
        kernel = params["Dense_0"]["kernel"] + 0.1 * draw(f"step {number}", (5, 11))
        params = params | {"Dense_0": {"kernel": kernel}}
        z = x.astype(np.float64) @ kernel
        mean = 0.9 * mean + 0.1 * z.mean(axis=0)
        variance = 0.9 * variance + 0.1 * z.var(axis=0)
        state = train({"params": params, **state}, x)
    statistics = state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(statistics["var"], variance, rtol=1e-4)

    # Evaluation goes by them: an example's output does not depend on the batch around it.
    x = seen[0]
    predict = jax.jit(model.apply)
    whole = predict({"params": params, **state}, x)
    np.testing.assert_allclose(predict({"params": params, **state}, x[:1]), whole[:1], rtol=1e-5)
    normal = (x @ params["Dense_0"]["kernel"] - mean) / np.sqrt(variance + 1e-5)
    z = params["BatchNorm_0"]["scale"] * normal + params["BatchNorm_0"]["bias"]
    expected = np.maximum(z, 0) @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"]
    np.testing.assert_allclose(whole, expected, rtol=1e-3, atol=1e-4)


def test_batch_norm_normalises_by_the_batch_in_training():
    """The first layer removes the scale of the input; β takes the place of its bias."""
    model = models.MLP((11, 3), batch_norm=True)
    x = 3 * draw("x", (23, 5)) + 1
    variables = drawn(model, x)
    assert set(variables["params"]["Dense_0"]) == {"kernel"}
    train = jax.jit(lambda x: model.apply(variables, x, train=True, mutable=["batch_stats"])[0])
    np.testing.assert_allclose(train(x + 7), train(10 * x + 7), rtol=1e-3, atol=1e-3)
