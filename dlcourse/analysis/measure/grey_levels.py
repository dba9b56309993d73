"""Simple densities of images with grey levels, to measure a flow against."""

import numpy as np
from jaxtyping import Float

from dlcourse.data.optional import require

Images = Float[np.ndarray, "images height width channels"]


def independent_pixels(train: Images, test: Images, levels: int) -> float:
    """Bits per dimension of images whose pixels are independent.

        P(x_i = k) = (n_ik + 1) / (n + K),    n_ik the training images with level k at pixel i

    Args:
        train, test: images in [0, 1].
        levels: K.
    """
    known, new = (np.rint((levels - 1) * x.reshape(len(x), -1)).astype(int) for x in (train, test))
    places = np.arange(known.shape[1])
    counts = np.zeros((len(places), levels))
    np.add.at(counts, (places[None], known), 1)
    probabilities = (counts + 1) / (len(known) + levels)
    return float(-np.log2(probabilities[places[None], new]).mean())


def gaussian_mixture(
    train: Images, test: Images, levels: int, components: int, seed: int = 0
) -> float:
    """Bits per dimension of a mixture of Gaussians on uniformly dequantised images.

    Args:
        train, test: images in [0, 1].
        levels: K.
        components: of the mixture, each with a covariance of its own.
        seed: of the noise and of the first means.
    """
    mixture = require("sklearn.mixture", "a mixture of Gaussians")
    random = np.random.default_rng(seed)
    known, new = (
        (levels - 1) * x.reshape(len(x), -1) + random.uniform(size=(len(x), x[0].size))
        for x in (train, test)
    )
    found = mixture.GaussianMixture(components, reg_covar=0.1, random_state=seed).fit(known)
    return float(-found.score(new) / np.log(2) / known.shape[1])
