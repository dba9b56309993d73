"""Where arrays live, and that the result does not depend on it."""

import functools
import json
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from dlcourse.errors import UsageError
from dlcourse.training.engine import sharding
from tests import ROOT
from tests.kinds import KINDS, each_kind

BIG = "data=2,fsdp=2,tensor=2"
MESHES = {"data=1": 1, "fsdp=2": 2, "data=2,tensor=2": 4, BIG: 8}  # and their devices
QUICK = ("classifier", "attention")  # kinds that the default run trains
OTHERS = tuple(kind for kind in KINDS if kind not in QUICK)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`(kind, mesh) -> run folder`; the first that asks trains a group of kinds on that mesh."""
    folder = tmp_path_factory.mktemp("topologies")

    @functools.cache
    def train(mesh, kinds):
        devices = str(MESHES[mesh])
        runs = [f"{mesh}:{kind}" for kind in kinds]
        runs += ["data=8:classifier"] if devices == "8" and kinds == QUICK else []
        command = [sys.executable, "-m", "tests.topologies", devices, str(folder), *runs]
        subprocess.run(command, cwd=ROOT, check=True, timeout=300)

    def place(kind, mesh):
        train(BIG if mesh == "data=8" else mesh, QUICK if kind in QUICK else OTHERS)
        return folder / f"{kind}-{mesh}"

    return place


def test_devices_that_convolve_exchange_only_sums(trained):
    folder = trained("classifier", BIG).parent
    assert json.loads((folder / "collectives-8.json").read_text()) == ["all-reduce"]


@pytest.mark.parametrize(
    "mesh",
    [BIG, *(pytest.param(mesh, marks=pytest.mark.long) for mesh in ("fsdp=2", "data=2,tensor=2"))],
)
@pytest.mark.parametrize("kind", each_kind(QUICK))
def test_the_result_does_not_depend_on_the_devices(kind, mesh, trained):
    """Final weights, and every loss on the way."""
    alone, spread = trained(kind, "data=1"), trained(kind, mesh)
    one, many = (np.load(folder / "state.npz") for folder in (alone, spread))
    assert set(one.files) == set(many.files)
    for name in one.files:
        # Sums over devices round in another order; Adam divides small differences by small numbers.
        np.testing.assert_allclose(many[name], one[name], rtol=2e-3, atol=2e-4, err_msg=name)
    rows = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (alone, spread)
    ]
    for left, right in zip(*rows, strict=True):
        assert left.pop("split") == right.pop("split")
        assert left == pytest.approx(right, rel=1e-3, abs=1e-4)


def test_parameters_and_their_moments_are_spread(trained):
    split = json.loads((trained("classifier", BIG) / "split.json").read_text())
    assert any("params" in name and "Dense_0" in name for name in split)
    assert any("opt_state" in name and "Dense_0" in name for name in split)
    assert not json.loads((trained("classifier", "data=8") / "split.json").read_text())


def test_a_mesh_is_parsed_from_text():
    mesh = sharding.make_mesh("data=-1")
    assert dict(mesh.shape) == {"data": jax.device_count(), "fsdp": 1, "tensor": 1}


@pytest.mark.parametrize("text", ["rows=2", "data", "data=0", "data=1.5", "data=-1,fsdp=-1"])
def test_a_wrong_mesh_is_refused(text):
    with pytest.raises(UsageError):
        sharding.make_mesh(text)


def test_the_heads_of_attention_are_spread():
    """By the names that Linen gives, in a state that has the optimizer's moments too."""
    layer = nn.MultiHeadDotProductAttention(num_heads=4, qkv_features=12, name="self_attention")
    params = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros((1, 5, 6)))["params"]
    mesh = jax.sharding.AbstractMesh((1, 3, 2), sharding.AXES)
    found = {
        sharding.path_name(path): sharding.spec_for(sharding.path_name(path), leaf.shape, mesh)
        for path, leaf in jax.tree_util.tree_leaves_with_path({"block": {"self_attention": params}})
    }
    inside = "block/self_attention"
    for name in ("query", "key", "value"):
        assert params[name]["kernel"].shape == (6, 4, 3)
        assert found.pop(f"{inside}/{name}/kernel") == P("fsdp", "tensor", None)
    assert params["out"]["kernel"].shape == (4, 3, 6)
    assert found.pop(f"{inside}/out/kernel") == P("tensor", None, "fsdp")
    assert set(found.values()) == {P()}  # the biases
    # A dense layer of such a name is one like any other.
    assert sharding.spec_for("params/query/kernel", (6, 4), mesh) == P("fsdp", "tensor")
    assert sharding.spec_for("params/out/kernel", (6, 4), mesh) == P("fsdp", "tensor")


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
    recurrent = "params/Recurrent_0/RecurrentLayer_0"
    for name in ("kernel", "recurrent_kernel", "bias"):
        assert not any(spec(f"{recurrent}/{name}", (6, 24)[name == "bias" :], mesh))
    assert (
        sharding.path_name(jax.tree_util.tree_leaves_with_path({"a": [jnp.zeros(1)]})[0][0])
        == "a/0"
    )
