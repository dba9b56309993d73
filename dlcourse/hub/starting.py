"""A pretrained encoder as part of a network that is trained here."""

import functools
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from dlcourse.data import Tokenizer
from dlcourse.errors import UserError
from dlcourse.hub.architectures import ARCHITECTURES
from dlcourse.hub.files import read_config, read_json
from dlcourse.hub.packages import folder as folder_of
from dlcourse.hub.pretrained import read
from dlcourse.models import BERT

COPY = "pretrained.json"  # in the folder of a run


class Encoder(NamedTuple):
    """A pretrained encoder.

    Attributes:
        name: of the folder, as `hub.read` takes it.
        bert: the module, without pooler.
        copies: what a run keeps, by file name: the sizes. With them a run that has a checkpoint
            does not need the pretrained weights again.
    """

    name: str
    bert: BERT
    copies: Mapping[str, str]

    def weights(self) -> Any:
        """The pretrained parameters of `bert`."""
        return _weights(self.name)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer beside the weights."""
        return Tokenizer.read(folder_of(self.name))

    def begin(self, variables: Any, place: str = "encoder") -> Any:
        """A network's first variables, with the pretrained weights in place of its encoder's.

        They are read when the program runs: they are no constants of it, and shapes need no file.
        """
        params = variables["params"]
        like = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params[place]
        )
        given = jax.pure_callback(self.weights, like)
        return {**variables, "params": {**params, place: given}}


def encoder(name: str, *, dropout: float = 0.1, folder: pathlib.Path | None = None) -> Encoder:
    """The encoder of a BERT or DistilBERT for other tasks.

    Args:
        name: of the weights, as `hub.read` takes it.
        dropout: of the encoder, in training.
        folder: of the run; its copy of the sizes is read in place of the weights.

    Raises:
        UserError: there are no such weights, or they are no encoder's.
    """
    copy = folder / COPY if folder is not None and (folder / COPY).exists() else None
    config = read_config(folder_of(name)) if copy is None else read_json(copy)
    kind = config.get("model_type")
    if kind not in ("bert", "distilbert"):
        raise UserError(f"'{name}' has model_type {kind!r}; an encoder is bert or distilbert.")
    if copy is None:
        _weights(name)  # refused now, not inside a compiled program
    bert = ARCHITECTURES[kind].build(config, ()).clone(dropout=dropout)
    return Encoder(name, bert, {COPY: json.dumps(config, indent=2) + "\n"})


@functools.lru_cache(maxsize=1)
def _weights(name: str) -> Any:
    params = read(name).encoder[1]
    return {part: leaves for part, leaves in params.items() if part != "pooler"}
