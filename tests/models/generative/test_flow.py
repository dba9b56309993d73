"""Flows: exact log-determinants, exact inverses, and probabilities that sum to one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.errors import UserError
from dlcourse.models.generative.bijections import mask_of
from dlcourse.models.generative.flow import Probit
from tests.fixtures.weights import draw
from tests.models.variables import drawn, images

NET = functools.partial(models.GatedConvNet, 3, 1)
DENSE = functools.partial(models.MLP, (5,))
SPLINE = functools.partial(models.Spline, bins=4, bound=3.0)
# One of everything, on 4x4 images of 2 channels with 5 grey levels.
IMAGES = functools.partial(
    models.image_flow, (4, 4, 2), 5, features=(4, 3), couplings=(1, 1), depth=1, dequantisation=1
)
LAYERS = {
    "elementwise": (models.Elementwise(SPLINE), (3,)),
    "affine coupling": (models.Coupling(models.Affine, DENSE), (5,)),
    "spline coupling": (models.Coupling(SPLINE, DENSE, flip=True), (5,)),
    "checkerboard": (models.Coupling(models.Affine, NET, "checkerboard"), (4, 6, 1)),
    "convolution": (models.InvertibleConv(), (2, 3, 5)),
    "squeezed split": (
        models.Squeezed(models.Chain([models.InvertibleConv(), models.Split(models.Chain(
            [models.Coupling(models.Affine, NET)]
        ))])), (4, 2, 1),
    ),
    "probit": (Probit(5), (3,)),
}  # fmt: skip


def inputs(name, shape, examples=3):
    x = draw(name, (examples, *shape))
    # Inside of (0, 5); at knots and in tails.
    return jax.device_put(2.5 + 2 * np.tanh(x) if name == "probit" else 2 * x)


def grey(seed, *shape, levels=5):
    """Images of random grey levels, and noise for them."""
    k = np.random.default_rng(seed).integers(0, levels, shape)
    x = (k / (levels - 1)).astype(np.float32)
    return jax.device_put((x, 0.5 * draw("noise", shape)))


def small(variables):
    """Weights for which no slope is so flat that float32 could not invert it."""
    return jax.tree.map(lambda leaf: 0.4 * leaf, variables)


def log_det_of(function, x):
    """Of the Jacobian of every example, in forward mode."""
    flat = x.reshape(len(x), -1)

    def one(row):
        return function(row.reshape(1, *x.shape[1:])).reshape(-1)

    jacobians = jax.jit(jax.vmap(jax.jacfwd(one)))(flat)
    return np.linalg.slogdet(np.asarray(jacobians, np.float64))[1]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_inverted_and_knows_its_determinant(name):
    layer, shape = LAYERS[name]
    x = inputs(name, shape)
    variables = small(drawn(layer, x))

    @jax.jit
    def both(x):
        z, log_det = layer.apply(variables, x)
        back, opposite = layer.apply(variables, z, inverse=True)
        return z, log_det, back, opposite

    z, log_det, back, opposite = both(x)
    assert not np.allclose(z, x, atol=0.05)
    np.testing.assert_allclose(back, x, atol=1e-5)
    np.testing.assert_allclose(opposite, -log_det, atol=2e-5)
    expected = log_det_of(lambda row: layer.apply(variables, row)[0], x)
    np.testing.assert_allclose(log_det, expected, atol=2e-5)


def test_a_new_coupling_is_the_identity(key):
    x = inputs("identity", (5,))
    for transform in (models.Affine, SPLINE):
        layer = models.Coupling(transform, DENSE)
        z, log_det = layer.apply(layer.init(key, x), x)
        np.testing.assert_allclose(z, x, atol=1e-6)
        np.testing.assert_allclose(log_det, 0, atol=1e-5)


def test_an_affine_coupling_equals_a_loop():
    """RealNVP's equations, in NumPy, one number at a time."""
    layer = models.Coupling(models.Affine, DENSE)
    x = inputs("affine loop", (4,))
    variables = drawn(layer, x)
    p = variables["params"]
    z, log_det = jax.tree.map(np.asarray, layer.apply(variables, x))
    bound = np.exp(p["Affine_0"]["log_bound"])
    dense = p["MLP_0"]["Dense_0"]
    for n, row in enumerate(np.asarray(x)):
        seen = np.array([row[0], row[1], 0, 0])
        h = np.maximum(seen @ dense["kernel"] + dense["bias"], 0)
        out = (h @ p["kernel"] + p["bias"]).reshape(4, 2)
        total = 0.0
        for i in (2, 3):
            s = bound[i] * np.tanh(out[i, 0] / bound[i])
            assert z[n, i] == pytest.approx(row[i] * np.exp(s) + out[i, 1], abs=1e-5)
            total += s
        np.testing.assert_array_equal(z[n, :2], row[:2])
        assert log_det[n] == pytest.approx(total, abs=1e-5)


