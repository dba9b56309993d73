"""A run described without training: where parameters live, the cost of a step, the collectives."""

import math
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.sharding import Mesh

from dlcourse.learner import trained
from dlcourse.training.config import Config
from dlcourse.training.engine import sharding
from dlcourse.training.engine.programs import Programs
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.folder import RunFolder
from dlcourse.training.run.loop import Loop
from dlcourse.training.run.screen import Screen
from dlcourse.training.run.start import make_mesh

_COLLECTIVE = re.compile(
    r"= .*? (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\("
)


def dry_run(experiment: Callable[[Any], Experiment], config: Config, row: str = "") -> None:
    """Compiles the training program of a run and prints the description; nothing is written."""
    made, mesh = experiment(config), make_mesh(config)
    screen = Screen(config.total_steps(made.data), live=False)
    loop = Loop(made, config, RunFolder(pathlib.Path()), mesh, screen)
    if row:
        screen.say(f"{row}:")
    for line in describe(loop.programs, mesh):
        screen.say(line)


def collectives(hlo: str) -> Counter[str]:
    """How often each kind of collective stands in a compiled program."""
    found = (_COLLECTIVE.search(line) for line in hlo.splitlines())
    return Counter(match[1] for match in found if match)


def describe(programs: Programs, mesh: Mesh) -> Iterator[str]:
    """The lines of the description.

    XLA counts a loop body once, so FLOPs and collectives of a chunk are those of one step (and of
    the code around the loop). Memory is that of one device.
    """
    sizes = ", ".join(f"{axis}={size}" for axis, size in mesh.shape.items())
    yield f"{mesh.size} devices of {jax.process_count()} processes: {sizes}"
    yield f"{'parameter':<48} {'shape':<18} {'sharding':<26} bytes a device"
    weights = {
        id(leaf) for part in trained(programs.state) for leaf in jax.tree.leaves(part.params)
    }
    total, unnamed = 0, []
    for path, leaf in jax.tree_util.tree_leaves_with_path(programs.state):
        name = sharding.path_name(path)
        held = math.prod(leaf.sharding.shard_shape(leaf.shape)) * _item_bytes(leaf)
        total += held
        if id(leaf) not in weights:
            continue
        yield f"{name:<48} {leaf.shape!s:<18} {_said(leaf.sharding.spec):<26} {held:,}"
        if not any(re.search(pattern, name) for pattern, _ in sharding.RULES):
            unnamed.append(name)
    yield f"The whole state, optimizer included, takes {total:,} bytes a device."
    if unnamed:
        yield f"No rule matches these, so every device holds a copy: {', '.join(unnamed)}"
    program = programs.training_program
    memory = program.memory_analysis()
    if memory is not None:
        yield (
            f"The compiled program of a chunk takes {memory.argument_size_in_bytes:,} bytes of "
            f"arguments (state and data), {memory.temp_size_in_bytes:,} of temporaries and "
            f"{memory.output_size_in_bytes - memory.alias_size_in_bytes:,} of new outputs."
        )
    yield f"A step takes {programs.flops:,.0f} FLOPs a device, as XLA counts them."
    counts = collectives(program.as_text())
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield f"Collectives in a step: {said or 'none'}"


def _said(spec: Any) -> str:
    return "copied" if not any(spec) else str(tuple(spec))


def _item_bytes(leaf: Any) -> int:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
        return leaf.shape[-1] * leaf.dtype.itemsize
    return leaf.dtype.itemsize
