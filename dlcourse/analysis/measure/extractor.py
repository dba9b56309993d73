"""Features in which images are compared: those of a named classifier that this project trained."""

import dataclasses
import importlib.resources
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.learner import Trained
from dlcourse.models import CNN

VERSIONS = {"digits": "digits-1", "mnist": "mnist-1"}  # the extractor of each data set
SHAPE = "shape"  # of the images, among the arrays of a file


@dataclasses.dataclass(frozen=True, eq=False)
class Extractor:
    """What a `models.CNN` that was trained to tell the classes of a data set sees in an image.

        f(x) = [mean a^1(x), ..., mean a^L(x)],    a^l = relu(BN(W^l * pool(a^(l-1))))

    with the means over all pixels of each channel of each block. The first blocks see texture, the
    last ones shape; the classifier's own last layers would take noise for digits. A distance
    between features says nothing beside one of other features, so the name of the extractor belongs
    to every number.

    Attributes:
        name: with the version, such as `digits-1`.
        shape: height, width and channels of the images.
        variables: the weights and the running averages of the network, float32.
    """

    name: str
    shape: tuple[int, ...]
    variables: Mapping[str, Any]

    def __call__(self, images: Float[Array, "batch *axes"]) -> Float[Array, "batch d"]:
        """The features of images in [0, 1].

        Raises:
            UserError: images of another shape.
        """
        if images.shape[1:] != self.shape:
            raise UserError(
                f"The extractor '{self.name}' is for images of shape {self.shape}; these have "
                f"{images.shape[1:]}."
            )
        weights = self.variables["params"]
        blocks = sum(name.startswith("Conv_") for name in weights)
        widths = [weights[f"Conv_{block}"]["kernel"].shape[-1] for block in range(blocks)]
        hidden, classes = (weights[f"Dense_{layer}"]["kernel"].shape[-1] for layer in (0, 1))
        _, caught = CNN(widths, classes, hidden).apply(
            self.variables,
            images,
            capture_intermediates=lambda module, _: isinstance(module, nn.BatchNorm),
        )
        maps = [
            nn.relu(caught["intermediates"][f"BatchNorm_{block}"]["__call__"][0])
            for block in range(blocks)
        ]
        return jnp.concatenate([jnp.mean(each, axis=(1, 2)) for each in maps], axis=-1)


def extractor(name: str) -> Extractor:
    """An extractor by name.

    Args:
        name: `digits` or `mnist`, of which the newest version is bundled; or the path of an
            `.npz` file that `experiments/generative/extractor.py` made of another set.

    Raises:
        UserError: there is none.
    """
    place: Any = pathlib.Path(name)
    if name in VERSIONS:
        place = importlib.resources.files("dlcourse.analysis.measure")
        place = place / "extractors" / f"{VERSIONS[name]}.npz"
    elif place.suffix != ".npz":
        raise UserError(
            f"There is no extractor for '{name}'. Train one, and give the path of its file:\n"
            f"  python experiments/generative/extractor.py --dataset {name}"
        )
    try:
        with place.open("rb") as file, np.load(file) as arrays:
            found = {each: arrays[each] for each in arrays.files}
        shape = tuple(found.pop(SHAPE).tolist())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{name} is no extractor ({error}).") from error
    variables = flax.traverse_util.unflatten_dict(
        {each: jnp.asarray(array, jnp.float32) for each, array in found.items()}, sep="/"
    )
    return Extractor(VERSIONS.get(name, place.stem), shape, variables)


def extractor_arrays(state: Trained, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What the file of an extractor holds: the weights of a trained `models.CNN`, in float16."""
    variables = {"params": state.weights, **state.model_state}
    flat = flax.traverse_util.flatten_dict(variables, sep="/")
    return {each: np.asarray(array, np.float16) for each, array in flat.items()} | {
        SHAPE: np.array(shape)
    }
