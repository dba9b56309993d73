"""Attribution: the axioms, closed forms, and methods against one another."""

import functools
import itertools
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis
from dlcourse.errors import UserError
from tests.analysis.networks import FEATURES, smooth_network

# With shap come its plots, which call what matplotlib is about to deprecate.
shap_import = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


# Shapley values


@functools.partial(jax.jit, static_argnums=0)
def shapley_values(model, example, background) -> jax.Array:
    return analysis.shapley_values(model, example, background)


def test_shapley_values_add_up(example, background) -> None:
    values = np.asarray(shapley_values(smooth_network, example, background))
    at_the_example = smooth_network(example[None])[0]
    explained = at_the_example - np.asarray(smooth_network(background)).mean(0)
    np.testing.assert_allclose(values.sum(0), explained, rtol=1e-6, atol=1e-5)


def test_shapley_values_are_the_mean_over_all_orders_of_arrival(example, background) -> None:
    """The other definition: what each feature adds on arrival, over the 120 orders."""

    @functools.cache
    def value(members) -> np.ndarray:
        known = np.isin(np.arange(FEATURES), [*members])
        mixed = np.where(known[None], example[None], background)
        return np.asarray(smooth_network(mixed)).mean(0)

    expected = np.zeros((FEATURES, 3))
    for order in itertools.permutations(range(FEATURES)):
        for place, feature in enumerate(order):
            before = frozenset(order[:place])
            expected[feature] += value(before | {feature}) - value(before)
    expected /= math.factorial(FEATURES)
    values = shapley_values(smooth_network, example, background)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-4)


def test_shapley_values_of_a_linear_model_are_its_terms(example, background) -> None:
    weights = np.arange(1, FEATURES + 1, dtype=np.float32)
    values = shapley_values(lambda x: x @ weights, example, background)
    terms = weights * (np.asarray(example) - np.asarray(background).mean(0))
    np.testing.assert_allclose(values, terms, rtol=1e-6, atol=1e-5)


def test_a_product_is_shared_equally_and_a_stranger_gets_nothing() -> None:
    values = shapley_values(
        lambda x: x[:, 0] * x[:, 1] + 0 * x[:, 2],
        np.array([3, 4, 5], np.float32),
        np.zeros((1, 3), np.float32),
    )
    np.testing.assert_allclose(values, [6.0, 6.0, 0.0], rtol=1e-6, atol=1e-6)


def test_too_many_features_for_exact_values_are_refused() -> None:
    with pytest.raises(UserError, match=r"13 features.*kernel_shap"):
        jax.eval_shape(
            functools.partial(analysis.shapley_values, smooth_network),
            np.zeros(13, np.float32),
            np.zeros((1, 13), np.float32),
        )


@shap_import
def test_kernel_shap_over_all_sets_finds_the_exact_values(example, background) -> None:
    values = analysis.kernel_shap(smooth_network, np.asarray(example)[None], np.asarray(background))
    exact = shapley_values(smooth_network, example, background)
    np.testing.assert_allclose(values[0], exact, atol=1e-3)


@shap_import
def test_kernel_shap_by_chance_adds_up_repeats_and_leaves_the_generator_alone() -> None:
    """14 features have 16,384 sets; 300 are drawn."""
    examples, background = np.random.default_rng(0).normal(size=(2, 2, 14)).astype(np.float32)

    def estimate(seed: int) -> np.ndarray:
        return analysis.kernel_shap(smooth_network, examples, background, samples=300, seed=seed)

    np.random.seed(123)
    first = estimate(0)
    after = np.random.random()
    np.random.seed(123)
    assert after == np.random.random()
    np.testing.assert_array_equal(first, estimate(0))
    assert np.abs(first - estimate(1)).max() > 1e-3
    at_the_examples, elsewhere = map(np.asarray, map(smooth_network, (examples, background)))
    explained = at_the_examples - elsewhere.mean(0)
    np.testing.assert_allclose(first.sum(1), explained, atol=1e-3)


# Patches


def patch_shapley_values(model, images, background, patch) -> jax.Array:
    """As one program."""
    explain = functools.partial(analysis.patch_shapley_values, model, patch=patch)
    return jax.jit(explain)(images, background)


def test_patches_of_a_linear_model_get_what_their_pixels_do(pictures, other_pictures) -> None:
    weights = np.random.default_rng(6).normal(size=(5, 7, 1)).astype(np.float32)
    patch = analysis.patches(5, 7, 2, 3)
    assert sorted(np.bincount(patch.ravel())) == [4, 4, 6, 6, 6, 9]
    values = patch_shapley_values(
        lambda x: jnp.einsum("bhwc,hwc->b", x, weights), pictures, other_pictures, patch
    )
    terms = (weights * (np.asarray(pictures) - np.asarray(other_pictures).mean(0))).sum(-1)
    expected = np.stack([terms[:, patch == k].sum(1) for k in range(6)], axis=1)
    np.testing.assert_allclose(values, expected, atol=1e-4)
    painted = analysis.over_pixels(np.asarray(values), patch)
    assert painted.shape == pictures.shape
    np.testing.assert_allclose(painted.sum((1, 2, 3)), terms.sum((1, 2)), atol=1e-4)


@shap_import
def test_kernel_shap_of_patches_finds_the_exact_values(pictures, other_pictures) -> None:
    patch = analysis.patches(5, 7, 3, 3)
    exact, estimate = (
        method(smooth_network, pictures, other_pictures, patch)
        for method in (patch_shapley_values, analysis.patch_kernel_shap)
    )
    assert estimate.shape == (3, 9, 3)
    np.testing.assert_allclose(estimate, exact, atol=1e-3)


def test_without_shap_the_way_out_is_told(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(UserError, match=r"pip install 'dlcourse\[attribution\]'"):
        analysis.kernel_shap(smooth_network, np.zeros((1, 5)), np.zeros((1, 5)))


# Gradients


# Deletion


# Figures
