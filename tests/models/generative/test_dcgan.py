"""The strided convolutions of a DCGAN, against the convolutions that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.errors import UserError
from dlcourse.models.generative.dcgan import Down, Up


def test_down_is_a_4x4_convolution_at_stride_2(key):
    x = jax.random.normal(key, (2, 6, 8, 3))
    y, variables = Down(5).init_with_output(key, x)
    kernel = variables["params"]["Conv_0"]["kernel"]  # [2, 2, 3 * 4, 5]
    # A squeezed channel is c f² + m f + n.
    whole = kernel.reshape(2, 2, 3, 2, 2, 5).transpose(0, 3, 1, 4, 2, 5).reshape(4, 4, 3, 5)
    expected = jax.lax.conv_general_dilated(
        x, whole, (2, 2), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert y.shape == (2, 3, 4, 5)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_up_is_the_transpose_of_such_a_convolution(key):
    """<down(x), y> = <x, up(y)> for the same 4x4 kernel."""
    y = jax.random.normal(key, (2, 3, 4, 5))
    x, variables = Up(3).init_with_output(key, y)
    kernel = variables["params"]["Conv_0"]["kernel"]  # [2, 2, 5, 3 * 4]
    # An output pixel (2i + m, 2j + n) reads the maps at i + a - 1 and j + b - 1.
    parts = kernel.reshape(2, 2, 5, 3, 2, 2).transpose(0, 4, 1, 5, 3, 2)  # a m b n
    whole = parts[::-1, :, ::-1].reshape(4, 4, 3, 5)
    other = jax.random.normal(jax.random.key(1), (2, 6, 8, 3))
    down = jax.lax.conv_general_dilated(
        other, whole, (2, 2), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert x.shape == (2, 6, 8, 3)
    np.testing.assert_allclose(jnp.sum(down * y), jnp.sum(other * x), rtol=1e-4)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (8, 8, 1)])
def test_sizes(shape, key):
    z = jnp.ones((2, 16))

    def both():
        made = models.DCGenerator(shape, (16, 8)).init_with_output(key, z)[0]
        return made, models.DCDiscriminator((8, 16)).init_with_output(key, made)[0]

    image, logit = jax.eval_shape(both)
    assert (image.shape, logit.shape) == ((2, *shape), (2,))


def test_a_sample_does_not_depend_on_its_batch(key):
    z = jax.random.normal(key, (4, 6))
    model = models.DCGenerator((8, 8, 1), (8, 8))
    variables = model.init(key, z)
    whole, alone = model.apply(variables, z, train=True), model.apply(variables, z[1:2])
    np.testing.assert_allclose(whole[1:2], alone, rtol=1e-5, atol=1e-6)
    assert set(variables) == {"params"}  # nothing that averaged weights would not fit


def test_sizes_that_cannot_be_halved_are_refused(key):
    message = r"A DCGAN of 2 maps halves images as often; 10x10 pixels cannot be divided by 4"
    with pytest.raises(UserError, match=message):
        models.DCGenerator((10, 10, 1), (8, 8)).init(key, jnp.ones((1, 4)))
    with pytest.raises(UserError, match=message):
        models.DCDiscriminator((8, 8)).init(key, jnp.ones((1, 10, 10, 1)))
