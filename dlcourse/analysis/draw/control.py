"""CartPole and Acrobot: an animation of an episode, and its course over time."""

from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.environments import Acrobot, AcrobotState, CartPole, CartPoleState
from dlcourse.environments.cartpole import LARGEST_ANGLE, LARGEST_POSITION

FRAMES = 100  # of an animation, at most


def joints(
    game: CartPole | Acrobot, episode: CartPoleState | AcrobotState
) -> Float[np.ndarray, "moves joints 2"]:
    """Where the joints are, in m, with the fixed or driven one first."""
    first, second, third, _ = np.asarray(episode.motion).T
    if isinstance(game, CartPole):
        cart = np.stack([first, 0 * first], -1)
        return np.stack([cart, cart + np.stack([np.sin(third), np.cos(third)], -1)], 1)
    elbow = _hanging(first)
    return np.stack([np.zeros_like(elbow), elbow, elbow + _hanging(first + second)], 1)


def draw(game: CartPole | Acrobot, episode: CartPoleState | AcrobotState) -> Any:
    """What decides when the episode ends, over its moves, with the limits dashed."""
    if isinstance(game, CartPole):
        courses = {
            "position of the cart, m": (episode.motion[:, 0], LARGEST_POSITION),
            "angle of the pole, degrees": (
                np.degrees(episode.motion[:, 2]),
                np.degrees(LARGEST_ANGLE),
            ),
        }
    else:
        courses = {"height of the tip, m": (joints(game, episode)[:, -1, 1], 1.0)}
    figure, panels = figures.new(1, len(courses), width=4.4, height=3.0)
    color = figures.COLORS[0]
    for panel, (name, (values, limit)) in zip(panels[0], courses.items(), strict=True):
        panel.plot(episode.time, values, color=color, linewidth=1.2)
        for side in (limit,) if isinstance(game, Acrobot) else (-limit, limit):
            panel.axhline(side, color="gray", linestyle="--", linewidth=1.0)
        panel.set(xlabel="move")
        figures.title(panel, name)
    return figure


def animate(game: CartPole | Acrobot, episode: CartPoleState | AcrobotState) -> Any:
    """The episode as a matplotlib animation of at most `FRAMES` moves."""
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    moves = np.unique(np.linspace(0, len(episode.time) - 1, FRAMES).astype(int))
    cart = isinstance(game, CartPole)
    figure = Figure(figsize=(4.2, 2.2) if cart else (3.0, 3.2))
    panel = figure.add_axes((0.02, 0.02, 0.96, 0.86))
    panel.set(aspect="equal", xticks=[], yticks=[])
    reach = LARGEST_POSITION if cart else 2.2
    panel.set(xlim=(-reach, reach), ylim=(-0.4, 1.4) if cart else (-2.2, 2.2))
    panel.axhline(0.0 if cart else 1.0, color="gray", linewidth=1.0, zorder=0)
    (links,) = panel.plot([], [], color=figures.COLORS[0], linewidth=4, marker="o", markersize=5)
    (base,) = panel.plot([], [], color=figures.COLORS[1], linewidth=12 if cart else 0)
    caption = figure.text(0.5, 0.92, "", horizontalalignment="center")
    places = joints(game, episode)

    def show(frame: int) -> tuple[Any, ...]:
        place = places[moves[frame]]
        links.set_data(place[:, 0], place[:, 1])
        base.set_data([place[0, 0] - 0.2, place[0, 0] + 0.2], [0, 0])
        caption.set_text(f"move {episode.time[moves[frame]]}")
        return links, base, caption

    return FuncAnimation(figure, show, frames=len(moves), interval=60)


def _hanging(angle: Float[np.ndarray, " moves"]) -> Float[np.ndarray, "moves 2"]:
    """The lower end of a link of 1 m at this angle from hanging down."""
    return np.stack([np.sin(angle), -np.cos(angle)], -1)
