"""Layers of transformers: PyTorch's numbers; the translator: masks, cache, padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.models.sequence import attention
from dlcourse.models.sequence.encoder_decoder import Transformer, sinusoids
from dlcourse.models.sequence.transformer import TransformerLayer
from tests import ROOT
from tests.fixtures.weights import draw

X, Y = jnp.asarray(draw("attention/x", (3, 5, 8))), jnp.asarray(draw("attention/y", (3, 7, 8)))
REAL = jnp.arange(7)[None] < jnp.array([7, 2, 4])[:, None]
close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=2e-5)


def attention_weights(name):
    kernels = np.split(draw(f"{name}.in_proj_weight", (24, 8)), 3)
    biases = np.split(draw(f"{name}.in_proj_bias", (24,)), 3)
    out = draw(f"{name}.out_proj.weight", (8, 8))
    return {
        part: {"kernel": w.T.reshape(8, 2, 4), "bias": b.reshape(2, 4)}
        for part, w, b in zip(("query", "key", "value"), kernels, biases, strict=True)
    } | {"out": {"kernel": out.T.reshape(2, 4, 8), "bias": draw(f"{name}.out_proj.bias", (8,))}}


def layer_weights(name, crosses):
    def dense(part, shape):
        return {"kernel": draw(f"{name}/{part}.weight", shape).T,
                "bias": draw(f"{name}/{part}.bias", shape[:1])}  # fmt: skip

    def norm(number):
        both = (draw(f"{name}/norm{number}.{part}", (8,)) for part in ("weight", "bias"))
        return dict(zip(("scale", "bias"), both, strict=True))

    weights = {
        "attention": attention_weights(f"{name}/self_attn"), "attention_norm": norm(1),
        "into": dense("linear1", (12, 8)), "out": dense("linear2", (8, 12)),
        "dense_norm": norm(3 if crosses else 2),
    }  # fmt: skip
    if crosses:
        weights["cross_attention"] = attention_weights(f"{name}/multihead_attn")
        weights["cross_norm"] = norm(2)
    return {"params": weights}


def test_layers_are_pytorchs():
    expected = dict(np.load(ROOT / "tests" / "fixtures" / "sequence.npz"))
    encoder = TransformerLayer(
        8, 2, 12, norm_first=False, activation=functools.partial(jax.nn.gelu, approximate=False)
    )
    decoder = TransformerLayer(8, 2, 12, crosses=True, activation=jax.nn.relu)

    @jax.jit
    def run(x, y):
        encoded, _ = encoder.apply(layer_weights("encoder", False), y, attention.real(REAL))
        weights = layer_weights("decoder", True)
        memory = decoder.apply(weights, y, method="remember")
        decoded, _ = decoder.apply(
            weights, x, attention.causal(5, 5), memory=memory, memory_mask=attention.real(REAL)
        )
        return encoded, decoded

    encoded, decoded = run(X, Y)
    close(np.asarray(encoded)[REAL], expected["layer/encoder"][REAL])
    close(decoded, expected["layer/decoder"])


@pytest.mark.parametrize("crosses", [False, True])
def test_counts(crosses):
    layer = TransformerLayer(8, 2, 12, crosses=crosses)

    def init(key, x, y):
        return layer.init(
            key, x, method=lambda m, x: m(x, memory=m.remember(x) if crosses else None)
        )

    params = jax.eval_shape(init, jax.random.key(0), X, Y)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == 4 * 64 + 2 * 8 * 12 + 9 * 8 + 12 + crosses * (4 * 64 + 6 * 8)


def test_sinusoids():
    found = sinusoids(jnp.arange(50), 8)
    place, wave = np.arange(50)[:, None], np.arange(4)
    angle = place / 10_000 ** (2 * wave / 8)
    np.testing.assert_allclose(found[:, ::2], np.sin(angle), atol=1e-5)
    np.testing.assert_allclose(found[:, 1::2], np.cos(angle), atol=1e-5)
    assert sinusoids(jnp.arange(3), 5).shape == (3, 5)


MODEL = Transformer(11, layers=2, heads=2, features=8, hidden=12, dropout=0.0)
SOURCE = jnp.array([[3, 4, 5, 6, 7], [8, 9, 0, 0, 0]])
TARGET = jnp.array([[1, 7, 6, 5], [1, 9, 8, 2]])


APPLY = jax.jit(MODEL.apply)


@pytest.fixture(scope="module")
def params():
    made = jax.jit(MODEL.init)(jax.random.key(0), {"source": SOURCE, "target": TARGET})
    return jax.tree.map(lambda leaf: 2 * leaf, made)


def logits_of(params, source, target):
    return APPLY(params, {"source": source, "target": target})


def test_the_cache_gives_what_the_whole_target_gives(params):
    decode = jax.jit(functools.partial(MODEL.apply, method="decode"))
    state, found = MODEL.apply(params, SOURCE, 6, method="start"), []
    for place in range(4):
        logits, state = decode(params, TARGET[:, place : place + 1], state, place)
        found.append(logits)
    close(np.concatenate(found, axis=1), logits_of(params, SOURCE, TARGET))


def test_padding_of_the_source_changes_nothing(params):
    whole = logits_of(params, SOURCE, TARGET)
    more = logits_of(params, jnp.pad(SOURCE, ((0, 0), (0, 3))), TARGET)
    close(more, whole)
    short = logits_of(params, SOURCE[1:, :2], TARGET[1:])
    close(short, whole[1:])


def test_the_target_sees_its_past_and_the_whole_source(params):
    whole = logits_of(params, SOURCE, TARGET)
    other = logits_of(params, SOURCE, TARGET.at[:, 2].set(10))
    np.testing.assert_array_equal(other[:, :2], whole[:, :2])
    assert np.all(np.any(other[:, 2:] != whole[:, 2:], axis=-1))
    changed = logits_of(params, SOURCE.at[0, 4].set(10), TARGET)
    assert np.all(np.any(changed[0] != whole[0], axis=-1))
    np.testing.assert_array_equal(changed[1], whole[1])
