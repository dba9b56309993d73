"""A convolutional network that values the actions of a player who sees a small picture."""

from collections.abc import Callable, Sequence

import flax.linen as nn
from jaxtyping import Array, Float

from dlcourse.models.vision.convolution import Conv


class QNetwork(nn.Module):
    """Convolutions without padding, one dense layer, and a value for each action.

        a^0 = x,    a^l = relu(W^l * a^(l-1) + b^l),    Q(x, .) = V relu(U a^L + c) + d

    Deck 003's second model for the mouse game; its first, a dense one, is `MLP`. A 3x3 filter
    turns the 5x5 view into a map of 3x3 neighbourhoods, which the dense layer keeps apart by
    place: which way to go is what it is about, so nothing is pooled. On the mouse's seven planes
    the defaults have 20,100 weights.

    The deck does not give the sizes of its layers; these are ours.

    Attributes:
        num_actions: how many values there are.
        features: the filters of each convolution; each takes two rows and columns off the map.
        hidden: the width of the dense layer.
        kernel_init: the scheme that draws the weights.
    """

    num_actions: int
    features: Sequence[int] = (16,)
    hidden: int = 128
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width planes"], *, train: bool = False
    ) -> Float[Array, "batch actions"]:
        for features in self.features:
            x = nn.relu(Conv(features, padding=0, kernel_init=self.kernel_init)(x))
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.hidden, kernel_init=self.kernel_init)(x))
        return nn.Dense(self.num_actions, kernel_init=self.kernel_init)(x)
