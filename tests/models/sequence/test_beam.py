"""Beam search against greedy and exhaustive search."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.models.sequence.beam import beam_search, repeated

END, VOCABULARY, LENGTH = 2, 5, 3
FIRST = jnp.array([1, 3, 4, 0])
MODEL = models.GPT(vocabulary=VOCABULARY, context=8, layers=1, heads=2, features=8)


@pytest.fixture(scope="module")
def params():
    made = jax.jit(MODEL.init)(jax.random.key(5), jnp.zeros((1, 4), int))
    return jax.tree.map(lambda leaf: 8 * leaf, made)


@functools.cache
def searcher(beams, alpha, length=LENGTH):
    @jax.jit
    def search(params, first):
        step = functools.partial(MODEL.apply, params, method="decode")
        cache = repeated(MODEL.start(len(first), length), beams)
        return beam_search(step, cache, first, beams=beams, length=length, end=END, alpha=alpha)

    return search


def search(params, first, beams, alpha=0.6, length=LENGTH):
    return jax.tree.map(np.asarray, searcher(beams, alpha, length)(params, first))


@pytest.fixture(scope="module")
def every(params):
    """Each continuation of each first token, cut after its end, with its log-probability."""
    texts = np.array(list(itertools.product(range(VOCABULARY), repeat=LENGTH)))
    apply = jax.jit(MODEL.apply)
    found = []
    for first in np.asarray(FIRST):
        inputs = np.concatenate([np.full((len(texts), 1), first), texts[:, :-1]], axis=1)
        log_p = np.asarray(jax.nn.log_softmax(apply(params, jnp.asarray(inputs))), np.float64)
        steps = np.take_along_axis(log_p, texts[..., None], axis=-1)[..., 0]
        totals = {}
        for text, step in zip(texts, steps, strict=True):
            length = list(text).index(END) + 1 if END in text else LENGTH
            totals[tuple(text[:length])] = step[:length].sum()
        found.append(totals)
    return found


def penalty(text, alpha):
    return ((5 + len(text)) / 6) ** alpha


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_wide_beam_is_an_exhaustive_search(params, every, alpha):
    beams = search(params, FIRST, VOCABULARY**LENGTH, alpha)
    for row, totals in enumerate(every):
        ranked = sorted(totals, key=lambda text: -totals[text] / penalty(text, alpha))
        for place, text in enumerate(ranked[:5]):
            length = beams.lengths[row, place]
            assert tuple(beams.tokens[row, place, :length]) == text
            score = totals[text] / penalty(text, alpha)
            assert beams.scores[row, place] == pytest.approx(score, rel=1e-4)


def test_one_beam_is_the_greedy_search(params):
    beams = search(params, FIRST, 1, length=6)
    apply = jax.jit(MODEL.apply)
    for row, first in enumerate(np.asarray(FIRST)):
        text = [first]
        while len(text) <= 6 and text[-1] != END:
            padded = jnp.asarray([text + [0] * (7 - len(text))])
            text.append(int(np.argmax(apply(params, padded)[0, len(text) - 1])))
        length = beams.lengths[row, 0]
        assert text[1:] == list(beams.tokens[row, 0, :length])
        assert np.all(beams.tokens[row, 0, length:] == END)


def test_the_score_is_that_of_the_tokens(params, every):
    for alpha in (0.0, 1.0):
        beams = search(params, FIRST, 3, alpha)
        assert np.all(np.diff(beams.scores, axis=1) <= 0)
        for row, totals in enumerate(every):
            for tokens, score, length in zip(
                beams.tokens[row], beams.scores[row], beams.lengths[row], strict=True
            ):
                text = tuple(tokens[:length])
                assert score == pytest.approx(totals[text] / penalty(text, alpha), rel=1e-4)


def test_a_stronger_penalty_never_shortens(params):
    lengths = [
        search(params, FIRST, VOCABULARY**LENGTH, alpha).lengths[:, 0] for alpha in (0.0, 0.6, 8.0)
    ]
    assert np.all(np.diff(lengths, axis=0) >= 0)
    assert np.any(lengths[-1] > lengths[0])


def test_an_example_is_searched_alone(params):
    together = search(params, FIRST, 3)
    for row in range(len(FIRST)):
        alone = search(params, FIRST[row : row + 1], 3)
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)
