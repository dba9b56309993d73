"""Classifiers of texts: no part of them sees padding."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from tests.models.variables import drawn

TOKENS = jnp.array([[2, 7, 5, 9, 3], [2, 4, 3, 0, 0], [2, 6, 8, 3, 0]])
BERT = models.BERT(11, 9, layers=1, heads=2, features=8, pools=False)
FEATURES = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32))
LENGTHS = jnp.array([5, 3, 4])
MODELS = {
    "GRU": models.TextClassifier(2, nn.Embed(11, 6), 4),
    "BERT": models.TextClassifier(2, BERT),
    "features": models.TextClassifier(2, None, 4),
    "mean of features": models.TextClassifier(2),
}


def text_of(name, more=0):
    if "features" in name:
        padded = jnp.pad(FEATURES, ((0, 0), (0, more), (0, 0)), constant_values=3.0)
        return {"features": padded, "lengths": LENGTHS}
    return {"tokens": jnp.pad(TOKENS, ((0, 0), (0, more)))}


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(name):
    model = MODELS[name]
    params = drawn(model, text_of(name))
    apply = jax.jit(model.apply)
    logits = apply(params, text_of(name))
    assert logits.shape == (3, 2)
    np.testing.assert_allclose(apply(params, text_of(name, 4)), logits, rtol=1e-5, atol=1e-6)
    assert np.all(np.ptp(logits, axis=0) > 1e-3)


def test_the_mean_is_over_the_tokens():
    model = MODELS["mean of features"]
    params = drawn(model, text_of("features"))
    weights = params["params"]["Dense_0"]
    logits = jax.jit(model.apply)(params, text_of("features"))
    for row, length in enumerate(LENGTHS):
        mean = np.asarray(FEATURES)[row, :length].mean(0)
        expected = mean @ weights["kernel"] + weights["bias"]
        np.testing.assert_allclose(logits[row], expected, rtol=1e-5, atol=1e-6)


def test_the_readout_has_no_pooler():
    params = drawn(MODELS["BERT"], text_of("BERT"))["params"]
    assert params.keys() == {"encoder", "Dense_0"}
    assert "pooler" not in params["encoder"]
