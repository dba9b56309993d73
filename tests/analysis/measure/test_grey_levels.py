"""Bars for flows on images, where the answer is known."""

import numpy as np
import pytest

from dlcourse import analysis, data
from dlcourse.errors import UserError


def test_independent_pixels_have_the_entropy_of_their_histograms():
    k = np.random.default_rng(0).integers(0, 4, (4000, 1, 2, 1))
    k[:, :, 1] = 2  # one pixel of four levels, one constant
    x = (k / 4).astype(np.float32)
    assert analysis.independent_pixels(x, x, 5) == pytest.approx(2 / 2, abs=0.01)


def test_a_gaussian_of_noise_has_its_entropy():
    """Images of one grey: the noise has variance 1/12, to which 0.1 is added."""
    x = np.zeros((2000, 1, 1, 2), np.float32)
    bits = 0.5 * np.log2(2 * np.pi * (1 / 12 + 0.1)) + 0.5 * (1 / 12) / (1 / 12 + 0.1) / np.log(2)
    assert analysis.gaussian_mixture(x, x, 5, 1) == pytest.approx(bits, abs=0.02)


def test_the_loader_states_the_grey_levels():
    digits = data.images("digits")
    assert data.levels(digits) == data.levels(digits, 17) == 17
    assert data.levels(digits, 33) == 33  # every second level is unused
    with pytest.raises(UserError, match=r"'digits' do not have 256 grey levels: a pixel is 0\.\d+"):
        data.levels(digits, 256)
