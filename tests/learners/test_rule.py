"""The options of a policy, in combination, for every kind of learner."""

import dataclasses
from typing import ClassVar

import chex
import flax.linen as nn
import jax
import numpy as np
import pytest

from dlcourse import learners, losses, models, optim, parameters, training
from dlcourse.errors import UsageError, UserError
from dlcourse.learner import Policy, Rule, trained
from dlcourse.learners.generative.gan import GANState
from dlcourse.training.run.ends import Interrupted
from tests.kinds import KINDS, Config, each_kind
from tests.training.runs import At

pytestmark = pytest.mark.usefixtures("without_curves", "shared_programs")

FROZEN = {
    "classifier": "Dense_0/kernel",
    "batch_norm": "Conv_0",
    "gan": "discriminator/Dense_0",
    "dqn": "Dense_0",
    "ppo": "policy/Dense_0",
    "diffusion": "Dense_0",
    "vae": "decoder/Dense_0",
    "recurrent": "network/RecurrentLayer_0/kernel",
    "attention": "blocks_0/attention/",
    "translation": "decoder_0/cross_attention/",
    "pretraining": "encoder_0/attention/",
    "flow": "inner/layers_0/",
}


@pytest.fixture(params=each_kind())
def kind(request):
    return request.param


@pytest.fixture
def plain_descent(monkeypatch):
    """Adam would divide a rounding error by itself."""
    monkeypatch.setattr(optim, "adam", optim.sgd)


def steps(kind, key, **policies):
    """The states of one of the small experiments before and after a step, under each policy."""
    learners_of = {
        name: KINDS[kind].__wrapped__(Config(**policy)).learner  # the networks may be patched
        for name, policy in policies.items()
    }
    batch = jax.device_put(KINDS[kind].__wrapped__(Config()).data.batch(0, 40, seed=0))

    @jax.jit
    def each_steps(key, batch):
        found = {}
        for name, learner in learners_of.items():
            before = learner.init(key, batch)
            found[name] = before, learner.step(before, batch, key)[0]
        return found

    return jax.tree.map(np.asarray, each_steps(key, batch))


def params_of(state):
    """The weights of all networks, under the names that `freeze` matches."""
    if isinstance(state, GANState):
        return {"generator": state.generator.params, "discriminator": state.discriminator.params}
    return trained(state)[0].params


def averages_of(state):
    return [part.average for part in trained(state)]


def split(params, pattern):
    """The leaves that a pattern finds, and the others."""
    found = jax.tree.leaves(parameters.matching(pattern, params))
    leaves = list(zip(jax.tree.leaves(params), found, strict=True))
    return [leaf for leaf, is_found in leaves if is_found], [
        leaf for leaf, is_found in leaves if not is_found
    ]


