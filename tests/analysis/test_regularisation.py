"""Regularisers against solutions in closed form, and the sets that make a model overfit."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, data, learners, losses, models, optim
from dlcourse.errors import UserError

M = 23


def fitted(x, y, optimizer, regularizer=None, steps=3000):
    """The kernel of a linear model without its bias, which is held at 0."""
    model = models.MLP((1,))
    learner = learners.supervised(
        model,
        losses.squared_error,
        optim.freeze(optimizer, "bias"),
        inputs="x",
        target="y",
        metrics_of={},
        regularizer=regularizer,
    )
    batch = {"x": jnp.asarray(x, jnp.float32), "y": jnp.asarray(y, jnp.float32)[:, None]}
    key = jax.random.key(0)

    def step(state, _):
        return learner.step(state, batch, key)[0], None

    state, _ = jax.jit(lambda s: jax.lax.scan(step, s, None, length=steps))(
        learner.init(key, batch)
    )
    return np.asarray(state.params["Dense_0"]["kernel"])[:, 0], state.params


@pytest.fixture
def regression():
    random = np.random.default_rng(0)
    x = random.normal(size=(M, 5))
    return x, x @ [2.0, -1.0, 0.0, 0.1, 0.5] + 0.1 * random.normal(size=M)


def test_l2_is_ridge_regression(regression):
    """`argmin 1/m ‖y - Xw‖² + λ/2m ‖w‖²  =  (XᵀX + λ/2 I)⁻¹ Xᵀy`."""
    x, y = regression
    w, _ = fitted(x, y, optim.sgd(0.1), lambda params: 30.0 / M * losses.l2(params))
    np.testing.assert_allclose(w, np.linalg.solve(x.T @ x + 15 * np.eye(5), x.T @ y), atol=1e-4)


def test_l1_is_soft_thresholding(regression):
    """With orthonormal columns `w_j = sign(c_j) max(|c_j| - λ/2, 0)`, `c = Xᵀy`."""
    x, y = regression
    x, _ = np.linalg.qr(x)
    c = x.T @ y
    threshold = np.sort(np.abs(c))[2] + 0.1  # three of the five are to vanish
    rate = optim.cosine_decay(1.0, 5000)
    penalty = lambda params: 2 * threshold / M * losses.l1(params)  # noqa: E731
    w, params = fitted(x, y, optim.sgd(rate), penalty, steps=5000)
    np.testing.assert_allclose(w, np.sign(c) * np.maximum(np.abs(c) - threshold, 0), atol=1e-3)
    assert analysis.share_of_zeros(analysis.kernel_entries(params)) == 0.6
    unpenalised, params = fitted(x, y, optim.sgd(rate), steps=5000)
    np.testing.assert_allclose(unpenalised, c, atol=1e-3)
    assert analysis.share_of_zeros(analysis.kernel_entries(params)) == 0.0


def test_only_kernels_are_looked_at():
    params = {"Dense_0": {"kernel": jnp.array([[0.0, 1e-4], [2.0, 3.0]]), "bias": jnp.zeros(2)}}
    np.testing.assert_allclose(analysis.kernel_entries(params), [0, 1e-4, 2, 3])
    assert analysis.share_of_zeros(analysis.kernel_entries(params)) == 0.5


def test_augmentation_is_for_training_alone(key):
    model = models.MLP((3,))
    plain = learners.supervised(model, losses.softmax_cross_entropy, optim.sgd(0.1))
    batch = {
        "image": jax.random.normal(key, (7, 4, 4, 1)),
        "label": jnp.arange(7) % 3,
        "index": jnp.arange(7),
    }
    state = plain.init(key, batch)
    negated = learners.augmented(plain, lambda key, b: b | {"image": -b["image"]})
    after, measured = negated.step(state, batch, key)
    expected, by_hand = plain.step(state, batch | {"image": -batch["image"]}, key)
    jax.tree.map(np.testing.assert_array_equal, (after, measured), (expected, by_hand))
    jax.tree.map(
        np.testing.assert_array_equal, negated.evaluate(state, batch), plain.evaluate(state, batch)
    )
    shift = functools.partial(data.augment.crop, padding=1)
    shifted = learners.augmented(plain, data.augment.per_example(shift))
    losses_seen = [
        shifted.step(state, batch, jax.random.key(k))[1]["loss"].value for k in (0, 0, 1)
    ]
    assert losses_seen[0] == losses_seen[1]
    assert losses_seen[0] != losses_seen[2]


def test_wrong_labels_are_wrong_and_only_in_training():
    digits = data.images("digits")
    train = digits.splits["train"]
    noisy = data.with_wrong_labels(digits, 0.2)
    differ = noisy.examples["label"] != digits.examples["label"]
    assert differ.sum() == differ[train].sum() == round(0.2 * len(train))
    assert set(noisy.examples["label"]) == set(range(10))
    again, other = data.with_wrong_labels(digits, 0.2), data.with_wrong_labels(digits, 0.2, seed=1)
    np.testing.assert_array_equal(noisy.examples["label"], again.examples["label"])
    assert (noisy.examples["label"] != other.examples["label"]).any()


@pytest.mark.parametrize(
    ("stream", "share", "message"), [(True, 0.2, "not in memory"), (False, 1.2, "between 0 and 1")]
)
def test_labels_that_cannot_be_made_wrong_are_said(stream, share, message):
    with pytest.raises(UserError, match=message):
        data.with_wrong_labels(data.images("digits", stream=stream), share)


def test_fewer_examples_are_part_of_more():
    digits = data.images("digits")
    few, more = (digits.with_fewer(count).splits for count in (20, 100))
    assert len(few["train"]) == len(set(few["train"])) == 20
    assert set(few["train"]) < set(more["train"]) < set(digits.splits["train"])
    np.testing.assert_array_equal(few["test"], digits.splits["test"])
    assert len(set(digits.examples["label"][more["train"]])) == 10
    for count in (0, 1201):
        with pytest.raises(UserError, match="'digits' has 1200"):
            digits.with_fewer(count)


def test_a_table_is_printed_and_written(tmp_path, capsys):
    rows = {
        "none": {"test": np.array([0.8, 0.9]), "zeros": "1%"},
        "one seed": {"test": np.array(0.5)},
    }
    analysis.report_measurements("accuracy", rows, tmp_path)
    printed = capsys.readouterr().out
    assert "0.85 ± 0.07" in printed
    assert "0.5 │" in printed
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["rows"]["none"]["test"]["values"] == [0.8, 0.9]
    assert table["rows"]["none"]["test"]["std"] == pytest.approx(0.0707, abs=1e-3)
    assert table["rows"]["one seed"] == {"test": {"mean": 0.5, "std": None, "values": [0.5]}}


def test_a_table_beside_its_references_says_which_are_reached(tmp_path, capsys):
    measured = {"a": np.array([0.01, 0.03]), "b": np.array([0.5]), "c": np.array([0.1])}
    references = {"a": 0.02, "b": 0.4}
    analysis.ResultTable("title", "error", measured, references, True).report(tmp_path)
    printed = capsys.readouterr().out
    assert "2.00% ± 1.41%" in printed
    table = json.loads((tmp_path / "table.json").read_text())
    assert [row["reached"] for row in table["rows"].values()] == [True, False, None]
    assert table["rows"]["a"]["std"] == pytest.approx(0.01414, abs=1e-5)
    assert (tmp_path / "table.png").stat().st_size > 1000


def test_the_figure_shows_curves_and_weights():
    steps = np.array([1, 2, 3])
    curves = {"none": (steps, np.ones((3, 2))), "L1": (steps, 2 * np.ones((3, 1)))}
    figure = analysis.draw_regularisers(curves, {"L1": np.array([0.0, 0.0, 0.5, -0.5])})
    above, below = figure.axes
    np.testing.assert_allclose([line.get_ydata() for line in above.lines], [[1] * 3, [2] * 3])
    assert "50%" in below.get_title()
