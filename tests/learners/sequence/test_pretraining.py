"""Pretraining BERT: two exact means, at any batch size and with micro-batches; masks drawn anew."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, metrics, models, optim, streams
from dlcourse.data.pairs import ELSEWHERE, FOLLOWS, SAME_DOCUMENT, pairs, split_documents
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.learner import Policy, Rule

LENGTH = 24


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    words = ["the", "sea", "a", "hill", "runs", "King", "Edward", "sleeps", "far", "near"]
    said = lambda: " ".join(random.choice(words, random.integers(2, 8))) + "."  # noqa: E731
    splits = split_documents([[said() for _ in range(12)] for _ in range(30)])
    tokenizer = Tokenizer.word_pieces([" ".join(words), "."], 60)
    return pairs("made up", splits, tokenizer, length=LENGTH, level="phrase")


def learner_of(texts, **policy):
    bert = models.BERT(texts.tokenizer.size, LENGTH, 1, 2, 8, dropout=0.0)
    rule = Rule(optim.adam(1e-2), Policy(**policy))
    return learners.pretraining(models.BERTPretraining(bert), rule, texts.masking)


@pytest.fixture(scope="module")
def learned(texts):
    learner = learner_of(texts)
    state = jax.jit(learner.init)(jax.random.key(0), texts.batch(0, 4, seed=0))
    return learner, state.replace(params=jax.tree.map(lambda w: 3 * w, state.params))


def means(logits, answers):
    logits = np.asarray(logits, np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, answers[..., None], -1)[..., 0], logits.argmax(-1) == answers


def test_the_metrics_of_a_split_are_exact_at_any_batch_size(learned, texts):
    learner, state = learned
    numbers = texts.splits["test"]
    batch = texts.read(numbers)
    keys = streams.of_examples("masked tokens", jnp.asarray(batch["index"]))
    hidden = jax.jit(jax.vmap(texts.masking))(keys, batch["tokens"], batch["units"])
    given = {name: hidden[name] for name in ("tokens", "places")}
    given["segments"] = batch["segments"]
    logits = jax.jit(learner.apply)(state, given, jax.random.key(0))
    kind, counted = batch["kind"], np.asarray(hidden["weights"]) > 0
    mlm, right = means(logits["masked"], np.asarray(hidden["wanted"]))
    nsp, decided = means(logits["follows"], (kind != FOLLOWS).astype(int))
    usual, harder = kind != SAME_DOCUMENT, kind != ELSEWHERE
    expected = {
        "mlm_loss": mlm[usual][counted[usual]].mean(),
        "mlm_accuracy": right[usual][counted[usual]].mean(),
        "nsp_loss": nsp[usual].mean(),
        "nsp_accuracy": decided[usual].mean(),
        "nsp_accuracy_same_document": decided[harder].mean(),
    }
    evaluate = jax.jit(learner.evaluate)
    assert len(numbers) % 7
    batches = zip(*texts.padded("test", 7), strict=True)
    sums = [evaluate(state, texts.read(index) | {"mask": mask}) for index, mask in batches]
    found = metrics.values(functools.reduce(functools.partial(jax.tree.map, jnp.add), sums))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


def test_micro_batches_give_the_step_of_the_whole_batch(learned, texts):
    """Though they differ in the number of hidden tokens."""
    learner, state = learned
    batch, key = texts.batch(0, 12, seed=0), jax.random.key(1)
    after, measured = jax.jit(learner.step)(state, batch, key)
    by_parts, also = jax.jit(learner_of(texts, accumulate=4).step)(state, batch, key)
    found, expected = metrics.values(also), metrics.values(measured)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name
    assert expected["loss"] == pytest.approx(expected["mlm_loss"] + expected["nsp_loss"], rel=1e-5)
    for a, b in zip(jax.tree.leaves(after.params), jax.tree.leaves(by_parts.params), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)  # Adam magnifies rounding where slopes are 0
    slopes = after.opt_state, by_parts.opt_state
    for a, b in zip(*map(jax.tree.leaves, slopes), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    # Another key hides other tokens of the same batch.
    _, other = jax.jit(learner.step)(state, batch, jax.random.key(2))
    assert metrics.values(other)["mlm_loss"] != expected["mlm_loss"]
