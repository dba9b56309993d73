"""Losses of policies, from advantages of the actions that were taken."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def clipped_surrogate(
    log_ratio: Float[Array, "*batch"], advantage: Float[Array, "*batch"], clip: float
) -> Float[Array, "*batch"]:
    """PPO's loss of each action (Schulman et al., 2017).

        ρ = π(a|s) / π_old(a|s)
        L = -min(ρ A, clip(ρ, 1 - ε, 1 + ε) A)

    Beyond 1 + ε a good action, and below 1 - ε a bad one, has no gradient. At ρ = 1 the gradient
    is that of REINFORCE (Williams, 1992), -A ∇log π(a|s).

    Args:
        log_ratio: log π(a|s) - log π_old(a|s).
        advantage: A; the loss has no gradient with respect to it if the caller's has none.
        clip: ε.
    """
    ratio = jnp.exp(log_ratio)
    return -jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
