"""Learning to reconstruct an image."""

from typing import Any

import flax.linen as nn
import jax

from dlcourse import losses
from dlcourse.learner import Learner, Rule
from dlcourse.learners.supervised import supervised


def autoencoder(model: nn.Module, rule: Rule, *, inputs: str = "image") -> Learner:
    """Minimises the squared error of the reconstruction (deck 003).

        L(θ) = mean (x̂(x) - x)² over pixels and images

    `apply` gives what the model gives: `latent` and `reconstruction`.

    Args:
        model: such as `models.Autoencoder`.
        rule: the optimizer and the policy, `config.rule(data)`.
        inputs: which entry of the batch is encoded; `noisy` below `learners.corrupted`.
    """

    def error(outputs: Any, image: jax.Array) -> jax.Array:
        return losses.squared_error(outputs["reconstruction"], image)

    return supervised(model, error, rule, inputs=inputs, target="image", metrics_of={})
