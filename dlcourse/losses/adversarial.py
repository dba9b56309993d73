"""Losses of generative adversarial networks. D(x) = σ(logit) is the probability that x is real."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
from jaxtyping import Array, Float


def gan_discriminator(
    real_logits: Float[Array, " batch"], fake_logits: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """`-log D(x) - log(1 - D(G(z)))`, minimised by the discriminator.

    It is the negative value of the game, `min_G max_D E[log D(x)] + E[log(1 - D(G(z)))]`
    (Goodfellow et al., 2014). Deck 003 prints the min and the max the other way round. An
    undecided discriminator, D = ½, has loss `log 4`.
    """
    return -jax.nn.log_sigmoid(real_logits) - jax.nn.log_sigmoid(-fake_logits)


def gan_generator_minimax(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """`log(1 - D(G(z)))`: the generator's side of the minimax game (deck 003).

    Its gradient with respect to the logit is -D(G(z)). It vanishes where D recognises the fake
    with certainty.
    """
    return jax.nn.log_sigmoid(-fake_logits)


def gan_generator_non_saturating(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """`-log D(G(z))`: the generator's loss as deck 003 writes it.

    It has the fixed point of the minimax form. Its gradient with respect to the logit is
    D(G(z)) - 1, which is steepest where D recognises the fake with certainty.
    """
    return -jax.nn.log_sigmoid(fake_logits)


def gan_discriminator_hinge(
    real_logits: Float[Array, " batch"], fake_logits: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """`max(0, 1 - a(x)) + max(0, 1 + a(G(z)))` of the logits a (Lim and Ye, 2017)."""
    return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)


def gan_generator_hinge(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """`-a(G(z))`: the generator's side of the hinge loss."""
    return -fake_logits


class GANLoss(NamedTuple):
    """The losses of a discriminator, of real and fake logits, and of a generator, of fake ones."""

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]


GANLossName = Literal["minimax", "non-saturating", "hinge"]
GAN_LOSSES: dict[GANLossName, GANLoss] = {
    "minimax": GANLoss(gan_discriminator, gan_generator_minimax),
    "non-saturating": GANLoss(gan_discriminator, gan_generator_non_saturating),
    "hinge": GANLoss(gan_discriminator_hinge, gan_generator_hinge),
}
