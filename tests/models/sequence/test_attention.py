"""Attention: PyTorch's numbers, masks, chunks, the cache."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.models.sequence import attention as attend
from dlcourse.models.sequence.attention import Cache, MultiHeadAttention, attention
from tests import ROOT
from tests.fixtures.weights import draw

X, Y = jnp.asarray(draw("attention/x", (3, 5, 8))), jnp.asarray(draw("attention/y", (3, 7, 8)))
REAL = jnp.arange(5)[None] < jnp.array([5, 2, 4])[:, None]
MODULE = MultiHeadAttention(8, 2)
close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)


@functools.cache
def fixture():
    return dict(np.load(ROOT / "tests" / "fixtures" / "sequence.npz"))


@functools.cache
def params():
    """PyTorch's weights, `[out, in]` with Q, K and V below each other, in our layout."""
    kernels = np.split(draw("attention/in_proj_weight", (24, 8)), 3)
    biases = np.split(draw("attention/in_proj_bias", (24,)), 3)
    out = draw("attention/out_proj.weight", (8, 8))
    return {
        name: {"kernel": w.T.reshape(8, 2, 4), "bias": b.reshape(2, 4)}
        for name, w, b in zip(("query", "key", "value"), kernels, biases, strict=True)
    } | {"out": {"kernel": out.T.reshape(2, 4, 8), "bias": draw("attention/out_proj.bias", (8,))}}


def test_it_is_pytorchs():
    @jax.jit
    def run(x, y):
        def total(x):
            (own, _), sown = MODULE.apply(
                {"params": params()}, x, attend.real(REAL), mutable="intermediates"
            )
            return jnp.sum(own * draw("attention/pull", (3, 5, 8))), (own, sown)

        dx, (own, sown) = jax.grad(total, has_aux=True)(x)
        memory = MODULE.apply({"params": params()}, y, method="remember")
        cross, _ = MODULE.apply({"params": params()}, x, memory=memory)
        return dx, own, cross, sown["intermediates"]["weights"][0]

    dx, own, cross, weights = run(X, Y)
    close(own, fixture()["attention/own"])
    close(cross, fixture()["attention/cross"])
    close(weights, fixture()["attention/weights"])
    close(dx, fixture()["attention/dx"])


def test_a_batch_in_chunks_is_pytorchs_causal_attention():
    q, k, v = (jnp.asarray(draw(f"attention/{n}", (8, 2, 6, 4))) for n in "qkv")
    assert q.shape[0] > attend.CHUNK
    found = jax.jit(attention)(q, k, v, attend.causal(6, 6))
    close(found, fixture()["attention/functional"])


def test_chunks_change_neither_result_nor_gradient(monkeypatch):
    q, k, v = (jnp.asarray(draw(f"attention/{n}", (8, 2, 6, 4))) for n in "qkv")
    mask = attend.real(jnp.arange(6)[None] < jnp.arange(8)[:, None])  # of the first, nothing

    def run():
        return jax.jit(
            jax.value_and_grad(lambda *a: jnp.sum(attention(*a, mask) ** 2), argnums=(0, 1, 2))
        )(q, k, v)

    chunked = run()
    monkeypatch.setattr(attend, "CHUNK", 3)  # does not divide 8
    chex.assert_trees_all_close(chunked, run(), rtol=1e-5, atol=1e-6)


def test_a_query_without_keys_is_finite():
    """Its output is 0; NaN must not reach the gradient of the others either."""
    mask = attend.real(jnp.zeros((3, 5), bool).at[0].set(True))
    q = jnp.asarray(draw("attention/q", (3, 2, 5, 4))) * 1e4

    @jax.jit
    def run(q):
        def total(q):
            found = attention(q, q, q, mask)
            return jnp.sum(found[0]), found

        return jax.grad(total, has_aux=True)(q)

    slope, found = run(q)
    assert np.isfinite(slope).all()
    assert np.isfinite(found).all()
    assert not np.any(found[1:])
    assert not np.any(slope[1:])


def test_a_padded_place_changes_no_real_one():
    apply = jax.jit(lambda x: MODULE.apply({"params": params()}, x, attend.real(REAL))[0])
    other = jnp.where(REAL[..., None], X, 1e6)
    np.testing.assert_array_equal(apply(X)[REAL], apply(other)[REAL])


def test_a_causal_mask_shows_nothing_of_what_comes():
    def at(place):
        def total(x):
            found, _ = MODULE.apply({"params": params()}, x, attend.causal(5, 5))
            return jnp.sum(found[:, place])

        return jax.grad(total)

    slopes = jax.jit(lambda x: [at(place)(x) for place in range(5)])(X)
    for place, slope in enumerate(slopes):
        assert np.all(np.any(np.asarray(slope[:, : place + 1]), axis=-1))
        assert not np.any(slope[:, place + 1 :])


@pytest.mark.parametrize("prompt", [1, 3, 5])
def test_the_cache_gives_what_the_whole_sequence_gives(prompt):
    """After a prompt of any length, place by place; its length may be more than is needed."""

    @jax.jit
    def decoded(x):
        cache = Cache(*jnp.zeros((2, 3, 2, 9, 4)))
        found, position = [], 0
        for length in (prompt, *[1] * (5 - prompt)):
            part = x[:, position : position + length]
            mask = attend.causal(length, 9, position)
            out, cache = MODULE.apply(
                {"params": params()}, part, mask, cache=cache, position=position
            )
            found.append(out)
            position += length
        return jnp.concatenate(found, axis=1)

    whole, _ = jax.jit(lambda x: MODULE.apply({"params": params()}, x, attend.causal(5, 5)))(X)
    close(decoded(X), whole)
