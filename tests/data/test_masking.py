"""Hidden tokens: shares of all draws within three standard deviations, and what is never hidden."""

import jax
import numpy as np
import pytest

from dlcourse.data.masking import Masking

MASK, FIRST, SIZE = 4, 5, 205
TEXTS, LENGTH = 4_000, 64
# Units of one token, or of one to four; the places of units of each size are the same in all texts.
SIZES = (1, 2, 3, 4, 1, 1, 2, 3, 3, 2, 1, 4, 4, 3, 1, 2, 3, 1, 1, 2)


def texts(sizes):
    """A special token, units of these sizes, a special token, padding."""
    units = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    units = np.concatenate([[0], units, np.zeros(LENGTH - 1 - len(units))]).astype(np.int32)
    random = np.random.default_rng(0)
    tokens = random.integers(FIRST, SIZE, (TEXTS, LENGTH)).astype(np.int32)
    return np.where(units > 0, tokens, np.arange(LENGTH) % FIRST), units


@pytest.fixture(scope="module", params=["tokens", "units"])
def drawn(request):
    """The texts, their units, and what was drawn; `chosen` says of each token whether it was."""
    sizes = (1,) * 50 if request.param == "tokens" else SIZES
    tokens, units = texts(sizes)
    masking = Masking(MASK, FIRST, SIZE, max(sizes))
    keys = jax.random.split(jax.random.key(0), TEXTS)
    found = jax.jit(jax.vmap(masking, in_axes=(0, 0, None)))(keys, tokens, units)
    found = {name: np.asarray(array) for name, array in found.items()}
    chosen = np.zeros((TEXTS, LENGTH), bool)
    rows, entries = np.nonzero(found["weights"])
    chosen[rows, found["places"][rows, entries]] = True
    return masking, tokens, units, found, chosen


def within(share, of, count):
    """A share of `count` independent draws is within three standard deviations."""
    return abs(share - of) < 3 * np.sqrt(of * (1 - of) / count)


def test_15_percent_of_all_tokens_are_chosen(drawn):
    """And nearly so of units of each size: large ones come a little less often."""
    _, _, units, _, chosen = drawn
    assert within(chosen[:, units > 0].mean(), 0.15, TEXTS * (units > 0).sum())
    sizes = np.bincount(units)[units] * (units > 0)
    for size in set(sizes.tolist()) - {0}:
        assert chosen[:, sizes == size].mean() == pytest.approx(0.15, abs=0.03)


def test_the_number_of_chosen_tokens_varies_as_little_as_units_allow(drawn):
    masking, _, units, found, chosen = drawn
    counts, exact = chosen.sum(1), 0.15 * (units > 0).sum()
    np.testing.assert_array_equal(found["weights"].sum(1), counts)
    assert counts.min() > exact - masking.longest
    assert counts.max() < exact + masking.longest
    assert counts.max() <= masking.places(LENGTH) == found["places"].shape[1]


def test_of_the_chosen_80_percent_are_masked_10_random_10_as_they_were(drawn):
    """The known mistake: random tokens that `[MASK]` then overwrites."""
    _, tokens, _, found, chosen = drawn
    seen, original = found["tokens"][chosen], tokens[chosen]
    count = chosen.sum()
    assert within((seen == MASK).mean(), 0.8, count)
    # A random token is the original one in 1 of 200 draws.
    assert within((seen == original).mean(), 0.1 + 0.1 / (SIZE - FIRST), count)
    random = seen[(seen != MASK) & (seen != original)]
    assert random.min() >= FIRST
    counts = np.bincount(random, minlength=SIZE)[FIRST:]
    assert ((counts - counts.mean()) ** 2).sum() / counts.mean() < 200 + 5 * np.sqrt(400)


def test_no_other_token_changes_and_special_ones_never(drawn):
    _, tokens, units, found, chosen = drawn
    np.testing.assert_array_equal(found["tokens"][~chosen], tokens[~chosen])
    assert not chosen[:, units == 0].any()


def test_the_original_tokens_are_wanted(drawn):
    """Also token 0 and others that a test for truth would drop."""
    _, tokens, _, found, _ = drawn
    np.testing.assert_array_equal(
        found["wanted"], np.take_along_axis(tokens, found["places"], axis=1)
    )
    ordered = np.sort(found["places"], axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()


def test_units_are_chosen_as_a_whole(drawn):
    _, _, units, _, chosen = drawn
    for unit in range(1, units.max() + 1):
        tokens = chosen[:, units == unit]
        assert (tokens.all(1) == tokens.any(1)).all()


@pytest.fixture(scope="module")
def one():
    return jax.jit(Masking(MASK, FIRST, SIZE, 4))


def test_the_key_alone_says_what_is_hidden(one, key):
    tokens, units = texts(SIZES)
    first, again, other = (
        one(k, tokens[0], units)["tokens"] for k in (key, key, jax.random.key(1))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_text_of_special_tokens_has_nothing_to_hide(one, key):
    tokens, units = texts(SIZES)
    found = one(key, tokens[0], 0 * units)
    np.testing.assert_array_equal(found["tokens"], tokens[0])
    assert not found["weights"].any()