def test_options_hold_in_combination(kind, key, plain_descent):
    together = {"accumulate": 2, "ema": 0.9, "remat": True, "freeze": FROZEN[kind]}

    def without(name):
        return {n: v for n, v in together.items() if n != name}

    found = steps(kind, key, together=together, kept=without("remat"), free=without("freeze"))
    before, after = found["together"]
    # Computing layers once more changes nothing, dropout included.
    chex.assert_trees_all_close(after, found["kept"][1], rtol=1e-5, atol=1e-6)
    # Frozen weights stay the same bit for bit; the others learn as if none were frozen.
    still, moving = split(params_of(after), FROZEN[kind])
    chex.assert_trees_all_equal(still, split(params_of(before), FROZEN[kind])[0])
    if kind != "gan":  # its generator learns from the discriminator of the same step
        free = split(params_of(found["free"][1]), FROZEN[kind])
        chex.assert_trees_all_close(moving, free[1], rtol=1e-5, atol=1e-6)
        assert all(np.any(a != b) for a, b in zip(still, free[0], strict=True))
    # Every network has its average, and training does not read it.
    new, old = ([part.params for part in trained(state)] for state in (after, before))
    expected = jax.tree.map(lambda a, p: 0.1 * a + 0.9 * p, old, new)  # the first update
    if kind != "ppo":  # it makes several updates in a step
        chex.assert_trees_all_close(averages_of(after), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", each_kind(("classifier",)))
def test_all_options_together_in_a_run(kind, tmp_path, monkeypatch):
    """In low precision, over two seeds, and stopped in the middle: the resumed run is the same."""
    config = Config(
        precision="bfloat16", accumulate=2, ema=0.9, remat=True, freeze=FROZEN[kind], seeds=2,
        steps=7, evaluate_every="100%", checkpoint_every="100%",
    )  # fmt: skip

    def train(name, interruption=None):
        inside = dataclasses.replace(config, workdir=tmp_path / name)
        return training.run(KINDS[kind], inside, name=kind, interruption=interruption, silent=True)

    whole = train("whole")
    with monkeypatch.context() as patched, pytest.raises(Interrupted, match="step 5/7"):
        train("stopped", At(patched, 5))
    chex.assert_trees_all_equal(train("stopped").state, whole.state)
    weights = jax.tree.leaves([(part.params, part.average) for part in trained(whole.state)])
    assert {leaf.dtype for leaf in weights} == {np.dtype("float32")}
    assert all(np.isfinite(leaf).all() for leaf in weights)


def test_accumulated_gradients_of_q_and_of_two_networks(key, plain_descent, monkeypatch):
    """Those of the whole batch; a classifier's, with and without batch norm: `test_supervised`."""
    found = steps("dqn", key, whole={}, accumulated={"accumulate": 4})
    whole, accumulated = (found[name][1].network.params for name in ("whole", "accumulated"))
    chex.assert_trees_all_close(accumulated, whole, rtol=1e-5, atol=1e-6)

    critic = models.Discriminator((16,), dropout=0.0)
    monkeypatch.setattr(models, "Discriminator", lambda features: critic)
    found = steps("gan", key, whole={}, accumulated={"accumulate": 4})
    (before, whole), (_, accumulated) = found["whole"], found["accumulated"]
    chex.assert_trees_all_close(
        accumulated.discriminator.params, whole.discriminator.params, rtol=1e-5, atol=1e-6
    )
    # The generator has batch norm: each micro-batch is normalised by itself.
    one, other, start = (
        state.generator.params["Dense_0"]["kernel"] for state in (accumulated, whole, before)
    )
    assert not np.allclose(one - start, other - start, rtol=0.1)


class Deep(nn.Module):
    """Five blocks whose hidden layers are wider than their inputs."""

    holds_layers: ClassVar[bool] = True

    @nn.compact
    def __call__(self, x, *, train=False):
        for _ in range(5):
            x = x + models.MLP((61, 31), nn.gelu, dropout=0.1)(x, train=train)
        return nn.Dense(10)(x)


class Head(nn.Module):
    """A model that holds its layers one level deeper, as a classifier on an encoder does."""

    body: nn.Module

    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(10)(self.body(x, train=train))


@pytest.mark.parametrize("model", [Deep(), Head(Deep())])
def test_recomputed_layers_take_less_memory_and_give_the_same_gradient(model, key):
    """XLA for CPUs merges repeated computations unless one of its passes is switched off."""
    images = np.random.default_rng(0).normal(size=(512, 31)).astype(np.float32)
    batch = jax.device_put({"image": images, "label": np.arange(512, dtype=np.int32) % 10})
    after, temporaries, state = {}, {}, None
    for remat in (False, True):
        learner = learners.supervised(
            model, losses.softmax_cross_entropy, Rule(optim.sgd(0.1), Policy(remat=remat))
        )
        state = state or jax.jit(learner.init)(key, batch)  # the same for both
        lowered = jax.jit(learner.step).lower(state, batch, key)
        step = lowered.compile({"xla_disable_hlo_passes": "cse_barrier_expander"})
        temporaries[remat] = step.memory_analysis().temp_size_in_bytes
        after[remat] = step(state, batch, key)[0].params
    assert temporaries[True] < 0.5 * temporaries[False]
    chex.assert_trees_all_close(after[True], after[False], rtol=1e-5, atol=1e-6)


def test_a_pattern_that_matches_no_parameter_is_refused(kind, tmp_path):
    config = Config(workdir=tmp_path, freeze="absent/")
    message = r"No parameter matches 'absent/'\. The parameters are .*_0"
    with pytest.raises(UserError, match=message):
        training.run(KINDS[kind], config, name=kind, silent=True)


def test_a_wrong_regular_expression_is_refused():
    with pytest.raises(ValueError, match=r"freeze must be a regular expression; it is '\('"):
        Config(freeze="(")


@pytest.mark.parametrize(
    ("option", "value"),
    [("precision", "bfloat16"), ("accumulate", 2), ("ema", 0.9), ("remat", True), ("freeze", "w")],
)
def test_an_option_that_the_learner_does_not_honour_is_refused(option, value, tmp_path):
    """Before anything is compiled; side by side, every learner must honour it."""

    def experiment(config):
        network = KINDS["classifier"](config)
        learner = learners.side_by_side(
            {"network": network.learner, "perceptron": learners.perceptron(10)}
        )
        return training.Experiment(learner, network.data, "max accuracy")

    config = Config(workdir=tmp_path, **{option: value})
    with pytest.raises(UsageError, match=f"--{option} has no effect on the learner") as raised:
        training.run(experiment, config, name="both", silent=True)
    assert raised.value.exit_status == 2
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "checkpoints").exists()


def test_what_each_learner_honours():
    """Those with a rule honour everything that has a meaning for them; the others nothing."""
    everything = frozenset(Policy._fields) | {"optimizer"}
    for kind in KINDS.values():
        assert kind(Config()).learner.honours == everything
    assert learners.perceptron(2).honours == frozenset()
    assert learners.logistic_regression(2, 0.1).honours == frozenset()
    descent = learners.descent(lambda x: x @ x, Rule(optim.sgd(0.1)), (1.0, 2.0), 3)
    assert descent.honours == {"ema", "freeze", "optimizer"}
    rates = np.array([0.1, 0.2], np.float32)
    descents = training.population(
        lambda rate: learners.descent(lambda x: x @ x, Rule(optim.sgd(rate)), (1.0,), 3), rates
    )
    assert descents.honours == {"ema", "freeze", "optimizer"}
