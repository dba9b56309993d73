"""Between the tensors of a published file and our parameters, by an architecture's table."""

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import parameters
from dlcourse.errors import UserError
from dlcourse.hub.architectures import Architecture
from dlcourse.models import GPT, BERTPretraining

OURS = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}
OLD = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}  # TensorFlow's
INSIDE = "bert/"  # our encoder, under its tasks
HEADS = ("cls.", "vocab_", "lm_head.")  # theirs, which have no prefix


class Tensor(NamedTuple):
    """A tensor of a file.

    Attributes:
        paths: of our leaves, which lie side by side along its outputs.
        shapes: of these leaves.
        shape: its own.
        transposed: whether it is (out, in) and ours are (in, out).
    """

    paths: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]
    transposed: bool

    def ours(self, array: np.ndarray) -> dict[str, np.ndarray]:
        """Our leaves, from the tensor."""
        parts = np.split(array.T if self.transposed else array, len(self.paths), axis=-1)
        triples = zip(self.paths, self.shapes, parts, strict=True)
        return {path: part.reshape(shape) for path, shape, part in triples}

    def theirs(self, leaves: Mapping[str, np.ndarray]) -> np.ndarray:
        """The tensor, from our leaves."""
        whole = self.shape[::-1] if self.transposed else self.shape
        part = (*whole[:-1], whole[-1] // len(self.paths))
        array = np.concatenate([leaves[path].reshape(part) for path in self.paths], axis=-1)
        return array.T if self.transposed else array


def plain(name: str, architecture: Architecture) -> str:
    """A tensor's name as the table has it: without prefix, in today's spelling."""
    name = name.removeprefix(architecture.prefix)
    for old, new in OLD.items():
        name = name.replace(old, new)
    return name


def spelled(name: str, model: nn.Module, architecture: Architecture) -> str:
    """A name of the table as `transformers` writes it: with the prefix in a network with a head."""
    has_head = isinstance(model, BERTPretraining | GPT)
    return architecture.prefix + name if has_head and not name.startswith(HEADS) else name


@functools.lru_cache(maxsize=4)
def parameters_of(model: nn.Module) -> Any:
    """The tree of a model's parameters, with shapes in place of arrays."""
    tokens = jnp.ones((1, 1), jnp.int32)
    inputs = {"tokens": tokens} if isinstance(model, BERTPretraining) else tokens
    return jax.eval_shape(model.init, jax.random.key(0), inputs)["params"]


def flat(params: Any) -> dict[str, Any]:
    """Leaves by path; those of an encoder under its tasks lie beside the tasks'."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {_path(path): leaf for path, leaf in leaves}


def filled(params: Any, leaves: Mapping[str, Any]) -> Any:
    """A tree of parameters with other leaves."""
    return jax.tree_util.tree_map_with_path(lambda path, _: leaves[_path(path)], params)


def _path(path: Any) -> str:
    return parameters.name(path).removeprefix(INSIDE)


def tensors_of(model: nn.Module, architecture: Architecture) -> dict[str, Tensor]:
    """Each tensor that the file of a model has, by its name in the table.

    Raises:
        UserError: a parameter has no name in the table.
    """
    shapes = {path: leaf.shape for path, leaf in flat(parameters_of(model)).items()}
    layers = (model.bert if isinstance(model, BERTPretraining) else model).layers
    found = {}
    for theirs, ours in architecture.names.items():
        for n in range(layers) if "{n}" in theirs else (0,):
            modules = [part.format(n=n) for part in (ours if isinstance(ours, tuple) else (ours,))]
            for leaf, kind in OURS.items():
                paths = tuple(f"{module}/{leaf}".lstrip("/") for module in modules)
                if paths[0] in shapes:
                    tensor = _tensor(paths, leaf, shapes, architecture.out_in)
                    found[f"{theirs.format(n=n)}.{kind}"] = tensor
    unnamed = sorted(shapes.keys() - {path for tensor in found.values() for path in tensor.paths})
    if unnamed:
        raise UserError(f"Published files have no name for the parameter {unnamed[0]}.")
    return found


def _tensor(
    paths: tuple[str, ...], leaf: str, shapes: Mapping[str, tuple[int, ...]], out_in: bool
) -> Tensor:
    own = tuple(shapes[path] for path in paths)
    size = math.prod(own[0])
    if leaf == "kernel":
        outputs = math.prod(shapes[paths[0].removesuffix("kernel") + "bias"])
        shape = (size // outputs, len(paths) * outputs)
        return Tensor(paths, own, shape[::-1] if out_in else shape, out_in)
    return Tensor(paths, own, own[0] if leaf == "embedding" else (len(paths) * size,), False)
