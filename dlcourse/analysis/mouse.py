"""The mouse at play: an episode recorded, drawn and animated."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from dlcourse.environments import MouseGame, MouseState

# (a learner's state, views) -> actions, as `learners.player` makes it
Player = Callable[[Any, Array], Array]

# Deck 003 paints the cheese red and the poison blue.
GROUND, CHEESE, POISON, MOUSE, WALL = np.array(
    [[0.5, 0.5, 0.5], [0.85, 0.2, 0.2], [0.2, 0.35, 0.85], [1, 1, 1], [0.15, 0.15, 0.15]],
    np.float32,
)
UNSEEN = 0.6  # how bright is what the mouse does not see


def record(game: MouseGame, act: Player, state: Any, key: Key[Array, ""]) -> MouseState:
    """Every state of an episode, from the first board on: arrays `[moves + 1, ...]`.

    Args:
        game: the rules.
        act: chooses the moves.
        state: the learner's, for `act`.
        key: draws the board.
    """

    def move(world: MouseState, _: None) -> tuple[MouseState, MouseState]:
        world = game.step(world, act(state, game.observe(world)[None])[0])[0]
        return world, world

    def play(state: Any, key: Key[Array, ""]) -> MouseState:
        start = game.reset(key)
        _, moves = jax.lax.scan(move, start, length=game.duration)
        return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, moves)

    return jax.tree.map(np.asarray, jax.jit(play)(state, key))


def pictures(game: MouseGame, episode: MouseState) -> Float[np.ndarray, "moves height width 3"]:
    """The board of each move in colour, one pixel a square, the wall around it.

    What lies outside the mouse's view is darker.
    """
    moves, sight = len(episode.time), game.sight
    board = np.full((moves, *(game.size + 2 * sight,) * 2, 3), WALL)
    inside = board[:, sight : sight + game.size, sight : sight + game.size]
    inside[:] = GROUND
    inside[episode.cheese] = CHEESE
    inside[episode.poison] = POISON
    squares = np.moveaxis(np.indices(board.shape[1:3]), 0, -1) - sight
    distance = np.abs(squares - episode.position[:, None, None]).max(axis=-1)[..., None]
    return np.where(distance == 0, MOUSE, np.where(distance > sight, UNSEEN * board, board))


def draw(game: MouseGame, episode: MouseState) -> Any:
    """The first board and the last, with the way the mouse went."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.9), layout="constrained")
    boards = pictures(game, episode)
    for panel, move in zip(figure.subplots(1, 2), (0, -1), strict=True):
        _show(panel, boards[move])
        panel.set_title(_caption(game, episode, move), fontsize=10)
    # It drifts across the squares as time goes on, so that a way back lies beside the way out.
    drift = np.linspace(-0.25, 0.25, len(episode.time))[:, None]
    way = episode.position + game.sight + drift
    panel.plot(way[:, 1], way[:, 0], color="white", linewidth=0.8, alpha=0.8)
    return figure


def animate(game: MouseGame, episode: MouseState) -> Any:
    """The episode as a matplotlib animation, one frame a move; Pillow saves it as a GIF."""
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2, 3.5))
    boards = pictures(game, episode)
    image = _show(figure.add_axes((0.02, 0.02, 0.96, 0.86)), boards[0])
    # Not the panel's title: matplotlib would look for its place again in every frame.
    caption = figure.text(0.5, 0.93, "", horizontalalignment="center")

    def show(move: int) -> tuple[Any, ...]:
        image.set_data(boards[move])
        caption.set_text(_caption(game, episode, move))
        return image, caption

    return FuncAnimation(figure, show, frames=len(boards), interval=120)


def animated(game: MouseGame, act: Player, *, seed: int = 0) -> Callable[[Any], Any]:
    """`state -> animation` of one episode, always on the same board, for `training.Experiment`."""
    return lambda state: animate(game, record(game, act, state, jax.random.key(seed)))


def drawn(game: MouseGame, act: Player, *, seed: int = 0) -> Callable[[Any], Any]:
    """`state -> figure` of the episode that `animated` shows."""
    return lambda state: draw(game, record(game, act, state, jax.random.key(seed)))


def _show(panel: Any, board: np.ndarray) -> Any:
    panel.set(xticks=[], yticks=[])
    return panel.imshow(board)


def _caption(game: MouseGame, episode: MouseState, move: int) -> str:
    cheese, poison = episode.eaten[move]
    score = game.cheese_reward * cheese + game.poison_reward * poison
    return f"move {episode.time[move]}: {cheese} cheese, {poison} poison, {score:+.1f}"
