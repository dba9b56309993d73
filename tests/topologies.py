"""Runs every kind of learner on meshes of simulated devices; started by `test_sharding.py`.

The number of devices is fixed when JAX starts, so each topology is a process of its own.
"""

import json
import os
import pathlib
import sys

import numpy as np


def main(devices: int, folder: pathlib.Path, meshes: list[str]) -> None:
    """Trains each kind on each mesh, and writes the final states as arrays of float64."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    from dlcourse import training
    from tests.kinds import KINDS, Config

    for kind, experiment in KINDS.items():
        for mesh in meshes:
            place = folder / f"{kind}-{devices}-{mesh.replace('=', '')}"
            config = Config(workdir=place, mesh=mesh, steps=8, checkpoint_every="8 steps")
            result = training.run(experiment(config), config, name=kind)
            leaves = jax.tree_util.tree_leaves_with_path(result.state)
            arrays = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
            np.savez(folder / f"{place.name}.npz", **arrays)
            split = [
                jax.tree_util.keystr(path)
                for path, leaf in leaves
                if leaf.sharding.shard_shape(leaf.shape) != leaf.shape
            ]
            (folder / f"{place.name}.json").write_text(json.dumps(split))


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    main(int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:])
