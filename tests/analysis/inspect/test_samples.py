"""Samples: the same random numbers at every call, one compilation."""

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, streams
from dlcourse.analysis.inspect import samples as inspect_samples
from dlcourse.models.generative.noise import Sampled


def drawn(key, index):
    keys = streams.for_each(key, index)
    return jax.vmap(lambda key: jax.random.uniform(key, (2, 2, 1)))(keys)


def test_samples_come_from_the_same_latents_at_every_call():
    seen = []

    def apply(state, batch, key):
        seen.append(key)
        return state * drawn(key, batch["index"])

    draw = analysis.sample_grid(apply, seed=3, rows=2)
    first, dark, again = (draw(np.float32(scale)) for scale in (1, 0, 1))
    pictures = []
    for figure in (first, dark, again):
        grid = np.asarray(figure.axes[0].images[0].get_array())  # 2x2 images, a pixel apart
        assert np.all(grid[2] == 1)
        assert np.all(grid[:, 2] == 1)
        tiles = [grid[top : top + 2, left : left + 2] for top in (0, 3) for left in (0, 3)]
        pictures.append(np.stack(tiles))
    expected = drawn(jax.random.key(3), jnp.arange(4))[..., 0]
    np.testing.assert_allclose(pictures[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(pictures[0], pictures[2])
    assert not pictures[1].any()
    assert len(seen) == 1


def test_a_sample_does_not_depend_on_how_many_are_drawn(monkeypatch):
    monkeypatch.setattr(inspect_samples, "CHUNK", 3)
    seen = []

    def apply(state, batch, key):
        seen.append(batch["index"].shape)
        return drawn(key, batch["index"]) + 0 * batch["label"][:, None, None, None]

    many = analysis.samples(apply, None, 7, labels=np.array([0, 1]), seed=2)
    assert many.shape == (7, 2, 2, 1)
    assert seen == [(3,)]
    few = analysis.samples(apply, None, 5, labels=np.array([0, 1]), seed=2)
    np.testing.assert_array_equal(many[:5], few)


def test_a_path_is_shown_from_noise_to_samples():
    def draw(state, batch, key):
        steps = jnp.linspace(0, 1, 90)[:, None, None, None, None]
        return Sampled(None, steps * drawn(key, batch["index"])[None])

    animation = analysis.sample_path(draw, rows=2)(None)
    frames = list(animation.new_frame_seq())
    assert 60 < len(frames) <= 90 + 60
    last = animation._func(frames[-1])[0].get_array()
    expected = drawn(jax.random.key(0), jnp.arange(4))[..., 0]
    np.testing.assert_allclose(last[:2, :2], expected[0], rtol=1e-5)
    assert not animation._func(0)[0].get_array()[:2, :2].any()
    animation._draw_was_started = True  # it is not saved here
