"""Language models: published counts, the cache, causality, and what they refuse."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, models, optim, parameters
from dlcourse.errors import UserError
from dlcourse.learner import Policy, Rule
from dlcourse.models.sequence.gpt import SIZES

TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 13, (3, 9)))
NETWORKS = {
    "gpt": models.GPT(vocabulary=13, context=11, layers=2, heads=2, features=8),
    "lstm": models.RecurrentLM(13, "lstm", (8, 6)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def language(request):
    """A network with weights several times as large as the first ones, so that it is not flat."""
    network = NETWORKS[request.param]
    params = jax.jit(network.init)(jax.random.key(0), TOKENS)
    return network, jax.tree.map(lambda leaf: 4 * leaf, params)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("gpt2", 124_439_808),
        pytest.param("gpt2-medium", 354_823_168, marks=pytest.mark.long),
        pytest.param("gpt2-xl", 1_557_611_200, marks=pytest.mark.long),
    ],
)
def test_counts_are_those_of_the_released_models(name, count):
    layers, heads, features = SIZES[name]
    network = models.GPT(50_257, 1024, layers, heads, features)
    params = jax.eval_shape(network.init, jax.random.key(0), TOKENS)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


@functools.cache
def decoding(network):
    """Compiled once for each number of tokens."""
    return jax.jit(functools.partial(network.apply, method="decode"))


@pytest.mark.parametrize("prompt", [1, 4, 9])
def test_decoding_gives_the_logits_of_the_whole_text(language, prompt):
    network, params = language

    decode = decoding(network)
    cache, found, position = network.start(3, 10), [], 0
    for length in (prompt, *[1] * (9 - prompt)):
        part = TOKENS[:, position : position + length]
        logits, cache = decode(params, part, cache, position)
        found.append(logits)
        position += length
    whole = jax.jit(network.apply)(params, TOKENS)
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, rtol=1e-4, atol=6e-5)


def test_no_place_sees_what_comes_after_it(language):
    network, params = language
    apply = jax.jit(network.apply)
    before = apply(params, TOKENS)
    after = apply(params, TOKENS.at[:, 5].set((TOKENS[:, 5] + 1) % 13))
    chex.assert_trees_all_equal(before[:, :5], after[:, :5])
    assert np.all(np.any(before[:, 5:] != after[:, 5:], axis=-1))


def test_first_weights():
    """N(0, 0.02²), and by 1/√(2L) less beside a shortcut: the first loss is that of guessing."""
    network = models.GPT(vocabulary=211, context=16, layers=2, heads=2, features=64)
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 211, (4, 16)))
    params = jax.jit(network.init)(jax.random.key(0), tokens)["params"]
    assert np.std(params["blocks_0"]["into"]["kernel"]) == pytest.approx(0.02, rel=0.05)
    for out in (params["blocks_0"]["out"], params["blocks_1"]["attention"]["out"]):
        assert np.std(out["kernel"]) == pytest.approx(0.02 / 2, rel=0.05)
    logits = jax.jit(network.apply)({"params": params}, tokens)
    log_p = jax.nn.log_softmax(logits[:, :-1])
    guessed = -jnp.take_along_axis(log_p, tokens[:, 1:, None], axis=-1)
    assert np.mean(guessed) == pytest.approx(np.log(211), abs=0.1)


def test_what_does_not_fit_is_refused():
    network = NETWORKS["gpt"]
    with pytest.raises(UserError, match="12 tokens do not fit a context of 11"):
        jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 12), int))
    with pytest.raises(UserError, match="12 tokens, prompt included, do not fit a context of 11"):
        network.start(1, 12)
    with pytest.raises(UserError, match="3 heads do not divide 8 features"):
        jax.eval_shape(models.GPT(13, 11, 1, 3, 8).init, jax.random.key(0), TOKENS)


def test_a_table_of_tokens_is_the_embedding_and_the_first_kernel():
    """Logits and gradients of the same network whose vocabulary is too large for a table."""
    network = NETWORKS["lstm"]
    params = jax.jit(network.init)(jax.random.key(0), TOKENS)
    layers = network.clone(dropout=1e-9)  # dropout goes through every place

    def total(network, **options):
        return jax.jit(
            jax.value_and_grad(lambda p: jnp.mean(network.apply(p, TOKENS, **options) ** 2))
        )(params)

    found = total(network)
    expected = total(layers, train=True, rngs={"dropout": jax.random.key(0)})
    chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=1e-6)


def test_remat_and_low_precision_compose():
    """Each layer is computed once more; in bfloat16 the step is the same as without."""
    network, after = NETWORKS["gpt"].clone(dropout=0.1), {}
    batch = {"tokens": TOKENS, "next": jnp.roll(TOKENS, -1, axis=1)}
    for remat in (False, True):
        rule = Rule(optim.sgd(0.5), Policy(precision="bfloat16", remat=remat))
        learner = learners.language_model(network, rule, context=11)
        state = jax.jit(learner.init)(jax.random.key(0), batch)
        step = jax.make_jaxpr(learner.step)(state, batch, jax.random.key(1))
        assert ("remat" in str(step)) == remat
        assert "bf16" in str(step)
        after[remat] = jax.jit(learner.step)(state, batch, jax.random.key(1))[0].params
    chex.assert_trees_all_close(after[True], after[False], rtol=0.02, atol=2e-3)  # of 8 bits
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (NETWORKS["gpt"], TOKENS),
        (models.BERTPretraining(models.BERT(13, 11, 2, 2, 8)), {"tokens": TOKENS}),
    ],
    ids=["gpt", "bert"],
)
def test_weights_decay_where_they_multiply_places_alone(network, inputs):
    """Neither embeddings, of which the output layer is one, nor norms, nor biases."""
    params = jax.eval_shape(network.init, jax.random.key(0), inputs)["params"]
    decay = jax.tree_util.tree_leaves_with_path(parameters.kernels(params))
    kept = {parameters.name(path).rpartition("/")[2] for path, decays in decay if not decays}
    assert kept == {"embedding", "scale", "bias"}
    matrices = [path for path, decays in decay if decays]
    beside = 3 if "bert" in params else 0  # the pooler, and a dense layer in each of two heads
    assert len(matrices) == 2 * 6 + beside
    # And so it is in a step of AdamW without a gradient.
    ones = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), params)
    still = jax.tree.map(jnp.zeros_like, ones)
    optimizer = optim.adamw(0.1, 0.2)
    updates = optimizer.update(still, optimizer.init(ones), ones)[0]
    for (path, decays), update in zip(decay, jax.tree.leaves(updates), strict=True):
        np.testing.assert_allclose(update, -0.02 * decays, rtol=1e-5, err_msg=str(path))
