"""The interface between a learner and the environment in which it acts."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int, Key, Shaped


@runtime_checkable
class Environment(Protocol):
    """An environment as pure functions of its state; the state is any pytree of arrays.

    The functions handle one environment; `jax.vmap` makes a batch of them. `reset` alone draws
    random numbers: the state and the action determine the next state.
    """

    @property
    def num_actions(self) -> int:
        """Number of actions; an action is an integer from 0 to `num_actions - 1`."""

    @property
    def duration(self) -> int:
        """Maximum number of steps in an episode."""

    def reset(self, key: Key[Array, ""]) -> Any:
        """The initial state of a new episode."""

    def step(
        self, state: Any, action: Int[Array, ""]
    ) -> tuple[Any, Float[Array, ""], Bool[Array, ""], Bool[Array, ""]]:
        """`(state, reward, terminated, truncated)` after an action.

        Either flag ends the episode; the caller then calls `reset`. They differ in the target of
        a value function, with s' the state returned:

            y = r + γ (1 - terminated) V(s')

        `terminated`: s' is a terminal state. Nothing follows it, so its value is 0 and the target
        does not bootstrap. `truncated`: the episode was cut off, by a time limit for example, in a
        state from which it could go on. Its value is V(s') and the target bootstraps. If both are
        set, `terminated` decides (Pardo et al., 2018, "Time limits in reinforcement learning").
        """

    def observe(self, state: Any) -> Shaped[Array, "..."]:
        """The agent's observation of a state."""

    def score(self, state: Any) -> dict[str, Shaped[Array, ""]]:
        """Statistics of the episode so far: `return`, the sum of rewards, and the game's own."""
