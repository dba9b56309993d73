"""Where arrays live: one mesh, and a short list of rules from parameter paths to mesh axes."""

import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dlcourse.errors import UsageError

AXES = ("data", "fsdp", "tensor")
BATCH = P(("data", "fsdp"))  # the examples of a batch are spread over both

# The last axes of a parameter, by the end of its path; the first rule with no more axes than the
# parameter has. What no rule names is copied to all devices.
# Optimizer moments carry the path of the parameter they belong to, so the rules reach them too.
RULES: Sequence[tuple[str, P]] = (
    # Linen's attention: a device has some of the heads, [features, heads, head features], and its
    # part of what they give together, [heads, head features, features].
    (r"(^|/)(query|key|value)/kernel$", P("fsdp", "tensor", None)),
    (r"(?i)attention[^/]*/out/kernel$", P("tensor", None, "fsdp")),
    # The gates of a recurrent cell lie side by side in the columns and meet entry by entry. Each
    # step of a loop over time reads the whole kernel, and the recurrent one, which no rule names.
    (r"(^|/)RecurrentLayer_\d+/kernel$", P(None, None)),
    (r"(^|/)kernel$", P("fsdp", "tensor")),  # [..., inputs, outputs]: dense and convolution alike
    (r"(^|/)embedding$", P("tensor", None)),  # [vocabulary, features]
)


def make_mesh(text: str, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh from `data=4,fsdp=2`; an axis of -1 takes the devices that remain.

    Raises:
        UsageError: an unknown axis, or sizes that do not multiply to the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    sizes: dict[str, int] = {}
    for part in text.split(","):
        axis, _, size = part.strip().partition("=")
        if axis not in AXES or axis in sizes or not re.fullmatch(r"-1|[1-9]\d*", size):
            raise UsageError(
                f"--mesh '{text}': '{part}' is not an axis of {', '.join(AXES)} with its size. "
                "Write, for example, --mesh data=4,fsdp=2"
            )
        sizes[axis] = int(size)
    sizes = {axis: sizes.get(axis, 1) for axis in AXES}
    free = [axis for axis in AXES if sizes[axis] == -1]
    known = math.prod(size for size in sizes.values() if size != -1)
    if len(free) == 1:
        sizes[free[0]] = len(devices) // known
    if len(free) > 1 or math.prod(sizes.values()) != len(devices):
        raise UsageError(
            f"--mesh '{text}' does not cover the {len(devices)} devices that are here: the sizes "
            "must multiply to their number (one axis may be -1)."
        )
    # Linen modules carry no sharding of their own, so the compiler is left to propagate it.
    return jax.make_mesh(
        tuple(sizes.values()), AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=devices
    )


def path_name(path: Sequence[Any]) -> str:
    """`params/Dense_0/kernel` from the keys of a tree path."""
    return "/".join(
        str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path
    )


def spec_for(path: str, shape: tuple[int, ...], mesh: Mesh | AbstractMesh) -> P:
    """The sharding of one leaf: its rule on its last axes, where the axis sizes divide them."""
    for pattern, spec in RULES:
        if re.search(pattern, path) and len(shape) >= len(spec):
            leading = (None,) * (len(shape) - len(spec))
            fitting = (
                axis if axis is not None and size % mesh.shape[axis] == 0 else None
                for axis, size in zip(spec, shape[len(leading) :], strict=True)
            )
            return P(*leading, *fitting)
    return P()


def shard(tree: Any, mesh: Mesh) -> Any:
    """The sharding of every leaf of a state (arrays or their shapes), a tree like it."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: NamedSharding(mesh, spec_for(path_name(path), leaf.shape, mesh)), tree
    )


def place(array: np.ndarray | np.generic, mesh: Mesh, spec: P = P()) -> jax.Array:
    """Puts a host array that every process holds onto the mesh; each process gives its part."""
    array = np.asarray(array)
    sharding = NamedSharding(mesh, spec)
    if jax.process_count() == 1:
        return jax.device_put(array, sharding)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
