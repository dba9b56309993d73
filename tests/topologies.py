"""Runs every kind of learner on meshes of simulated devices; started by `test_sharding.py`.

The number of devices is fixed when JAX starts, so each topology is a process of its own.
"""

import contextlib
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


def main(devices: int, folder: pathlib.Path, runs: list[str]) -> None:
    """Trains each `MESH:KIND` and writes the final state."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    # Shardings and collectives do not depend on optimizations; compiling takes half without.
    jax.config.update("jax_disable_most_optimizations", True)
    from dlcourse import training
    from dlcourse.training.run import drawing
    from tests.kinds import KINDS, Config

    drawing.draw_curves = lambda rows: None  # it takes longer than the runs
    for mesh, kind in (run.split(":") for run in runs):
        place = folder / f"{kind}-{mesh}"
        config = Config(workdir=place, mesh=mesh, steps=8, checkpoint_every="8 steps")
        states = []
        with on_device(states):
            result = training.run(KINDS[kind], config, name=kind, silent=True)
        named = by_name(result.state)
        np.savez(place / "state.npz", **named)
        split = [
            name
            for name, leaf in by_name(states[-1]).items()
            if leaf.sharding.shard_shape(leaf.shape) != leaf.shape
        ]
        (place / "split.json").write_text(json.dumps(split))
    (folder / f"collectives-{devices}.json").write_text(
        json.dumps(collectives_of_a_convolution(devices))
    )


def by_name(state: Any) -> dict[str, Any]:
    import jax

    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


@contextlib.contextmanager
def on_device(states: list[Any]) -> Iterator[None]:
    """Keeps the states that are saved, with their shardings."""
    from dlcourse.training.run.checkpoints import Checkpoints

    save = Checkpoints.save

    def keep(self: Checkpoints, step: int, tree: Any, progress: dict) -> None:
        states.append(tree["learner"])
        save(self, step, tree, progress)

    Checkpoints.save = keep
    yield
    Checkpoints.save = save


def collectives_of_a_convolution(devices: int) -> list[str]:
    """The collectives in a convolution's gradient when devices share a batch."""
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    from dlcourse.models.vision.fast_convolution import convolve_batch

    mesh = jax.make_mesh((devices,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    arrays = {"x": (8 * devices, 32, 32, 4), "kernel": (3, 3, 4, 32)}
    spread = {"x": PartitionSpec("data"), "kernel": PartitionSpec()}
    x, kernel = (
        jax.ShapeDtypeStruct(shape, "float32", sharding=NamedSharding(mesh, spread[name]))
        for name, shape in arrays.items()
    )
    gradient = jax.jit(jax.grad(lambda k, x: jax.numpy.sum(convolve_batch(x, k, 1, "SAME") ** 2)))
    program = gradient.lower(kernel, x).compile().as_text()
    return re.findall(r"= \S+ (all-\w+|collective-\w+)\(", program)


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    main(int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:])
