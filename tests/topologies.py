"""Runs every kind of learner on meshes of simulated devices; started by `test_sharding.py`.

The number of devices is fixed when JAX starts, so each topology is a process of its own.
"""

import json
import os
import pathlib
import re
import sys

import numpy as np


def main(devices: int, folder: pathlib.Path, meshes: list[str]) -> None:
    """Trains each kind (or that of `MESH:KIND`) on each mesh, and leaves the final state."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    # Who holds what and says what to whom is not the optimizer's work; compiling takes half.
    jax.config.update("jax_disable_most_optimizations", True)
    from dlcourse import training
    from tests.kinds import KINDS, Config

    for mesh, *chosen in (text.split(":") for text in meshes):
        for kind in chosen or KINDS:
            place = folder / f"{kind}-{mesh}"
            config = Config(workdir=place, mesh=mesh, steps=8, checkpoint_every="8 steps")
            result = training.run(KINDS[kind](config), config, name=kind)
            leaves = jax.tree_util.tree_leaves_with_path(result.state)
            named = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
            np.savez(place / "state.npz", **{n: np.asarray(leaf) for n, leaf in named.items()})
            split = [n for n, a in named.items() if a.sharding.shard_shape(a.shape) != a.shape]
            (place / "split.json").write_text(json.dumps(split))
    (folder / f"said-{devices}.json").write_text(json.dumps(said_for_a_convolution(devices)))


def said_for_a_convolution(devices: int) -> list[str]:
    """What devices that share a batch say to each other for a gradient of a convolution."""
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
