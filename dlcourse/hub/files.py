"""Tensors and their config in a folder: safetensors files, one or several. Nothing is unpickled."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse.data.optional import require
from dlcourse.errors import UsageError, UserError

WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
REFUSED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")  # pickles, which run code when they are read
CONVERSION = (
    "import torch, safetensors.torch as s; "
    "t = torch.load('{name}', map_location='cpu', weights_only=True); "
    "s.save_file({{k: v.clone().contiguous() for k, v in t.items()}}, 'model.safetensors')"
)


def read_tensors(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """All tensors of `model.safetensors`, or of the files that its index names.

    Raises:
        UserError: there is neither, only a pickle; a file is broken; or the index and the files
            do not agree.
    """
    if (folder / WEIGHTS).is_file():
        return _read(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return _sharded(folder)
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in REFUSED)
    if pickles:
        raise UserError(
            f"{folder / pickles[0]} is a pickle, which may run any code; it is not read. "
            f'Convert it there, with PyTorch:\n  python -c "{CONVERSION.format(name=pickles[0])}"'
        )
    raise UserError(f"{folder} has neither {WEIGHTS} nor {INDEX}.")


def read_config(folder: pathlib.Path) -> dict[str, Any]:
    """The content of `config.json`; see `read_json`."""
    return read_json(folder / CONFIG)


def write_folder(
    folder: pathlib.Path, tensors: Mapping[str, np.ndarray], config: Mapping[str, Any]
) -> None:
    """Writes `model.safetensors` and `config.json`."""
    files = require("safetensors.numpy", "a folder of weights")
    folder.mkdir(parents=True, exist_ok=True)
    # It writes the memory of an array as it lies, whatever its strides.
    whole = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    part = folder / f"{WEIGHTS}.part"
    part.write_bytes(files.save(whole, metadata={"format": "pt"}))
    part.replace(folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(dict(config), indent=2) + "\n")


def _sharded(folder: pathlib.Path) -> dict[str, np.ndarray]:
    index = read_json(folder / INDEX).get("weight_map", {})
    found: dict[str, np.ndarray] = {}
    for name in sorted(set(index.values())):
        if pathlib.PurePath(name).name != name:
            raise UserError(f"{folder / INDEX} names the file '{name}', which is not beside it.")
        if not (folder / name).is_file():
            raise UserError(f"{folder} lacks {name}, which {INDEX} names.")
        held = _read(folder / name)
        strayed = sorted(t for t in held if index.get(t) != name)
        if strayed:
            raise UserError(f"{folder / name} holds {strayed[0]}; {INDEX} does not say so.")
        found |= held
    lacking = sorted(index.keys() - found.keys())
    if lacking:
        raise UserError(f"{folder / index[lacking[0]]} lacks {lacking[0]}, which {INDEX} names.")
    return found


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    purpose = f"the weights {path.name}"
    broken = require("safetensors", purpose).SafetensorError
    try:
        return require("safetensors.numpy", purpose).load_file(path)
    except broken as error:
        raise UserError(f"{path} is not a whole safetensors file ({error}).") from error


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """The content of a JSON file.

    Raises:
        UserError: there is none, or it is broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}).") from error


def located(path: pathlib.Path) -> pathlib.Path:
    """The folder of weights that a user names, by the folder or by a file in it.

    Raises:
        UsageError: there is no such path.
        UserError: the file is a pickle.
    """
    if path.suffix in REFUSED and path.is_file():
        raise UserError(
            f"{path} is a pickle, which may run any code; it is not read. Convert it in its "
            f'folder, with PyTorch:\n  python -c "{CONVERSION.format(name=path.name)}"'
        )
    if not path.exists():
        raise UsageError(f"There is no folder of weights {path}.")
    return path.parent if path.is_file() else path
