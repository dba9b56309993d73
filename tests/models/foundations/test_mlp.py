"""The multi-layer perceptron: its size, and the laws of dropout and batch normalisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, losses, models, optim
from dlcourse.models.foundations.activations import linear


@pytest.mark.parametrize(
    ("features", "count"), [((256, 128, 10), 235_146), ((64, 32, 10), 52_650), ((10,), 7_850)]
)
def test_published_counts_of_weights(features, count):
    shapes = jax.eval_shape(models.MLP(features).init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


def test_dropout_keeps_the_expectation(key):
    """Without a non-linearity the mean over masks is the network of evaluation."""
    model = models.MLP((31, 29, 3), activation=linear, dropout=0.4)
    x = jax.random.normal(key, (5, 7))
    params = model.init(key, x)
    dropped = jax.jit(jax.vmap(lambda k: model.apply(params, x, train=True, rngs={"dropout": k})))(
        jax.random.split(key, 4000)
    )
    error = dropped.std(axis=0) / np.sqrt(len(dropped))
    np.testing.assert_array_less(jnp.abs(dropped.mean(axis=0) - model.apply(params, x)), 5 * error)
    # And it drops: no two masks are alike, and evaluation knows none.
    assert dropped.std(axis=0).min() > 0.01


def batches(key, count):
    keys = jax.random.split(key, count)
    return [
        {"image": 3 * jax.random.normal(k, (23, 5)) + 1, "label": jnp.arange(23) % 3} for k in keys
    ]


def test_running_averages_are_the_weighted_statistics_of_the_batches(key):
    """`μ := 0.9 μ + 0.1 μ_B`, from 0, and σ² likewise, from 1, over the steps of training."""
    model = models.MLP((11, 3), batch_norm=True)
    learner = learners.supervised(model, losses.softmax_cross_entropy, optim.adam(0.05))
    seen = batches(key, 4)
    state = learner.init(key, seen[0])
    step = jax.jit(learner.step)
    mean, variance = np.zeros(11), np.ones(11)
    for batch in seen:
        z = np.asarray(batch["image"], np.float64) @ np.asarray(state.params["Dense_0"]["kernel"])
        mean = 0.9 * mean + 0.1 * z.mean(axis=0)
        variance = 0.9 * variance + 0.1 * z.var(axis=0)
        state, _ = step(state, batch, key)
    statistics = state.model_state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(statistics["var"], variance, rtol=1e-4)

    # Evaluation goes by them: an example's output does not depend on the batch around it.
    x = seen[0]["image"]
    predict = learners.predictor(model)
    whole = predict(state, {"image": x})
    np.testing.assert_allclose(predict(state, {"image": x[:1]}), whole[:1], rtol=1e-5)
    params = jax.tree.map(np.asarray, state.params)
    normal = (np.asarray(x) @ params["Dense_0"]["kernel"] - mean) / np.sqrt(variance + 1e-5)
    z = params["BatchNorm_0"]["scale"] * normal + params["BatchNorm_0"]["bias"]
    expected = np.maximum(z, 0) @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"]
    np.testing.assert_allclose(whole, expected, rtol=1e-3, atol=1e-4)


def test_batch_norm_normalises_by_the_batch_in_training(key):
    """The scale of the input is gone after the first layer, and there is no bias beside β."""
    model = models.MLP((11, 3), batch_norm=True)
    x = batches(key, 1)[0]["image"]
    variables = model.init(key, x)
    assert set(variables["params"]["Dense_0"]) == {"kernel"}
    outputs = [
        model.apply(variables, factor * x + 7.0, train=True, mutable=["batch_stats"])[0]
        for factor in (1.0, 10.0)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-3)
