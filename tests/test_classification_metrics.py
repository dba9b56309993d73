"""Metrics of classifiers equal scikit-learn's, however the set is cut, padded and spread."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from scipy.special import softmax

from dlcourse import metrics
from dlcourse.errors import UsageError

NAMES = ("accuracy", "balanced_accuracy", "f1", "auroc", "top_5")
COUNT, SIZE = 397, 100  # the last batch has 97 examples


@functools.cache
def examples(classes, scale=2.0, confidence=2.0, labelled=None):
    """Logits that know the labels a little, and labels of which the first are frequent."""
    rng = np.random.default_rng(classes)
    frequency = 0.7 ** np.arange(labelled or classes)
    labels = rng.choice(len(frequency), COUNT, p=frequency / frequency.sum()).astype(np.int32)
    logits = scale * rng.normal(size=(COUNT, classes))
    logits[np.arange(COUNT), labels] += confidence
    return logits.astype(np.float32), labels


@jax.jit
def of_batches(logits, labels, masks):
    """The metrics of a set that is cut into batches, `[batches, size, ...]`."""

    def of_batch(logits, labels, mask):
        found = {
            name: metrics.mean(of(logits, labels), mask)
            for name, of in metrics.PER_EXAMPLE.items()
            if name != "top_5" or logits.shape[-1] > 5
        }
        return found | {name: of(logits, labels, mask) for name, of in metrics.OVER_SET.items()}

    found = jax.lax.map(lambda batch: of_batch(*batch), (logits, labels, masks))
    return jax.tree.map(lambda sums: sums.sum(0), found)


def measured(logits, labels, size=SIZE, padding=np.nan):
    missing = -len(labels) % size
    mask = np.arange(len(labels) + missing) < len(labels)
    logits = np.pad(logits, ((0, missing), (0, 0)), constant_values=padding)
    labels = np.pad(labels, (0, missing), constant_values=-7)
    cut = (a.reshape(-1, size, *a.shape[1:]) for a in (logits, labels, np.float32(mask)))
    return metrics.values(of_batches(*cut))


def expected(logits, labels):
    """By scikit-learn."""
    found, classes = logits.argmax(-1), np.arange(logits.shape[-1])
    scores = softmax(logits.astype(np.float64), axis=-1)
    several = {"multi_class": "ovr", "labels": classes} if len(classes) > 2 else {}
    by_name = {
        "accuracy": sklearn.metrics.accuracy_score(labels, found),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(labels, found),
        "f1": sklearn.metrics.f1_score(labels, found, average="macro"),
        "auroc": sklearn.metrics.roc_auc_score(
            labels, scores if several else scores[:, 1], **several
        ),
    }
    if len(classes) > 5:
        top = sklearn.metrics.top_k_accuracy_score(labels, scores, k=5, labels=classes)
        by_name["top_5"] = top
    return by_name


@pytest.mark.parametrize(
    ("classes", "scale", "confidence"), [(2, 2, 1), (7, 2, 2), (7, 0.05, 0.05), (7, 5, 8)]
)
def test_they_are_scikit_learns(classes, scale, confidence):
    """Trained, undecided and overconfident networks; the area alone is rounded to levels."""
    logits, labels = examples(classes, scale, confidence)
    found, right = measured(logits, labels), expected(logits, labels)
    assert found.keys() == right.keys()
    for name, value in right.items():
        np.testing.assert_allclose(found[name], value, atol=1e-3 if name == "auroc" else 1e-6)
    assert 0.05 < right["accuracy"] < 0.99  # not a case that anything would pass


def test_they_do_not_depend_on_the_batches_and_the_padding():
    logits, labels = examples(7)
    whole = measured(logits, labels)
    for size, padding in ((COUNT, 0.0), (SIZE, 5.0), (SIZE, np.inf)):
        cut = measured(logits, labels, size, padding)
        for name, value in whole.items():
            np.testing.assert_allclose(cut[name], value, rtol=1e-6)


def test_absent_classes_count_as_in_scikit_learn():
    """Recall is over the classes with labels; F1 also over those that are only predicted."""
    logits, labels = examples(7, labelled=4)
    found = logits.argmax(-1)
    assert {*labels} == {0, 1, 2, 3}
    assert {*found} > {*labels}
    values, several = measured(logits, labels), [0, 1, 2, 3]
    recall = sklearn.metrics.recall_score(labels, found, average="macro", labels=several)
    np.testing.assert_allclose(values["balanced_accuracy"], recall, rtol=1e-6)
    f1 = sklearn.metrics.f1_score(labels, found, average="macro")
    np.testing.assert_allclose(values["f1"], f1, rtol=1e-6)
    scores = softmax(logits.astype(np.float64), axis=-1)
    areas = [sklearn.metrics.roc_auc_score(labels == c, scores[:, c]) for c in several]
    np.testing.assert_allclose(values["auroc"], np.mean(areas), atol=1e-3)
    logits[:, 4:] = -np.inf  # a class that is neither labelled nor predicted
    f1 = sklearn.metrics.f1_score(labels, logits.argmax(-1), average="macro")
    np.testing.assert_allclose(measured(logits, labels)["f1"], f1, rtol=1e-6)


def test_ties_favour_no_class():
    """A network that says nothing: 5 of 7 labels by chance, and every pair of scores is a tie."""
    labels = examples(7)[1]
    values = measured(np.zeros((COUNT, 7), np.float32), labels)
    np.testing.assert_allclose(values["top_5"], 5 / 7, rtol=1e-6)
    np.testing.assert_allclose(values["auroc"], 0.5)
    logits = np.float32([[3, 2, 1, 0, 0, 0, -1]] * 3)  # two places left for three classes
    shares = jax.jit(metrics.top_5)(logits, np.array([2, 4, 6], np.int32))
    np.testing.assert_allclose(shares, [1, 2 / 3, 0], rtol=1e-6)


def test_the_score_is_the_log_odds_also_of_a_certain_network():
    """A probability that rounds to 1 would tie; its log-odds do not."""
    gaps = np.float32([30, 40, 50, 60])
    labels = np.int32([0, 1, 0, 1])
    logits = np.stack([gaps, 0 * gaps], axis=-1)
    assert (softmax(logits, axis=-1)[:, 0] == 1).all()
    assert measured(logits, labels)["auroc"] == 0.25


def test_a_nan_among_the_logits_is_a_nan_value():
    logits, labels = examples(7)
    broken = logits.copy()
    broken[3, 2] = np.nan
    for name, value in measured(broken, labels).items():
        assert np.isnan(value), name
    for name, value in measured(logits[:0], labels[:0], SIZE).items():
        assert np.isnan(value), name  # nothing was counted


def test_members_keep_their_own_values():
    logits, labels = examples(7)
    broken = np.full_like(logits, np.nan)
    members = np.stack([logits, broken, logits[:, ::-1]])

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def of_members(logits, labels):
        return {name: of(logits, labels) for name, of in metrics.OVER_SET.items()}

    found = metrics.values(of_members(members, labels))
    for name, values in found.items():
        alone = [measured(logits, labels)[name], np.nan, measured(logits[:, ::-1], labels)[name]]
        np.testing.assert_allclose(values, alone, rtol=1e-6)


def test_places_of_an_image_count_like_examples():
    logits, labels = (a[:396] for a in examples(7))
    mask = np.float32(np.arange(99) < 50)
    rooms = logits.reshape(99, 2, 2, 7), labels.reshape(99, 2, 2)
    over = {n: jax.jit(of)(*rooms, mask) for n, of in metrics.OVER_SET.items()}
    for name, value in metrics.values(over).items():
        np.testing.assert_allclose(value, measured(logits[:200], labels[:200])[name], rtol=1e-6)


def test_top_5_of_five_classes_is_refused():
    with pytest.raises(UsageError, match="top_5 needs at least 6 classes; there are 5"):
        metrics.top_5(jnp.zeros((3, 5)), jnp.zeros(3, jnp.int32))


def test_every_name_has_one_function():
    assert {*metrics.PER_EXAMPLE, *metrics.OVER_SET} == set(NAMES)
    assert not metrics.PER_EXAMPLE.keys() & metrics.OVER_SET.keys()
    assert metrics.Name.__args__ == NAMES
