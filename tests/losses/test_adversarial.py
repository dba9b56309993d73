"""GAN losses against the deck and Goodfellow et al. (2014)."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.spatial.distance
import scipy.special

from dlcourse import losses

GENERATOR = np.random.default_rng(0)
REAL, FAKE = GENERATOR.normal(size=(2, 13), scale=3).astype(np.float32)
DENSITIES = GENERATOR.dirichlet(np.ones(7), size=2).astype(np.float32)


def test_gan_losses_are_the_decks() -> None:
    d_real, d_fake = (scipy.special.expit(x.astype(np.float64)) for x in (REAL, FAKE))

    @jax.jit
    def all_three(real: jax.Array, fake: jax.Array) -> list[jax.Array]:
        return [
            losses.gan_discriminator(real, fake),
            losses.gan_generator_minimax(fake),
            losses.gan_generator_non_saturating(fake),
        ]

    found = all_three(REAL, FAKE)
    expected = [-np.log(d_real) - np.log(1 - d_fake), np.log(1 - d_fake), -np.log(d_fake)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_undecided_discriminator_is_at_log_four() -> None:
    undecided = np.zeros(13, np.float32)
    loss = jax.jit(losses.gan_discriminator)(undecided, undecided)
    np.testing.assert_allclose(loss, np.log(4), rtol=1e-6)


def test_the_best_discriminator_is_the_ratio_of_densities() -> None:
    """Goodfellow's proposition 1: D* = p / (p + q), where the loss is log 4 - 2 JS(p, q)."""
    p, q = DENSITIES
    sure = jnp.asarray(np.full(7, np.inf, np.float32))  # the other half then costs nothing

    @jax.jit
    @jax.value_and_grad
    def cost(logits: jax.Array) -> jax.Array:
        on_real = losses.gan_discriminator(logits, -sure)
        on_fake = losses.gan_discriminator(sure, logits)
        return jnp.sum(p * on_real + q * on_fake)

    value, gradient = cost(np.log(p / q))  # the logit of p / (p + q)
    np.testing.assert_allclose(gradient, np.zeros(7), atol=1e-6)
    shannon = scipy.spatial.distance.jensenshannon(p, q) ** 2
    np.testing.assert_allclose(value, np.log(4) - 2 * shannon, rtol=1e-5)


def test_only_the_minimax_generator_saturates() -> None:
    sure_of_the_fake = np.array([-20], np.float32)
    gradients = [
        jax.grad(lambda z, loss=loss: loss(z).sum())
        for loss in (losses.gan_generator_minimax, losses.gan_generator_non_saturating)
    ]
    minimax, non_saturating = jax.jit(lambda z: [each(z) for each in gradients])(sure_of_the_fake)
    np.testing.assert_allclose(minimax, -scipy.special.expit(-20.0), rtol=1e-5)
    np.testing.assert_allclose(non_saturating, -1.0, rtol=1e-5)


def test_the_hinge_losses() -> None:
    real, fake = jnp.array([[2.0, 0.5, -1.0], [-3.0, 0.5, 1.0]])
    found = losses.GAN_LOSSES["hinge"].discriminator(real, fake)
    np.testing.assert_allclose(found, [0 + 0, 0.5 + 1.5, 2 + 2])
    np.testing.assert_allclose(losses.GAN_LOSSES["hinge"].generator(fake), -fake)
