"""Masks of a parameter tree, computed from the path of each leaf."""

import re
from typing import Any

import jax
from jaxtyping import PyTree

from dlcourse.errors import UsageError


def name(path: tuple[Any, ...]) -> str:
    """The path of a leaf as text, such as `encoder/Dense_0/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def kernels(params: PyTree) -> PyTree[bool]:
    """True at the leaves named `kernel`, the W that the decks regularise; False elsewhere.

    Biases, scales of normalisation layers and embeddings are False. A model whose weights have
    other names needs its own mask.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: name(path).rpartition("/")[2] == "kernel", params
    )


def found(pattern: str, params: PyTree, prefix: str = "") -> PyTree[bool]:
    """True at the leaves whose path, after `prefix/` if one is given, matches the pattern."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: re.search(pattern, f"{prefix}/{name(path)}".lstrip("/")) is not None, params
    )


def matching(pattern: str, params: PyTree) -> PyTree[bool]:
    """True at the leaves whose path contains a match of the regular expression.

    Raises:
        UserError: no leaf matches, for example because of a misspelled name.
    """
    mask = found(pattern, params)
    if not any(jax.tree.leaves(mask)):
        names = [name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise UsageError(f"No parameter matches {pattern!r}. The parameters are {shown}")
    return mask
