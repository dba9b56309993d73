"""Losses of generative adversarial networks. D(x) = σ(logit) is the probability that x is real."""

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
