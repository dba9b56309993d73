"""Principal components: the best linear code of images."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Components(NamedTuple):
    """The principal components of a set of images (Pearson, 1901).

        z = V_k (x - m),    x̂ = m + V_kᵀ z

    with the k directions of largest variance in the rows of V_k. No linear code of k numbers has a
    smaller squared error on the training images.

    Attributes:
        mean: m.
        axes: V, all directions, the largest variance first.
    """

    mean: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "components d"]

    def encode(
        self, images: Float[np.ndarray, "n *axes"], count: int
    ) -> Float[np.ndarray, "n {count}"]:
        """z of images, k = `count` numbers each."""
        return (images.reshape(len(images), -1) - self.mean) @ self.axes[:count].T

    def reconstruct(
        self, images: Float[np.ndarray, "n *axes"], count: int
    ) -> Float[np.ndarray, "n *axes"]:
        """x̂ of images, from k = `count` numbers each."""
        flat = self.mean + self.encode(images, count) @ self.axes[:count]
        return flat.reshape(images.shape)

    def error(self, images: Float[np.ndarray, "n *axes"], count: int) -> Float[np.ndarray, " n"]:
        """The mean squared error of each image over its pixels."""
        rest = (self.reconstruct(images, count) - images).reshape(len(images), -1)
        return np.mean(rest**2, axis=1)


def principal_components(images: Float[np.ndarray, "n *axes"]) -> Components:
    """The principal components of training images."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    centred = flat - mean
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return Components(mean, vectors.T[np.argsort(-values, kind="stable")])
