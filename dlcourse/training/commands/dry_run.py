"""What a run would do, without training: where parameters live, what a step costs and says."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
from jax.sharding import Mesh

from dlcourse.training.engine import sharding
from dlcourse.training.engine.programs import Programs

_COLLECTIVE = re.compile(
    r"= .*? (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\("
)


def collectives(hlo: str) -> Counter[str]:
    """How often each kind of collective stands in a compiled program."""
    found = (_COLLECTIVE.search(line) for line in hlo.splitlines())
    return Counter(match[1] for match in found if match)


def describe(programs: Programs, mesh: Mesh) -> Iterator[str]:
    """The lines of the report.

    The chunk's loop stands in the program once, so its FLOPs and its collectives are those of one
    step (and of what frames the loop). Memory is that of one device.
    """
    sizes = ", ".join(f"{axis}={size}" for axis, size in mesh.shape.items())
    yield f"{mesh.size} devices of {jax.process_count()} processes: {sizes}"
    yield f"{'parameter':<48} {'shape':<18} {'sharding':<26} bytes a device"
    total, unnamed = 0, []
    for path, leaf in jax.tree_util.tree_leaves_with_path(programs.state):
        name = sharding.path_name(path)
        held = math.prod(leaf.sharding.shard_shape(leaf.shape)) * _item_bytes(leaf)
        total += held
        if "params" not in name.split("/") or "opt_state" in name.split("/"):
            continue
        yield f"{name:<48} {leaf.shape!s:<18} {_said(leaf.sharding.spec):<26} {held:,}"
        if not any(re.search(pattern, name) for pattern, _ in sharding.RULES):
            unnamed.append(name)
    yield f"The whole state, optimizer included, takes {total:,} bytes a device."
    if unnamed:
        yield f"No rule names these, so every device holds a copy: {', '.join(unnamed)}"
    memory = programs.train.memory_analysis()
    if memory is not None:
        yield (
            f"The compiled program of a chunk takes {memory.argument_size_in_bytes:,} bytes of "
            f"arguments (state and data), {memory.temp_size_in_bytes:,} of temporaries and "
            f"{memory.output_size_in_bytes - memory.alias_size_in_bytes:,} of new outputs."
        )
    yield f"A step takes {programs.flops:,.0f} FLOPs a device, as XLA counts them."
    counts = collectives(programs.train.as_text())
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield f"Collectives in a step: {said or 'none'}"


def _said(spec: Any) -> str:
    return "copied" if not any(spec) else str(tuple(spec))


def _item_bytes(leaf: Any) -> int:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
        return leaf.shape[-1] * leaf.dtype.itemsize
    return leaf.dtype.itemsize
