"""Masked language modelling: which tokens are hidden, drawn on the device."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

MASK, RANDOM = 0.8, 0.1  # shares of the chosen tokens; the others stay as they are


@dataclasses.dataclass(frozen=True)
class Masking:
    """Chooses tokens and hides them (Devlin et al., 2019; deck 003).

    Units are chosen in a random order until 15 % of a text's tokens are. The unit that goes beyond
    is chosen with the probability that makes the expected number exact. Of the chosen tokens 80 %
    become `[MASK]`, 10 % a random token that is not special, 10 % stay. Special tokens and padding
    belong to no unit.

    Attributes:
        mask: the number of `[MASK]`.
        first: the least number of a token that is not special.
        size: number of tokens.
        longest: tokens of the longest unit.
        rate: share of the tokens that is chosen.
    """

    mask: int
    first: int
    size: int
    longest: int = 1
    rate: float = 0.15

    def places(self, length: int) -> int:
        """The greatest number of chosen tokens in a text of `length`."""
        return min(length, int(self.rate * length) + self.longest)

    def __call__(
        self,
        key: Key[Array, ""],
        tokens: Int[Array, " length"],
        units: Int[Array, " length"],
    ) -> dict[str, Array]:
        """One text with hidden tokens.

        Args:
            key: of all draws.
            tokens: of the text.
            units: the number of each token's unit, from 1 on; 0 for tokens that are never chosen.

        Returns:
            `tokens` as the model sees them; `places` `[places]`, where tokens were chosen; `wanted`
            `[places]`, the tokens that stood there; `weights` `[places]`, 1, and 0 for entries
            beyond the chosen ones.
        """
        order_key, rest_key, edge_key, kind_key, random_key = jax.random.split(key, 5)
        length = tokens.shape[0]
        sizes = jnp.zeros(length + 1, jnp.int32).at[units].add((units > 0).astype(jnp.int32))
        exact = self.rate * jnp.sum(sizes) + jax.random.uniform(rest_key)
        budget = jnp.floor(exact).astype(jnp.int32)
        drawn = jax.random.uniform(order_key, (length + 1,))
        order = jnp.argsort(jnp.where(sizes > 0, drawn, 2.0))
        ordered = sizes[order]
        before = jnp.cumsum(ordered) - ordered
        # The number of tokens that a unit may still take, as a share of the unit.
        share = (budget - before) / jnp.maximum(ordered, 1)
        taken = (ordered > 0) & (jax.random.uniform(edge_key) < share)
        chosen = jnp.zeros(length + 1, bool).at[order].set(taken)[units]

        kind = jax.random.uniform(kind_key, (length,))
        other = jax.random.randint(random_key, (length,), self.first, self.size)
        hidden = jnp.where(kind < MASK, self.mask, jnp.where(kind < MASK + RANDOM, other, tokens))
        places = jnp.argsort(~chosen, stable=True)[: self.places(length)].astype(jnp.int32)
        return {
            "tokens": jnp.where(chosen, hidden, tokens).astype(jnp.int32),
            "places": places,
            "wanted": tokens[places],
            "weights": chosen[places].astype(jnp.float32),
        }
