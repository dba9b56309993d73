"""What `Policy` promises of every kind of learner, each promise in the company of the others."""

import dataclasses

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, losses, models, optim, parameters, training
from dlcourse.errors import UserError
from dlcourse.learner import Policy
from dlcourse.training.run.loop import Interrupted
from tests.kinds import KINDS, Config
from tests.training.run.test_loop import At

FROZEN = {
    "classifier": "Dense_0/kernel",
    "batch_norm": "Conv_0",
    "gan": "discriminator/Dense_0",
    "dqn": "Dense_0",
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def plain_descent(monkeypatch):
    """Adam would divide a rounding error by itself."""
    monkeypatch.setattr(optim, "adam", optim.sgd)


def one_step(kind, key, **policy):
    """The state before and after a step of one of the small experiments."""
    experiment = KINDS[kind](Config(**policy))
    batch = jax.tree.map(jnp.asarray, experiment.data.batch(0, 40, seed=0))
    before = jax.jit(experiment.learner.init)(key, batch)
    return before, jax.jit(experiment.learner.step)(before, batch, key)[0]


def split(params, pattern):
    """The leaves that a pattern finds, and the others."""
    found = jax.tree.leaves(parameters.matching(pattern, params))
    leaves = list(zip(jax.tree.leaves(params), found, strict=True))
    return [leaf for leaf, is_found in leaves if is_found], [
        leaf for leaf, is_found in leaves if not is_found
    ]


def test_each_promise_holds_beside_the_others(kind, key, plain_descent):
    together = {"accumulate": 2, "ema": 0.9, "remat": True, "freeze": FROZEN[kind]}
    before, after = one_step(kind, key, **together)

    def without(name):
        return one_step(kind, key, **{n: v for n, v in together.items() if n != name})[1]

    # Computing layers once more changes nothing, dropout included.
    chex.assert_trees_all_close(after, without("remat"), rtol=1e-5, atol=1e-6)
    # What is frozen stays bit for bit, and what is not learns as if nothing were.
    still, moving = split(after.params, FROZEN[kind])
    chex.assert_trees_all_equal(still, split(before.params, FROZEN[kind])[0])
    if kind != "gan":  # its generator learns from the discriminator of the same step
        free = split(without("freeze").params, FROZEN[kind])
        chex.assert_trees_all_close(moving, free[1], rtol=1e-5, atol=1e-6)
        assert all(np.any(a != b) for a, b in zip(still, free[0], strict=True))
    # Averaging looks on.
    new, old = (s.params["generator"] if kind == "gan" else s.params for s in (after, before))
    expected = jax.tree.map(lambda a, p: 0.9 * a + 0.1 * p, old, new)
    chex.assert_trees_all_close(after.average, expected, rtol=1e-5, atol=1e-7)


def test_all_of_it_through_the_loop(kind, tmp_path, monkeypatch):
    """In low precision, over two seeds and stopped in the middle, which leaves no trace."""
    config = Config(
        precision="bfloat16", accumulate=2, ema=0.9, remat=True, freeze=FROZEN[kind], seeds=2,
        steps=7, evaluate_every="100%", checkpoint_every="100%",
    )  # fmt: skip

    def train(name, interruption=None):
        inside = dataclasses.replace(config, workdir=tmp_path / name)
        return training.run(KINDS[kind](inside), inside, name=kind, interruption=interruption)

    whole = train("whole")
    with monkeypatch.context() as patched, pytest.raises(Interrupted, match="step 5/7"):
        train("stopped", At(patched, 5))
    chex.assert_trees_all_equal(train("stopped").state, whole.state)
    weights = jax.tree.leaves((whole.state.params, whole.state.average))
    assert {leaf.dtype for leaf in weights} == {np.dtype("float32")}
    assert all(np.isfinite(leaf).all() for leaf in weights)


def test_accumulated_gradients_of_q_and_of_two_networks(key, plain_descent, monkeypatch):
    """Those of the whole batch; a classifier's, with and without batch norm: `test_learners`."""
    _, whole = one_step("dqn", key)
    _, accumulated = one_step("dqn", key, accumulate=4)
    chex.assert_trees_all_close(accumulated.params, whole.params, rtol=1e-5, atol=1e-6)

    critic = models.Discriminator((16,), dropout=0.0)
    monkeypatch.setattr(models, "Discriminator", lambda features: critic)
    before, whole = one_step("gan", key)
    _, accumulated = one_step("gan", key, accumulate=4)
    name = "discriminator"
    chex.assert_trees_all_close(accumulated.params[name], whole.params[name], rtol=1e-5, atol=1e-6)
    # The generator has batch norm: each micro-batch is normalised by itself.
    one, other, start = (
        state.params["generator"]["Dense_0"]["kernel"] for state in (accumulated, whole, before)
    )
    assert not np.allclose(one - start, other - start, rtol=0.1)


class Deep(nn.Module):
    """Eight blocks, each of which makes much of little."""

    @nn.compact
    def __call__(self, x, *, train=False):
        for _ in range(8):
            x = x + models.MLP((61, 31), nn.gelu, dropout=0.1)(x, train=train)
        return nn.Dense(10)(x)


def test_recomputed_layers_take_less_memory_and_give_the_same_gradient(key):
    """XLA for CPUs merges what is computed twice, unless the pass is left out that allows it."""
    batch = {
        "image": jax.random.normal(key, (512, 31)),
        "label": jnp.arange(512) % 10,
    }
    after, temporaries = {}, {}
    for remat in (False, True):
        learner = learners.supervised(
            Deep(), losses.softmax_cross_entropy, optim.sgd(0.1), policy=Policy(remat=remat)
        )
        state = learner.init(key, batch)
        lowered = jax.jit(learner.step).lower(state, batch, key)
        step = lowered.compile({"xla_disable_hlo_passes": "cse_barrier_expander"})
        temporaries[remat] = step.memory_analysis().temp_size_in_bytes
        after[remat] = step(state, batch, key)[0].params
    assert temporaries[True] < 0.5 * temporaries[False]
    chex.assert_trees_all_close(after[True], after[False], rtol=1e-5, atol=1e-6)


def test_freezing_what_is_not_there_is_said(kind, tmp_path):
    config = Config(workdir=tmp_path, freeze="encoder/")
    with pytest.raises(UserError, match=r"No parameter matches 'encoder/'\. They are called .*_0"):
        training.run(KINDS[kind](config), config, name=kind)


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"freeze is '\(', no regular expression"):
        Config(freeze="(")
