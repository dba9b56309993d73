"""Batches without images are prepared like others."""

import numpy as np

from dlcourse.data.arrays import scale


def test_a_batch_of_numbers_or_latents_stays_as_it_is():
    for name in ("index", "latent"):
        batch = {name: np.arange(3)}
        assert scale(batch) == batch
    full = scale({"image": np.array([[0, 255]], np.uint8), "index": np.arange(1)})
    np.testing.assert_array_equal(full["image"], [[0.0, 1.0]])