def test_a_flow_of_images_knows_its_determinant_with_preprocessing():
    """From the dequantised levels v to the latents, at u = Φ(0) = 1/2 of the fixed half."""
    model = IMAGES(dequantisation=0)
    x, noise = grey(0, 2, 4, 4, 2)
    variables = drawn(model, x, x)
    v = 4 * x + jax.scipy.special.ndtr(noise)

    def from_v(v):
        chain = models.Chain([Probit(5), *model.layers])
        names = {f"layers_{i + 1}": variables["params"][f"layers_{i}"] for i in range(2)}
        return chain.apply({"params": names}, v)[0]

    z, log_p = jax.jit(model.apply)(variables, x, noise)
    np.testing.assert_allclose(from_v(v), z, atol=2e-5)
    normal = -0.5 * np.sum(np.square(z) + np.log(2 * np.pi), axis=(1, 2, 3))
    expected = log_det_of(from_v, v) + normal
    np.testing.assert_allclose(log_p, expected, rtol=1e-5, atol=1e-3)


def test_samples_are_grey_levels_and_latents_come_back():
    model = IMAGES()
    x, noise = grey(1, 3, 4, 4, 2)

    @jax.jit
    def there_and_back(variables):
        return model.apply(variables, model.apply(variables, x, noise)[0], method="inverse")

    np.testing.assert_allclose(there_and_back(drawn(model, x, x)), x, atol=1e-6)


@pytest.mark.parametrize("dequantisation", [0, 1])
def test_a_new_flow_is_uniform_over_the_levels(dequantisation, key):
    """So an image of K levels has exactly log₂ K bits per dimension, whatever the noise."""
    model = IMAGES(dequantisation=dequantisation)
    x, noise = grey(2, 3, 4, 4, 2)
    _, log_p = jax.jit(lambda e: model.apply(model.init(key, x, x), x, e))(4 * noise)
    np.testing.assert_allclose(-log_p / 32 / np.log(2), np.log2(5), atol=1e-4)


def test_the_values_of_a_pixel_have_probabilities_that_sum_to_at_most_one():
    """Quadrature over the noise gives the bound of each value exactly; e^bound sums to <= 1.

    The probability itself, the mean of the likelihood over uniform noise, sums to 1.
    """
    model = models.Flow((1,), [models.Elementwise(SPLINE)], 5)
    x = jax.device_put((np.arange(5, dtype=np.float32) / 4)[:, None])
    variables = drawn(model, x, x)
    u = (np.arange(2000) + 0.5) / 2000
    noise = jax.scipy.special.ndtri(u).astype(np.float32)
    every = jax.vmap(lambda e: model.apply(variables, x, jnp.full((5, 1), e))[1], out_axes=1)
    log_p = jax.jit(every)(noise)
    log_p = np.asarray(log_p, np.float64)
    assert np.exp(log_p).mean(axis=1).sum() == pytest.approx(1.0, abs=2e-3)
    bound = np.exp(log_p.mean(axis=1)).sum()
    assert 0.5 < bound < 1.0


def test_the_density_of_a_flow_integrates_to_one():
    model = models.point_flow(SPLINE, 2, (6,))
    axis = np.linspace(-8, 8, 161)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    _, log_p = jax.jit(model.apply)(small(drawn(model, images(1, 2))), grid.astype(np.float32))
    assert np.exp(np.asarray(log_p, float)).sum() * 0.1**2 == pytest.approx(1.0, abs=2e-3)


def test_masks():
    np.testing.assert_array_equal(
        mask_of("checkerboard", (2, 3, 1))[..., 0], [[0, 1, 0], [1, 0, 1]]
    )
    np.testing.assert_array_equal(mask_of("halves", (5,)), [1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("shape", "words"),
    [((1, 1, 1), "squeeze by 2"), ((4, 4, 3), "4x4x2"), ((4, 4, 2, 1), "4x4x2")],
)
def test_images_that_do_not_fit_are_refused(shape, words, key):
    model = IMAGES() if words == "4x4x2" else IMAGES.func(shape, 5, features=(4, 3), depth=1)
    with pytest.raises(UserError, match=words) as refused:
        jax.eval_shape(model.init, key, images(2, *shape), images(2, *shape))
    assert "\n" not in str(refused.value)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="checkerboard"):
        mask_of("checkerboard", (5,))
    with pytest.raises(UserError, match="2 channels"):
        mask_of("halves", (4, 4, 1))


def test_one_grey_level_is_refused(key):
    with pytest.raises(UserError, match="at least 2 grey levels"):
        jax.eval_shape(models.Flow((1,), [], 1).init, key, images(2, 1), images(2, 1))


def test_the_likelihood_is_float32_at_low_precision():
    """With bfloat16 weights 256 levels and the log-determinant keep their digits."""
    model = models.image_flow((4, 4, 1), 256, features=(4, 3), couplings=(1, 1), depth=1,
                              dequantisation=1)  # fmt: skip
    x, noise = grey(3, 3, 4, 4, 1, levels=256)
    low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), drawn(model, x, x))

    @jax.jit
    def there_and_back(variables):
        z, log_p = model.apply(variables, x, noise)
        return z, log_p, model.apply(variables, z, method="inverse")

    z, log_p, back = there_and_back(low)
    assert z.dtype == log_p.dtype == jnp.float32
    np.testing.assert_allclose(back, x, atol=1e-6)
    program = str(jax.make_jaxpr(lambda v: model.apply(v, x, noise))(low))
    products = [line for line in program.splitlines() if "dot_general" in line]
    assert any("bf16" in line for line in products)
