"""The convolutional Q-network of deck 003's mouse game."""

from collections.abc import Callable, Sequence

import flax.linen as nn
from jaxtyping import Array, Float

from dlcourse.models.vision.convolution import Conv


class QNetwork(nn.Module):
    """A Q-network: unpadded convolutions, one dense layer, and one value for each action.

        a^0 = x,    a^l = relu(W^l * a^(l-1) + b^l),    Q(x, .) = V relu(U a^L + c) + d

    Source: deck 003's second model for the mouse game; its first is an `MLP`. There is no pooling,
    because the best action depends on positions. A 3x3 filter turns the 5x5 view into a 3x3 map.
    The defaults have 20,100 weights on the seven planes of the game.

    Deviation: the deck does not give the sizes of the layers; these are our choice.

    Attributes:
        num_actions: the number of actions, and of output values.
        features: the number of filters of each 3x3 convolution, which shrinks the map by two rows
            and two columns.
        hidden: the width of the dense layer.
        kernel_init: the initialiser of the kernels.
        last_init: that of the last kernel; by default the same.
    """

    num_actions: int
    features: Sequence[int] = (16,)
    hidden: int = 128
    kernel_init: Callable = nn.initializers.lecun_normal()
    last_init: Callable | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width planes"], *, train: bool = False
    ) -> Float[Array, "batch actions"]:
        for features in self.features:
            x = nn.relu(Conv(features, padding=0, kernel_init=self.kernel_init)(x))
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.hidden, kernel_init=self.kernel_init)(x))
        return nn.Dense(self.num_actions, kernel_init=self.last_init or self.kernel_init)(x)
