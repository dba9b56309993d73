"""The flows of the experiments: couplings on points, and the multi-scale flow on images."""

import functools
from collections.abc import Callable, Sequence

from dlcourse.models.foundations.mlp import MLP
from dlcourse.models.generative.bijections import (
    Affine,
    Bijection,
    Coupling,
    InvertibleConv,
    Transform,
)
from dlcourse.models.generative.flow import Chain, Flow, Split, Squeezed
from dlcourse.models.generative.gated import GatedConvNet


def point_flow(
    transform: Callable[[], Transform], couplings: int, hidden: Sequence[int], axes: int = 2
) -> Flow:
    """Couplings of points, whose halves take turns.

    Args:
        transform: of every coupling, `Affine` or `Spline`.
        couplings: their number.
        hidden: widths of the hidden layers of their networks.
        axes: coordinates of a point.
    """
    network = functools.partial(MLP, tuple(hidden))
    layers = [Coupling(transform, network, flip=i % 2 == 1) for i in range(couplings)]
    return Flow((axes,), layers)


def image_flow(
    shape: Sequence[int],
    levels: int,
    *,
    features: Sequence[int] = (32, 48, 64),
    couplings: Sequence[int] = (2, 2, 4),
    depth: int = 3,
    dequantisation: int = 4,
    transform: Callable[[], Transform] = Affine,
) -> Flow:
    """The multi-scale flow of RealNVP, with variational dequantisation.

        checkerboard couplings; squeeze, (1x1 convolution, coupling) ..., split; squeeze, ...

    At every scale after the first the couplings halve the channels, after an invertible
    convolution. Between scales half of the channels become latents. On 28x28x1 the defaults are the
    sizes of the tutorial of the University of Amsterdam (1,711,818 weights there).

    Args:
        shape: height, width and channels of an image.
        levels: grey levels of a pixel.
        features: channels of the networks at each scale; its length is the number of scales.
        couplings: at each scale.
        depth: gated layers of each network.
        dequantisation: couplings that make the noise; 0 for uniform noise.
        transform: of every coupling.

    Raises:
        UserError: on use, if a height or width that is to be halved is odd.
    """

    def coupling(width: int, **options: object) -> Coupling:
        network = functools.partial(GatedConvNet, width, depth)
        return Coupling(transform, network, **options)

    def scale(number: int) -> Bijection:
        steps: list[Bijection] = []
        for _ in range(couplings[number]):
            steps += [InvertibleConv(), coupling(features[number])]
        if number + 1 < len(features):
            steps.append(Split(scale(number + 1)))
        return Squeezed(Chain(steps))

    board = functools.partial(coupling, mask="checkerboard")
    layers: list[Bijection] = [board(features[0], flip=i % 2 == 1) for i in range(couplings[0])]
    layers += [scale(1)] if len(features) > 1 else []
    noise = [board(features[0] // 2, flip=i % 2 == 1) for i in range(dequantisation)]
    return Flow(tuple(shape), layers, levels, noise)
