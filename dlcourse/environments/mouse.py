"""The mouse game of deck 003: eat the cheese, leave the poison, see no further than two squares."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Num

# What each action adds to (row, column): down, up, right, left.
MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))


class MouseState(NamedTuple):
    """A board in play.

    Attributes:
        position: the row and column of the mouse.
        cheese: where there is cheese left.
        poison: where there is poison left.
        visits: how often the mouse has stood on each square, its first and its present included.
        eaten: how many pieces of cheese, and how many of poison.
        time: how many moves were made.
    """

    position: Int[Array, "2"]
    cheese: Bool[Array, "size size"]
    poison: Bool[Array, "size size"]
    visits: Int[Array, "size size"]
    eaten: Int[Array, "2"]
    time: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class MouseGame:
    """A mouse on a board of `size` x `size` squares with a wall around it.

    Each square holds cheese with probability `cheese_share`; one without cheese holds poison with
    probability `poison_share`; the square where the mouse begins, never one at the wall, holds
    nothing. A move leads to one of the four neighbours, where the mouse eats what it finds; a move
    against the wall throws it back one square the other way. The episode ends after `duration`
    moves. With the defaults a random mouse makes about -4 points, and all the cheese of a board is
    worth about 25.2.

    The mouse sees the squares at most `sight` rows and columns away, in planes of 0 and 1: cheese,
    poison, wall, and its own trail. Trail plane k (k = 1 .. `trail`) shows the squares on which it
    has stood at least k times. Without a trail a mouse that sees nothing to eat cannot tell where
    it came from, and soon goes in circles.

    The rules are those of V. Lepetit's exercise for the MVA (Paris-Saclay) as its students wrote
    it down (github.com/feiwu77777/Deep-Q-learning-Rat-Cheese), and the trail follows their
    exploring variant, which shows the mouse a plane that falls by 0.1 at each visit and adds that
    plane to the reward in training; here the reward is the game's alone. Their mouse also sees
    cheese inside the wall, which it can never reach, and makes one move more.

    Attributes:
        size: squares along a side, without the wall.
        sight: how far the mouse sees.
        duration: moves in an episode.
        cheese_share: the probability of cheese.
        poison_share: the probability of poison where there is no cheese.
        cheese_reward: points for a piece of cheese.
        poison_reward: points for a piece of poison.
        trail: how many planes show the trail; 0 for a mouse without memory.
    """

    size: int = 13
    sight: int = 2
    duration: int = 200
    cheese_share: float = 0.3
    poison_share: float = 0.3
    cheese_reward: float = 0.5
    poison_reward: float = -1.0
    trail: int = 4

    @property
    def num_actions(self) -> int:
        return len(MOVES)

    def reset(self, key: Key[Array, ""]) -> MouseState:
        """A new board with the mouse on it."""
        start_key, board_key = jax.random.split(key)
        shape = (self.size, self.size)
        row, column = position = jax.random.randint(start_key, (2,), 1, self.size - 1)
        start = jnp.zeros(shape, bool).at[row, column].set(True)
        # One draw a square: below the first share cheese, below the second poison.
        drawn = jax.random.uniform(board_key, shape)
        cheese = drawn < self.cheese_share
        poison = ~cheese & (drawn < self.cheese_share + (1 - self.cheese_share) * self.poison_share)
        return MouseState(
            position=position,
            cheese=cheese & ~start,
            poison=poison & ~start,
            visits=start.astype(jnp.int32),
            eaten=jnp.zeros(2, jnp.int32),
            time=jnp.zeros((), jnp.int32),
        )

    def step(
        self, state: MouseState, action: Int[Array, ""]
    ) -> tuple[MouseState, Float[Array, ""], Bool[Array, ""]]:
        """`(state, reward, done)` after a move, whose number is its place in `MOVES`."""
        move = jnp.asarray(MOVES)[action]
        ahead = state.position + move
        on_board = jnp.all((ahead >= 0) & (ahead < self.size))
        position = jnp.where(on_board, ahead, state.position - move)
        row, column = position
        eats = jnp.stack([state.cheese[row, column], state.poison[row, column]]).astype(jnp.int32)
        state = MouseState(
            position=position,
            cheese=state.cheese.at[row, column].set(False),
            poison=state.poison.at[row, column].set(False),
            visits=state.visits.at[row, column].add(1),
            eaten=state.eaten + eats,
            time=state.time + 1,
        )
        return state, self._points(eats), state.time >= self.duration

    def observe(self, state: MouseState) -> Bool[Array, "width width planes"]:
        """The squares around the mouse, which is in the middle."""
        width = 2 * self.sight + 1

        def look(plane: Bool[Array, "size size"]) -> Bool[Array, "width width"]:
            beyond = jnp.pad(plane, self.sight)  # the wall, where there is nothing
            return jax.lax.dynamic_slice(beyond, state.position, (width, width))

        wall = ~look(jnp.ones_like(state.cheese))
        trail = [look(state.visits >= k) for k in range(1, self.trail + 1)]
        return jnp.stack([look(state.cheese), look(state.poison), wall, *trail], axis=-1)

    def score(self, state: MouseState) -> dict[str, Num[Array, ""]]:
        """The points so far, and the pieces of cheese and of poison that they come from."""
        cheese, poison = state.eaten
        return {"return": self._points(state.eaten), "cheese": cheese, "poison": poison}

    def _points(self, eaten: Int[Array, "2"]) -> Float[Array, ""]:
        rewards = jnp.array([self.cheese_reward, self.poison_reward], jnp.float32)
        return jnp.sum(rewards * eaten)
