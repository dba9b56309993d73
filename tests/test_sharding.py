"""Where arrays live, and that the result does not depend on it."""

import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from dlcourse.errors import UsageError
from dlcourse.training import sharding
from tests.kinds import KINDS

ROOT = pathlib.Path(__file__).parents[1]
MESHES = ["data=8", "data=2,fsdp=2,tensor=2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every kind of learner on one device, and on eight in three meshes."""
    folder = tmp_path_factory.mktemp("topologies")
    for devices, meshes in ((1, ["data=1"]), (8, MESHES)):
        subprocess.run(
            [sys.executable, "-m", "tests.topologies", str(devices), str(folder), *meshes],
            cwd=ROOT,
            check=True,
            timeout=280,
        )
    return folder


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_result_does_not_depend_on_the_devices(kind, mesh, runs):
    one = np.load(runs / f"{kind}-1-data1.npz")
    eight = np.load(runs / f"{kind}-8-{mesh.replace('=', '')}.npz")
    assert set(one.files) == set(eight.files)
    for name in one.files:
        # Sums over devices round in another order; Adam divides small differences by small numbers.
        np.testing.assert_allclose(eight[name], one[name], rtol=2e-3, atol=2e-4, err_msg=name)
    rows = [
        [json.loads(line) for line in (runs / run / "metrics.jsonl").read_text().splitlines()]
        for run in (f"{kind}-1-data1", f"{kind}-8-{mesh.replace('=', '')}")
    ]
    for left, right in zip(*rows, strict=True):
        assert left.pop("split") == right.pop("split")
        assert left == pytest.approx(right, rel=1e-3, abs=1e-4)


def test_parameters_and_their_moments_are_spread(runs):
    split = json.loads((runs / "classifier-8-data2,fsdp2,tensor2.json").read_text())
    assert any("params" in name and "Dense_0" in name for name in split)
    assert any("opt_state" in name and "Dense_0" in name for name in split)
    assert not json.loads((runs / "classifier-8-data8.json").read_text())


def test_a_mesh_from_text():
    mesh = sharding.make_mesh("data=-1")
    assert dict(mesh.shape) == {"data": jax.device_count(), "fsdp": 1, "tensor": 1}


@pytest.mark.parametrize("text", ["rows=2", "data", "data=0", "data=1.5", "data=-1,fsdp=-1"])
def test_a_mesh_that_is_none(text):
    with pytest.raises(UsageError):
        sharding.make_mesh(text)


def test_rules_reach_parameters_by_their_path():
    mesh = jax.sharding.AbstractMesh((2, 3, 5), sharding.AXES)
    spec = sharding.spec_for
    assert spec("params/Dense_0/kernel", (6, 10), mesh) == P("fsdp", "tensor")
    assert spec("opt_state/0/mu/Conv_0/kernel", (3, 3, 6, 10), mesh) == P(
        None, None, "fsdp", "tensor"
    )
    assert spec("params/Dense_0/bias", (10,), mesh) == P()
    # An axis that does not divide stays whole.
    assert spec("params/Dense_0/kernel", (7, 10), mesh) == P(None, "tensor")
    assert (
        sharding.path_name(jax.tree_util.tree_leaves_with_path({"a": [jnp.zeros(1)]})[0][0])
        == "a/0"
    )
