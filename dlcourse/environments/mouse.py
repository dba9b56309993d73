"""The mouse game of deck 003: eat cheese and avoid poison under a limited field of view."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Num

# Displacement (row, column) of each action: down, up, right, left.
MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))


class MouseState(NamedTuple):
    """The state of one game.

    Attributes:
        position: row and column of the mouse.
        cheese: the squares that hold cheese.
        poison: the squares that hold poison.
        visits: number of visits to each square, including the first and the current square.
        eaten: pieces eaten, `[cheese, poison]`.
        time: number of moves made.
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

    Each square holds cheese with probability `cheese_share`; a square without cheese holds poison
    with probability `poison_share`. The first square is drawn uniformly from the squares that do
    not touch the wall, and is empty. A move leads to one of the four neighbours, where the mouse
    eats cheese or poison; a move against the wall moves the mouse one square in the opposite
    direction. No state is terminal; an episode is truncated after `duration` moves. With the
    defaults a random mouse scores about -4 points, and all the cheese of a board is worth about
    25.2.

    The mouse observes the squares at most `sight` rows and columns away, in planes of 0 and 1:
    cheese, poison, wall, and its trail. Trail plane k (k = 1 .. `trail`) marks the squares visited
    at least k times. Without a trail, a deterministic policy that sees nothing to eat cannot tell
    where it came from and soon moves in circles. The observation does not contain the time: this
    is why the time limit is a truncation and not a terminal state.

    The rules are those of V. Lepetit's exercise for the MVA (Paris-Saclay), as published by its
    students (github.com/feiwu77777/Deep-Q-learning-Rat-Cheese). The trail follows their exploring
    variant, which observes a plane that falls by 0.1 at each visit and adds this plane to the
    reward in training; here the reward is that of the game alone. Their observation also contains
    cheese inside the wall, which cannot be reached, and their episode is one move longer.

    Attributes:
        size: squares along a side, without the wall.
        sight: radius of the field of view in squares.
        duration: moves in an episode.
        cheese_share: probability of cheese.
        poison_share: probability of poison on a square without cheese.
        cheese_reward: points for a piece of cheese.
        poison_reward: points for a piece of poison.
        trail: number of trail planes; 0 for a mouse without memory.
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
        """A new board."""
        start_key, board_key = jax.random.split(key)
        shape = (self.size, self.size)
        row, column = position = jax.random.randint(start_key, (2,), 1, self.size - 1)
        start = jnp.zeros(shape, bool).at[row, column].set(True)
        # One uniform draw per square: below the first threshold cheese, below the second poison.
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
    ) -> tuple[MouseState, Float[Array, ""], Bool[Array, ""], Bool[Array, ""]]:
        """`(state, reward, terminated, truncated)` after `MOVES[action]`; never terminates."""
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
        return state, self._points(eats), jnp.array(False), state.time >= self.duration

    def observe(self, state: MouseState) -> Bool[Array, "width width planes"]:
        """The field of view, `width = 2 sight + 1`, centred on the mouse."""
        width = 2 * self.sight + 1

        def look(plane: Bool[Array, "size size"]) -> Bool[Array, "width width"]:
            beyond = jnp.pad(plane, self.sight)  # the wall holds nothing
            return jax.lax.dynamic_slice(beyond, state.position, (width, width))

        wall = ~look(jnp.ones_like(state.cheese))
        trail = [look(state.visits >= k) for k in range(1, self.trail + 1)]
        return jnp.stack([look(state.cheese), look(state.poison), wall, *trail], axis=-1)

    def score(self, state: MouseState) -> dict[str, Num[Array, ""]]:
        """`return`, the points so far; `cheese` and `poison`, the number of pieces eaten."""
        cheese, poison = state.eaten
        return {"return": self._points(state.eaten), "cheese": cheese, "poison": poison}

    def _points(self, eaten: Int[Array, "2"]) -> Float[Array, ""]:
        rewards = jnp.array([self.cheese_reward, self.poison_reward], jnp.float32)
        return jnp.sum(rewards * eaten)
