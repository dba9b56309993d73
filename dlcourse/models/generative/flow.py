"""Normalizing flows: a chain of bijections as a density, on points and on images."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.generative.bijections import Batch, Bijection, LogDet, per_example
from dlcourse.models.vision.pooling import squeeze, unsqueeze

MARGIN = 1e-5  # of the unit interval, at each end, that no grey level takes


class Chain(Bijection):
    """Bijections one after another; their log-determinants add up.

    Attributes:
        layers: the first is applied first in the normalizing direction.
    """

    holds_layers = True
    layers: Sequence[Bijection]

    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        total = jnp.zeros(x.shape[:1])
        for layer in reversed(self.layers) if inverse else self.layers:
            x, log_det = layer(x, context, inverse=inverse)
            total = total + log_det
        return x, total


class Squeezed(Bijection):
    """Layers between a squeeze and its inverse: half the height and width, four times the channels.

    Attributes:
        inner: the layers.

    Raises:
        UserError: the height or the width is odd.
    """

    holds_layers = True
    inner: Bijection

    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        y, log_det = self.inner(squeeze(x), inverse=inverse)
        return unsqueeze(y), log_det


class Split(Bijection):
    """Layers for the first half of the channels; the others are already latents.

    The multi-scale architecture of Dinh, Sohl-Dickstein and Bengio 2017, section 3.6.

    Attributes:
        inner: the layers.
    """

    holds_layers = True
    inner: Bijection

    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        half = (x.shape[-1] + 1) // 2
        y, log_det = self.inner(x[..., :half], inverse=inverse)
        return jnp.concatenate([y, x[..., half:]], axis=-1), log_det


class Probit(Bijection):
    """From (0, K), the range of dequantised grey levels, to the real line.

        z = Φ⁻¹(ε + (1 - 2ε) v / K),    dz/dv = (1 - 2ε) / (K φ(z))

    with the distribution function Φ and density φ of N(0, 1), and ε = `MARGIN`. A flow of this
    layer alone is the uniform distribution, log₂ K bits per dimension up to ε. Deviation from
    RealNVP, which uses the logit: there a flow has to learn even that.

    Attributes:
        levels: K.
    """

    levels: int

    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        scale = (1 - 2 * MARGIN) / self.levels
        z = x if inverse else ndtri(MARGIN + scale * x)
        y = (ndtr(z) - MARGIN) / scale if inverse else z
        log_slope = math.log(scale) - log_normal(z)
        return y, per_example(-log_slope if inverse else log_slope)


class Flow(nn.Module):
    """A density: that of the standard normal, moved by a bijection F (decks 003).

        log p(x) = log N(F(x); 0, I) + log |det dF/dx|

    An image has K grey levels k = (K - 1) x, so its probability is a sum, and noise makes it an
    integral: with v = k + u, u in (0, 1),

        log P(k) = log ∫ p(k + u) du >= E_q [ log p(k + u) - log q(u | k) ]

    F begins with `Probit`, so v is all the preprocessing, and p is a density of v: the bound is in
    nats of an image, to be compared with log₂ K bits per dimension. The noise is

        u = Φ(G(e; x)),    e ~ N(0, I)

    Without layers G it is uniform (Theis, van den Oord and Bethge 2016), with layers variational
    (Ho et al. 2019).

    Attributes:
        shape: of an example.
        layers: F, without preprocessing.
        levels: K; None for examples that are continuous.
        dequantisation: the layers G; their context is the image.

    Raises:
        UserError: there are fewer than 2 levels, or images of another shape.
    """

    shape: Sequence[int]
    layers: Sequence[Bijection]
    levels: int | None = None
    dequantisation: Sequence[Bijection] = ()

    def setup(self) -> None:
        if self.levels is not None and self.levels < 2:
            raise UserError(f"Images need at least 2 grey levels; levels is {self.levels}.")
        self.preprocessing = [] if self.levels is None else [Probit(self.levels)]

    def __call__(self, x: Batch, noise: Batch | None = None) -> tuple[Batch, LogDet]:
        """The latents F(x), and log p(x) or, with grey levels, one sample of the bound.

        Args:
            x: the examples; images in [0, 1].
            noise: e; needed if there are levels.
        """
        if x.shape[1:] != tuple(self.shape):
            raise UserError(f"The flow is for {_sized(self.shape)}, got {_sized(x.shape[1:])}.")
        x, total = x.astype(jnp.float32), jnp.zeros(x.shape[:1])
        if self.levels is not None:
            x, total = self._dequantised(x, noise, self.levels)
        for layer in [*self.preprocessing, *self.layers]:
            x, log_det = layer(x)
            total = total + log_det
        return x, total + per_example(log_normal(x))

    def inverse(self, z: Batch) -> Batch:
        """The examples of latents; with grey levels, rounded down to one of these."""
        for layer in reversed([*self.preprocessing, *self.layers]):
            z, _ = layer(z, inverse=True)
        if self.levels is None:
            return z
        return jnp.clip(jnp.floor(z), 0, self.levels - 1) / (self.levels - 1)

    def _dequantised(self, x: Batch, noise: Batch | None, levels: int) -> tuple[Batch, LogDet]:
        """v, and -log q(u | x)."""
        if noise is None:
            raise UserError("A flow with grey levels needs dequantisation noise.")
        e, total = noise, -per_example(log_normal(noise))
        for layer in self.dequantisation:
            e, log_det = layer(e, 2 * x - 1)
            total = total + log_det
        total = total + per_example(log_normal(e))
        return jnp.round((levels - 1) * x) + ndtr(e), total


def log_normal(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The log-density of N(0, 1), of each element."""
    return -0.5 * (z**2 + math.log(2 * math.pi))


def _sized(shape: Sequence[int]) -> str:
    return "examples of shape " + "x".join(map(str, shape))
