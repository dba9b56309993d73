"""Which parameters are meant: masks of a parameter tree, told by the path of each leaf."""

import re
from typing import Any

import jax
from jaxtyping import PyTree

from dlcourse.errors import UserError


def name(path: tuple[Any, ...]) -> str:
    """The path of a leaf as a person writes it: `encoder/Dense_0/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def kernels(params: PyTree) -> PyTree[bool]:
    """True at the leaves named `kernel`: the W of the decks, which is what they regularise.

    Biases, scales of normalisations and embeddings are left out. So is every weight under
    another name: a model whose weights are called otherwise needs a rule of its own.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: name(path).rpartition("/")[2] == "kernel", params
    )


def matching(pattern: str, params: PyTree) -> PyTree[bool]:
    """True at the leaves in whose path the regular expression is found.

    Raises:
        UserError: it is found in none, which is a misspelling and would otherwise pass unseen.
    """
    found = jax.tree_util.tree_map_with_path(
        lambda path, _: re.search(pattern, name(path)) is not None, params
    )
    if not any(jax.tree.leaves(found)):
        names = [name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise UserError(f"No parameter matches {pattern!r}. They are called {shown}")
    return found
