"""Sampling: truncated distributions against a loop, and generation against recomputation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.errors import UserError

LOGITS = np.random.default_rng(0).normal(size=(6, 12)).astype(np.float32) * 2
LOGITS[1, 3:6] = LOGITS[1].max()  # ties at the top
LOGITS[2] = 0.0


def by_loop(logits, temperature=1.0, top_k=None, top_p=1.0):
    """The probabilities of one row, token by token, in float64."""
    x = logits.astype(np.float64)
    if temperature == 0:
        best = x == x.max()
        return best / best.sum()
    p = np.exp(x / temperature)
    kept = set(range(len(x)))
    if top_k is not None:
        least = sorted(x, reverse=True)[min(top_k, len(x)) - 1]
        kept = {i for i in kept if x[i] >= least}
    p = np.array([p[i] if i in kept else 0.0 for i in range(len(x))])
    p /= p.sum()
    if top_p < 1:
        total, least = 0.0, None
        for i in sorted(kept, key=lambda i: -p[i]):
            if total < top_p:
                least = p[i]
            total += p[i]
        p = np.where(p >= least, p, 0.0)
    return p / p.sum()


@pytest.mark.parametrize(
    "options",
    [
        {}, {"temperature": 0.5}, {"temperature": 0.0}, {"temperature": 3.0}, {"top_k": 1},
        {"top_k": 4}, {"top_k": 99}, {"top_p": 0.9}, {"top_p": 0.3}, {"top_p": 1e-6},
        {"temperature": 0.7, "top_k": 5, "top_p": 0.8},
    ],
)  # fmt: skip
def test_a_truncated_distribution_is_that_of_a_loop(options):
    found = jax.nn.softmax(jax.jit(functools.partial(models.truncated, **options))(LOGITS))
    expected = np.array([by_loop(row, **options) for row in LOGITS])
    np.testing.assert_array_equal(np.asarray(found) > 0, expected > 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "options", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}]
)
def test_impossible_truncations_are_refused(options):
    with pytest.raises(UserError, match="temperature must be at least 0"):
        models.truncated(jnp.asarray(LOGITS), **options)


@pytest.fixture(scope="module")
def network():
    model = models.GPT(vocabulary=12, context=16, layers=2, heads=2, features=8)
    params = jax.jit(model.init)(jax.random.key(3), jnp.zeros((1, 4), int))
    return model, jax.tree.map(lambda leaf: 6 * leaf, params)


def continued(network, prompt, length, seed=0, **options):
    model, params = network

    @jax.jit
    def run(params, prompt, key):
        step = functools.partial(model.apply, params, method="decode")
        cache = model.start(prompt.shape[0], prompt.shape[1] + length)
        return models.generate(step, cache, prompt, length, key, **options)

    return np.asarray(run(params, prompt, jax.random.key(seed)))


def test_without_chance_it_is_the_most_probable_token_after_every_text(network):
    model, params = network
    prompt = jnp.array([[1, 7, 3], [5, 5, 0]])
    found = continued(network, prompt, 8, temperature=0.0)
    apply, text = jax.jit(model.apply), np.asarray(prompt)
    for place in range(8):
        padded = jnp.asarray(np.pad(text, ((0, 0), (0, 16 - text.shape[1]))))
        new = np.argmax(apply(params, padded)[:, text.shape[1] - 1], axis=-1)
        np.testing.assert_array_equal(found[:, place], new)
        text = np.concatenate([text, new[:, None]], axis=1)
    np.testing.assert_array_equal(found, continued(network, prompt, 8, seed=9, top_k=1))


def test_tokens_are_drawn_with_their_probabilities(network):
    """The first two tokens of 20,000 continuations of one prompt."""
    model, params = network
    prompt = jnp.broadcast_to(jnp.array([[1, 7, 3]]), (20_000, 3))
    found = continued(network, prompt, 2, temperature=0.8)
    apply = jax.jit(model.apply)
    first = by_loop(np.asarray(apply(params, prompt[:1])[0, -1]), 0.8)
    pairs = np.zeros((12, 12))
    for token in range(12):
        text = jnp.array([[1, 7, 3, token]])
        pairs[token] = first[token] * by_loop(np.asarray(apply(params, text)[0, -1]), 0.8)
    counts = np.bincount(found[:, 0] * 12 + found[:, 1], minlength=144).reshape(12, 12)
    deviation = (counts - 20_000 * pairs) / np.sqrt(20_000 * pairs * (1 - pairs))
    assert np.abs(deviation).max() < 5


def test_an_empty_prompt_is_refused(network):
    with pytest.raises(UserError, match="at least one token"):
        continued(network, jnp.zeros((1, 0), int), 2)


def test_beyond_the_cache_or_the_context_is_refused_and_not_clamped(network):
    """`dynamic_update_slice` would write every further token onto the last place."""
    model, params = network
    step, prompt = functools.partial(model.apply, params, method="decode"), jnp.zeros((1, 3), int)
    with pytest.raises(UserError, match="A cache of 7 places has no room for a prompt of 3 tokens"):
        models.generate(step, model.start(1, 7), prompt, 6, jax.random.key(0))
    # The last token is not read again, so one place less is enough.
    run = functools.partial(models.generate, step, model.start(1, 7), prompt, 5)
    assert jax.eval_shape(run, jax.random.key(0)).shape == (1, 5)
    with pytest.raises(UserError, match="17 tokens, prompt included, do not fit a context of 16"):
        continued(network, prompt, 14)
