"""A policy and the value of its states, as one network."""

import flax.linen as nn
from jaxtyping import Array, Float, Shaped


class ActorCritic(nn.Module):
    """Two networks on the same observation that share no weights.

        log π(·|x) = log softmax(policy(x)),    V(x) = value(x)

    Attributes:
        policy: gives a logit for each action.
        value: gives one number.
    """

    policy: nn.Module
    value: nn.Module

    @nn.compact
    def __call__(
        self, x: Shaped[Array, "batch ..."], *, train: bool = False
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        return self.policy(x, train=train), self.value(x, train=train)[:, 0]
