"""What a learner may ask of a world."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int, Key, Shaped


@runtime_checkable
class Environment(Protocol):
    """A world as pure functions of its state, any pytree of arrays; one world, not a batch.

    What is not in the state or in the action is not random: all chance is drawn by `reset`.
    """

    @property
    def num_actions(self) -> int:
        """Actions are the numbers below it."""

    @property
    def duration(self) -> int:
        """After how many steps every episode is done."""

    def reset(self, key: Key[Array, ""]) -> Any:
        """The state in which a new episode begins."""

    def step(
        self, state: Any, action: Int[Array, ""]
    ) -> tuple[Any, Float[Array, ""], Bool[Array, ""]]:
        """`(state, reward, done)` after an action."""

    def observe(self, state: Any) -> Shaped[Array, "..."]:
        """What the player is shown of a state."""

    def score(self, state: Any) -> dict[str, Shaped[Array, ""]]:
        """How the episode went so far: `return`, the sum of its rewards, and what else counts."""
