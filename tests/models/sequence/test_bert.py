"""BERT: published counts, padding, segments, the two tasks, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.errors import UserError
from dlcourse.models.sequence.bert import SIZES
from tests.models.variables import drawn

TOKENS = jnp.array([[2, 7, 5, 9, 3], [2, 4, 3, 0, 0]])
SEGMENTS = jnp.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]])
MODEL = models.BERTPretraining(models.BERT(11, 8, layers=2, heads=2, features=8))
TEXT = {"tokens": TOKENS, "segments": SEGMENTS}


@pytest.fixture(scope="module")
def params():
    return drawn(MODEL, TEXT)


@pytest.fixture(scope="module")
def encode():
    return jax.jit(
        lambda params, *text: MODEL.bert.apply({"params": params["params"]["bert"]}, *text)
    )


def count(model, batch):
    params = jax.eval_shape(model.init, jax.random.key(0), batch)
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("size", "weights"),
    [("base", 109_482_240), ("minilm-l6", 22_713_216)],
)
def test_counts_of_encoders_are_those_published(size, weights):
    assert count(models.BERT(30_522, 512, *SIZES[size]), TOKENS) == weights


@pytest.mark.parametrize(("size", "millions"), [("tiny", 4.4), ("mini", 11.3), ("small", 29.1)])
def test_counts_with_heads_are_those_published(size, millions):
    model = models.BERTPretraining(models.BERT(30_522, 512, *SIZES[size]))
    assert round(count(model, {"tokens": TOKENS}) / 1e6, 1) == millions


def test_distilbert_has_neither_segments_nor_pooler():
    bert = models.BERT(30_522, 512, *SIZES["distil"], has_segments=False, pools=False)
    assert count(bert, TOKENS) == 66_362_880
    assert "follows" not in jax.eval_shape(
        models.BERTPretraining(bert).init_with_output, jax.random.key(0), {"tokens": TOKENS}
    )[0]  # fmt: skip


def test_padding_changes_nothing(params, encode):
    whole = encode(params, TOKENS, SEGMENTS)
    more = encode(params, jnp.pad(TOKENS, ((0, 0), (0, 3))), jnp.pad(SEGMENTS, ((0, 0), (0, 3))))
    np.testing.assert_allclose(more.places[:, :5], whole.places, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(more.pooled, whole.pooled, rtol=1e-5, atol=1e-5)
    short = encode(params, TOKENS[1:, :3], SEGMENTS[1:, :3])
    np.testing.assert_allclose(short.places[0], whole.places[1, :3], rtol=1e-5, atol=1e-5)
    changed = encode(params, TOKENS, SEGMENTS.at[1, 3:].set(1))  # what stands in the padding
    np.testing.assert_array_equal(changed.places[1, :3], whole.places[1, :3])


def test_a_text_of_padding_alone_is_finite(params, encode):
    assert np.all(np.isfinite(encode(params, jnp.zeros_like(TOKENS)).places))


def test_every_place_sees_all_others_and_the_segments(params, encode):
    whole = encode(params, TOKENS, SEGMENTS).places
    for other in (
        encode(params, TOKENS.at[0, 4].set(10), SEGMENTS),
        encode(params, TOKENS, SEGMENTS.at[0, 3].set(0)),
    ):
        assert np.all(np.any(other.places[0] != whole[0], axis=-1))
    np.testing.assert_array_equal(
        encode(params, TOKENS).places, encode(params, TOKENS, jnp.zeros_like(TOKENS)).places
    )


def test_only_the_wanted_places_are_projected(params):
    places = jnp.array([[4, 1], [0, 2]])
    apply = jax.jit(MODEL.apply)
    every, some = apply(params, TEXT), apply(params, TEXT | {"places": places})
    expected = np.take_along_axis(np.asarray(every["masked"]), np.asarray(places)[..., None], 1)
    np.testing.assert_allclose(some["masked"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(some["follows"], every["follows"])
    assert some["masked"].shape == (2, 2, 11)
    assert every["follows"].shape == (2, 2)


def test_first_loss_is_that_of_guessing():
    model = models.BERTPretraining(models.BERT(211, 16, 1, 2, 64))
    tokens = jnp.asarray(np.random.default_rng(1).integers(1, 211, (4, 16)))
    logits, _ = jax.jit(model.init_with_output)(jax.random.key(0), {"tokens": tokens})
    log_p = jax.nn.log_softmax(logits["masked"])
    guessed = -jnp.take_along_axis(log_p, tokens[..., None], axis=-1)
    assert np.mean(guessed) == pytest.approx(np.log(211), abs=0.1)
    np.testing.assert_allclose(jax.nn.softmax(logits["follows"]), 0.5, atol=0.15)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="9 tokens do not fit a context of 8"):
        jax.eval_shape(MODEL.bert.init, jax.random.key(0), jnp.ones((1, 9), int))
    with pytest.raises(UserError, match="3 heads do not divide 8 features"):
        jax.eval_shape(models.BERT(11, 8, 1, 3, 8).init, jax.random.key(0), TOKENS)
