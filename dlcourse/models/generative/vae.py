"""The variational autoencoder: an encoder of two moments and a decoder of a likelihood."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.foundations.mlp import MLP

Likelihood = Literal["bernoulli", "gaussian"]


class VAE(nn.Module):
    """`z ~ N(0, I)`, `x ~ p(x | z)` and the approximate posterior `q(z | x) = N(μ(x), diag σ²(x))`.

    The likelihood is a Bernoulli of each pixel, or a Gaussian whose one variance is learned.
    Kingma and Welling (2014), deck 003. The defaults are the network of Burda et al. (2016) with
    one stochastic layer: 784-200-200-50 with tanh, 384,984 parameters on 28x28 images. The two
    networks compute in the precision of their weights, likelihood and divergence in float32.

    Attributes:
        shape: of an image.
        latent: the dimension of z.
        features: the widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: `bernoulli`, of binary pixels, or `gaussian`.
        activation: after each hidden layer.
    """

    shape: Sequence[int]
    latent: int = 50
    features: Sequence[int] = (200, 200)
    likelihood: Likelihood = "bernoulli"
    activation: Callable[[jax.Array], jax.Array] = nn.tanh

    def setup(self) -> None:
        self.encoder = MLP((*self.features, 2 * self.latent), self.activation)
        widths = (*reversed(self.features), math.prod(self.shape))
        self.decoder = MLP(widths, self.activation)
        if self.likelihood == "gaussian":
            self.log_variance = self.param("log_variance", nn.initializers.zeros, ())

    def __call__(
        self, x: Float[Array, "batch *axes"], noise: Float[Array, "batch latent"]
    ) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
        """`log p(x | z)` of `z = μ + σ noise`, and `KL(q(z | x) || p(z))`, in nats.

        Both are sums: over pixels, and over latents.
        """
        mean, log_variance = self.encode(x)
        logits = self.logits(mean + jnp.exp(log_variance / 2) * noise)
        kl = 0.5 * jnp.sum(jnp.exp(log_variance) + mean**2 - 1 - log_variance, axis=-1)
        return self.log_likelihood(x, logits), kl

    def encode(
        self, x: Float[Array, "batch *axes"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """The mean and the logarithm of the variance of `q(z | x)`, in float32."""
        mean, log_variance = jnp.split(_computed(self.encoder, x), 2, axis=-1)
        return mean, log_variance

    def decode(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch *axes"]:
        """The mean of `p(x | z)`."""
        logits = self.logits(z)
        mean = nn.sigmoid(logits) if self.likelihood == "bernoulli" else logits
        return mean.reshape(-1, *self.shape)

    def log_weight(
        self,
        x: Float[Array, "batch *axes"],
        mean: Float[Array, "batch latent"],
        log_variance: Float[Array, "batch latent"],
        noise: Float[Array, "batch latent"],
    ) -> Float[Array, " batch"]:
        """`log p(x | z) p(z) / q(z | x)` at `z = μ + σ noise`, in nats: its mean is the ELBO."""
        z = mean + jnp.exp(log_variance / 2) * noise
        # log N(z; 0, I) - log N(z; μ, σ²): the factors 2π cancel.
        log_ratio = 0.5 * jnp.sum(noise**2 + log_variance - z**2, axis=-1)
        return self.log_likelihood(x, self.logits(z)) + log_ratio

    def logits(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch pixels"]:
        """Logits of Bernoulli pixels, or the means of Gaussian ones, in float32."""
        return _computed(self.decoder, z)

    def log_likelihood(
        self, x: Float[Array, "batch *axes"], logits: Float[Array, "batch pixels"]
    ) -> Float[Array, " batch"]:
        """`log p(x | z)`, the sum over pixels."""
        x = x.reshape(logits.shape).astype(jnp.float32)
        if self.likelihood == "bernoulli":
            return jnp.sum(x * logits - nn.softplus(logits), axis=-1)
        log_variance = self.log_variance.astype(jnp.float32)
        error = (x - logits) ** 2 / jnp.exp(log_variance)
        return -0.5 * jnp.sum(error + log_variance + math.log(2 * math.pi), axis=-1)


def _computed(network: nn.Module, x: Float[Array, "batch *axes"]) -> Float[Array, "batch outputs"]:
    """The output in float32 of a network that computes in the precision of its weights."""
    weights = jax.tree.leaves(network.variables)  # none yet while they are made
    return network(x.astype(weights[0].dtype) if weights else x).astype(jnp.float32)
