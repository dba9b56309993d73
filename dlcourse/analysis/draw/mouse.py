"""The mouse game: the boards of an episode, its first and last one, and an animation."""

from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.environments import MouseGame, MouseState

# Deck 003 paints the cheese red and the poison blue.
GROUND, CHEESE, POISON, MOUSE, WALL = np.array(
    [[0.5, 0.5, 0.5], [0.85, 0.2, 0.2], [0.2, 0.35, 0.85], [1, 1, 1], [0.15, 0.15, 0.15]],
    np.float32,
)
UNSEEN = 0.6  # the brightness of squares outside the mouse's view
LEGEND = "red: cheese, blue: poison, white: mouse, dark: out of sight"


def pictures(game: MouseGame, episode: MouseState) -> Float[np.ndarray, "moves height width 3"]:
    """The board of each move in colour, one pixel per square, with the wall around it.

    Squares outside the mouse's view are darker.
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
    """The first board and the last one, with the path of the mouse."""
    figure, panels = figures.new(1, 2, width=3.6, height=4.1, grid=False)
    figures.title(figure, LEGEND, size=9)
    boards = pictures(game, episode)
    for panel, move in zip(panels[0], (0, -1), strict=True):
        figures.image(panel, boards[move])
        figures.title(panel, _caption(game, episode, move))
    # The path drifts across the squares with time, so that a way back lies beside the way out.
    drift = np.linspace(-0.25, 0.25, len(episode.time))[:, None]
    way = episode.position + game.sight + drift
    panel.plot(way[:, 1], way[:, 0], color="white", linewidth=0.8, alpha=0.8)
    return figure


def animate(game: MouseGame, episode: MouseState) -> Any:
    """The episode as a matplotlib animation, one frame per move."""
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2, 3.6))
    boards = pictures(game, episode)
    image = figures.image(figure.add_axes((0.02, 0.02, 0.96, 0.84)), boards[0])
    # Not the panel's title: matplotlib would place it anew in every frame.
    caption = figure.text(0.5, 0.94, "", horizontalalignment="center")
    figure.text(0.5, 0.89, LEGEND, horizontalalignment="center", fontsize=7)

    def show(move: int) -> tuple[Any, ...]:
        image.set_data(boards[move])
        caption.set_text(_caption(game, episode, move))
        return image, caption

    return FuncAnimation(figure, show, frames=len(boards), interval=120)


def _caption(game: MouseGame, episode: MouseState, move: int) -> str:
    cheese, poison = episode.eaten[move]
    score = game.cheese_reward * cheese + game.poison_reward * poison
    return f"move {episode.time[move]}: {cheese} cheese, {poison} poison, {score:+.1f}"
