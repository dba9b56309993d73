"""The pictures of the mouse game: colours by content, darker outside the view."""

import jax
import numpy as np
import pytest
from PIL import Image

from dlcourse import figures
from dlcourse.analysis.draw import mouse
from dlcourse.environments import MouseGame


@pytest.fixture(scope="module")
def episode():
    """A mouse that goes down seven times."""
    game = MouseGame(size=5, sight=1, duration=7)
    states = [game.reset(jax.random.key(2))]
    step = jax.jit(game.step)
    for _ in range(7):
        states.append(step(states[-1], np.array(0))[0])
    return game, jax.tree.map(lambda *each: np.stack(each), *states)


def test_the_picture_shows_what_is_there(episode):
    game, states = episode
    pictures = mouse.pictures(game, states)
    assert pictures.shape == (8, 7, 7, 3)
    for picture, move in zip(pictures, range(8), strict=True):
        row, column = states.position[move]
        for i, j in np.ndindex(5, 5):
            colour = mouse.GROUND
            colour = mouse.CHEESE if states.cheese[move, i, j] else colour
            colour = mouse.POISON if states.poison[move, i, j] else colour
            near = max(abs(i - row), abs(j - column))
            colour = mouse.MOUSE if near == 0 else colour * (mouse.UNSEEN if near > 1 else 1)
            np.testing.assert_allclose(picture[i + 1, j + 1], colour)


def test_the_animation_has_a_frame_for_every_move(episode, tmp_path):
    with Image.open(figures.save(mouse.animate(*episode), tmp_path / "episode")) as gif:
        assert gif.n_frames == 8
    with Image.open(figures.save(mouse.draw(*episode), tmp_path / "still")) as still:
        assert min(still.size) > 100
