"""The recurrent translator: its attention by a loop, its cache, padding, and counts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.errors import UserError
from dlcourse.models import Seq2Seq
from dlcourse.models.sequence.encoder_decoder import PADDING

V, D = 11, 6
SOURCE = jnp.array([[3, 4, 5, 6, 7], [8, 9, PADDING, PADDING, PADDING]])
TARGET = jnp.array([[1, 7, 6, 5], [1, 9, 8, 2]])
PAIR = {"source": SOURCE, "target": TARGET}
KINDS = [("gru", True), ("lstm", True), ("gru", False)]


def network(kind, dropout=0.0):
    return Seq2Seq(V, kind[0], D, attends=kind[1], dropout=dropout)


@functools.cache
def weights(kind):
    made = jax.jit(network(kind).init)(jax.random.key(0), PAIR)
    return jax.tree.map(lambda leaf: 1.5 * leaf, made)


@functools.cache
def compiled(kind):
    return jax.jit(network(kind).apply)


def logits_of(kind, source, target):
    pair = {"source": jnp.asarray(source), "target": jnp.asarray(target)}
    return np.asarray(compiled(kind)(weights(kind), pair))


@pytest.fixture(params=KINDS, ids=["GRU with attention", "LSTM with attention", "GRU"])
def kind(request):
    return request.param


def test_attention_by_a_loop():
    kind = KINDS[0]
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), weights(kind))["params"]
    state, sown = jax.jit(lambda w: network(kind).apply(w, PAIR, mutable="intermediates"))(
        weights(kind)
    )
    found = sown["intermediates"]["weights"][0]
    begin = jax.jit(lambda w: network(kind).apply(w, SOURCE, 4, method="start"))(weights(kind))
    encoded = np.asarray(begin.encoded, np.float64)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for row, length in enumerate((5, 2)):
        s = np.asarray(begin.carry[0][row], np.float64)
        for place, token in enumerate(np.asarray(TARGET[row])):
            e = [
                params["score"]
                @ np.tanh(s @ params["query"] + encoded[row, j] @ params["key"]["kernel"])
                for j in range(length)
            ]
            alpha = np.exp(e) / np.sum(np.exp(e))
            np.testing.assert_allclose(found[row, place, :length], alpha, rtol=1e-4)
            np.testing.assert_array_equal(found[row, place, length:], 0.0)
            context = sum(a * h for a, h in zip(alpha, encoded[row], strict=False))
            y = params["token"]["embedding"][token] * np.sqrt(D)
            x = np.concatenate([y, context]) @ params["kernel"] + params["bias"]
            h = s @ params["recurrent_kernel"] + params["recurrent_bias"]
            (r, z, n), (r_h, z_h, n_h) = np.split(x, 3), np.split(h, 3)
            z = sigmoid(z + z_h)
            s = (1 - z) * np.tanh(n + sigmoid(r + r_h) * n_h) + z * s
            last = np.concatenate([s, context, y]) @ params["readout"]["kernel"]
            last = np.tanh(last + params["readout"]["bias"])
            expected = last @ params["token"]["embedding"].T
            np.testing.assert_allclose(state[row, place], expected, rtol=1e-3, atol=1e-5)


def test_the_cache_gives_what_the_whole_target_gives(kind):
    start, decode = (
        jax.jit(functools.partial(network(kind).apply, method=name), static_argnames="length")
        for name in ("start", "decode")
    )
    state, found = start(weights(kind), SOURCE, length=4), []
    for place in range(4):
        logits, state = decode(weights(kind), TARGET[:, place : place + 1], state, place)
        found.append(logits)
    np.testing.assert_allclose(
        np.concatenate(found, axis=1), logits_of(kind, SOURCE, TARGET), rtol=1e-4, atol=1e-5
    )


def test_padding_of_the_source_changes_nothing(kind):
    """Bit for bit; with attention, XLA groups the terms of a longer sum otherwise."""
    whole = logits_of(kind, SOURCE, TARGET)
    padded = logits_of(kind, np.pad(SOURCE, ((0, 0), (0, 3))), TARGET)
    np.testing.assert_allclose(padded, whole, rtol=1e-5, atol=1e-6)
    if not kind[1]:
        np.testing.assert_array_equal(padded, whole)


def test_the_target_sees_its_past_and_the_whole_source(kind):
    whole = logits_of(kind, SOURCE, TARGET)
    other = logits_of(kind, SOURCE, TARGET.at[:, 2].set(10))
    np.testing.assert_array_equal(other[:, :2], whole[:, :2])
    assert np.all(np.any(other[:, 2:] != whole[:, 2:], axis=-1))
    changed = logits_of(kind, SOURCE.at[0, 4].set(10), TARGET)
    assert np.all(np.any(changed[0] != whole[0], axis=-1))
    np.testing.assert_array_equal(changed[1], whole[1])


def test_a_source_without_tokens_is_finite(kind):
    empty = jnp.zeros((2, 3), int)

    def total(params):
        pair = {"source": empty, "target": TARGET}
        return jnp.sum(network(kind).apply(params, pair) ** 2)

    value, slopes = jax.jit(jax.value_and_grad(total))(weights(kind))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((value, slopes)))


def test_several_pairs_in_an_example_are_refused():
    pair = PAIR | {"source_segment": SOURCE, "target_segment": TARGET}
    with pytest.raises(UserError, match="Leave --pack out"):
        jax.eval_shape(network(KINDS[0]).init, jax.random.key(0), pair)


def test_counts():
    for attends, count in ((True, V * D + 33 * D**2 + 21 * D), (False, V * D + 30 * D**2 + 20 * D)):
        params = jax.eval_shape(network(("gru", attends)).init, jax.random.key(0), PAIR)
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_dropout_needs_its_key_in_training_only():
    model = network(KINDS[0], dropout=0.5)
    run = jax.jit(lambda w, key: model.apply(w, PAIR, train=True, rngs={"dropout": key}))
    first, second = (run(weights(KINDS[0]), jax.random.key(n)) for n in (0, 1))
    assert np.any(first != second)
    np.testing.assert_array_equal(
        model.apply(weights(KINDS[0]), PAIR), network(KINDS[0]).apply(weights(KINDS[0]), PAIR)
    )
