"""Reading a folder of published weights into a module of ours, and writing one."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from dlcourse.data.tokenizer import FILE, Tokenizer
from dlcourse.errors import UserError
from dlcourse.hub import naming
from dlcourse.hub.architectures import ARCHITECTURES, Architecture, of_model
from dlcourse.hub.files import read_config, read_tensors, write_folder
from dlcourse.hub.packages import folder as folder_of
from dlcourse.models import BERT, BERTPretraining


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A network and its weights.

    To write a network that was trained here, the first two are enough.

    Attributes:
        model: a `BERT`, `BERTPretraining` or `GPT`.
        params: its parameters, float32.
        config: the content of `config.json`.
        names: how the file spelled its tensors, and their types; the spelling of `transformers`
            and float32 if empty.
        constants: tensors of the file that are no parameters, by name.
    """

    model: nn.Module
    params: Any = dataclasses.field(repr=False)
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    names: Mapping[str, np.dtype] = dataclasses.field(default_factory=dict, repr=False)
    constants: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def encoder(self) -> tuple[BERT, Any]:
        """The encoder of a BERT and its parameters, without the tasks.

        Raises:
            UserError: it is a decoder.
        """
        if isinstance(self.model, BERTPretraining):
            return self.model.bert, self.params["bert"]
        if isinstance(self.model, BERT):
            return self.model, self.params
        raise UserError(f"A {type(self.model).__name__} has no encoder; take a BERT.")


def read(name: str | pathlib.Path, *, ignore: str | None = None) -> Pretrained:
    """The network of a folder with `config.json` and `model.safetensors`, or the shards of one.

    Every tensor of the file becomes a parameter, repeats one, or is a constant; every parameter
    comes from the file.

    Args:
        name: the path of the folder, or the name of weights in a package; see `hub.folder`.
        ignore: a regular expression of other tensors that are left out, such as `^classifier`.

    Raises:
        UserError: the architecture is not BERT, DistilBERT or GPT-2; a tensor is unknown, lacking
            or of another size; or a file is broken or a pickle.
    """
    folder = folder_of(str(name))
    config, tensors = read_config(folder), read_tensors(folder)
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UserError(f"{folder}/config.json has model_type {kind!r}; known are {known}.")
    architecture = ARCHITECTURES[kind]
    dropped = {n for n in tensors if ignore is not None and re.search(ignore, n)}
    constants: dict[str, np.ndarray] = {}
    given: dict[str, np.ndarray] = {}
    names: dict[str, np.dtype] = {}
    for spelling, array in tensors.items():
        if spelling in dropped:
            continue
        names[spelling] = array.dtype
        plain = naming.plain(spelling, architecture)
        if re.fullmatch(architecture.ignored, plain):
            constants[spelling] = array
        elif plain in given:
            raise UserError(f"{folder} has the tensor {plain} twice, with and without prefix.")
        else:
            given[plain] = array
    try:
        model = architecture.build(config, given.keys())
        leaves = _leaves(model, architecture, given)
    except UserError as error:
        raise UserError(f"{folder}: {error}") from None
    return Pretrained(
        model, naming.filled(naming.parameters_of(model), leaves), config, names, constants
    )


def _leaves(
    model: nn.Module, architecture: Architecture, given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    wanted = naming.tensors_of(model, architecture)
    for name, other in architecture.tied.items():
        if name in given and other in given and not np.array_equal(given[name], given[other]):
            raise UserError(f"{name} differs from {other}; only tied ones are supported.")
    unknown = sorted(given.keys() - wanted.keys() - architecture.tied.keys())
    if unknown:
        raise UserError(
            f"nothing here takes the tensor {unknown[0]} ({len(unknown)} such). "
            "hub.read(..., ignore=REGEX) leaves tensors out."
        )
    lacking = sorted(wanted.keys() - given.keys())
    if lacking:
        raise UserError(f"the tensor {lacking[0]} is lacking ({len(lacking)} such).")
    leaves: dict[str, np.ndarray] = {}
    for name, tensor in wanted.items():
        if given[name].shape != tensor.shape:
            raise UserError(
                f"{name} has the shape {given[name].shape}; config.json asks for {tensor.shape}."
            )
        leaves |= tensor.ours(given[name].astype(np.float32))
    return leaves


def write(
    folder: pathlib.Path | str, pretrained: Pretrained, tokenizer: Tokenizer | None = None
) -> None:
    """Writes `config.json` and `model.safetensors`, which `transformers` reads.

    What `read` returned is written with the same names, types and bytes, in one file.

    Args:
        folder: to be written.
        pretrained: the network.
        tokenizer: of its texts, written as `tokenizer.json`.

    Raises:
        UserError: published files have no layout for such a network.
    """
    model = pretrained.model
    kind = of_model(model)
    architecture = ARCHITECTURES[kind]
    wanted = naming.tensors_of(model, architecture)
    leaves = naming.flat(jax.tree.map(np.asarray, pretrained.params))
    names = pretrained.names or {
        naming.spelled(name, model, architecture): np.dtype(np.float32) for name in wanted
    }
    tensors = {}
    for spelling, dtype in names.items():
        plain = naming.plain(spelling, architecture)
        plain = architecture.tied.get(plain, plain)
        if spelling in pretrained.constants:
            tensors[spelling] = pretrained.constants[spelling]
        else:
            tensors[spelling] = wanted[plain].theirs(leaves).astype(dtype)
    config = pretrained.config or architecture.describe(model)
    write_folder(pathlib.Path(folder), tensors, config)
    if tokenizer is not None:
        (pathlib.Path(folder) / FILE).write_text(tokenizer.json, encoding="utf-8")
