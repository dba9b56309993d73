"""The autoencoder: shapes, sizes, and what it refuses."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.errors import UserError
from dlcourse.training.commands.parse import load_experiment
from tests import ROOT


@pytest.mark.parametrize(("network", "features"), [("dense", (7,)), ("convolutional", (3,))])
def test_everything_about_an_image_is_in_its_code(network, features):
    """The gradient of a reconstruction has at most the rank of the code."""
    model = models.Autoencoder((8, 4, 2), 3, features, network)
    x = jax.random.normal(jax.random.key(0), (2, 8, 4, 2))
    variables = model.init(jax.random.key(1), x)
    found = model.apply(variables, x)
    assert found["latent"].shape == (2, 3)
    assert found["reconstruction"].shape == x.shape
    image = jax.jit(jax.jacobian(lambda x: model.apply(variables, x[None])["reconstruction"]))
    slope = image(x[0])
    values = np.linalg.svd(np.asarray(slope).reshape(64, 64), compute_uv=False)
    assert values[0] > 1e-3
    assert values[3] < 1e-5 * values[0]


def test_the_dense_one_has_the_weights_of_its_layers():
    model = models.Autoencoder((28, 28, 1), 32, (256, 128))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    layers = [(784, 256), (256, 128), (128, 32), (32, 128), (128, 256), (256, 784)]
    expected = sum(i * o + o for i, o in layers)
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == expected


def test_sizes_that_cannot_be_halved_are_refused():
    model = models.Autoencoder((28, 28, 1), 8, (4, 4, 4), "convolutional")
    with pytest.raises(UserError, match="divisible by 2, got images of 7x7"):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))


def test_a_code_as_large_as_an_image_is_allowed_and_said():
    module = load_experiment(ROOT / "experiments" / "generative" / "autoencoder.py")
    runs = {f"code {n}": SimpleNamespace(config=module.Config(code=n)) for n in (63, 64)}
    (said,) = module.notes(runs, 64)
    assert said.startswith("code 64 is as large as an image of 64 numbers")
