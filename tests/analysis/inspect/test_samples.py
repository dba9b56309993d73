"""Grids of samples: the same latents at every call, one compilation."""

import jax
import numpy as np

from dlcourse import analysis


def test_samples_come_from_the_same_latents_at_every_call():
    seen = []

    def apply(state, batch, key):
        seen.append(key)
        return state * jax.nn.sigmoid(batch["latent"]).reshape(-1, 2, 2, 1)

    draw = analysis.sample_grid(apply, 4, seed=3, rows=2)
    first, dark, again = (draw(np.float32(scale)) for scale in (1, 0, 1))
    pictures = []
    for figure in (first, dark, again):
        grid = np.asarray(figure.axes[0].images[0].get_array())  # 2x2 images, a pixel apart
        assert np.all(grid[2] == 1)
        assert np.all(grid[:, 2] == 1)
        tiles = [grid[top : top + 2, left : left + 2] for top in (0, 3) for left in (0, 3)]
        pictures.append(np.stack(tiles))
    latents = jax.random.normal(jax.random.key(3), (4, 4))
    np.testing.assert_allclose(pictures[0], jax.nn.sigmoid(latents).reshape(4, 2, 2), rtol=1e-6)
    np.testing.assert_array_equal(pictures[0], pictures[2])
    assert not pictures[1].any()
    assert len(seen) == 1
