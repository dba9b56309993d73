"""Attribution: the axioms, closed forms, and methods against one another."""

import itertools
import math
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.analysis import attribution
from dlcourse.errors import UserError

FEATURES = 5

# With shap come its plots, which call what matplotlib is about to deprecate.
shap_import = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


def network(x) -> jax.Array:
    """Something smooth with interactions, of three outputs."""
    first, last = jax.random.split(jax.random.key(3))
    x = x.reshape(len(x), -1)
    hidden = jnp.tanh(x @ jax.random.normal(first, (x.shape[1], 11)))
    return hidden @ jax.random.normal(last, (11, 3))


def relu_network(x) -> jax.Array:
    """Kinks along the way, with weights of the size that networks have."""
    first, last = jax.random.split(jax.random.key(4))
    x = x.reshape(len(x), -1)
    hidden = jax.nn.relu(x @ jax.random.normal(first, (x.shape[1], 23)) / x.shape[1] ** 0.5)
    return (hidden @ jax.random.normal(last, (23, 1)))[:, 0] / 23**0.5


@pytest.fixture
def example(key) -> jax.Array:
    return jax.random.normal(key, (FEATURES,))


@pytest.fixture
def background() -> jax.Array:
    return jax.random.normal(jax.random.key(1), (7, FEATURES))


@pytest.fixture
def pictures() -> jax.Array:
    return jax.random.uniform(jax.random.key(2), (3, 5, 7, 1))


# Shapley values


def test_shapley_values_add_up(example, background) -> None:
    values = attribution.shapley_values(network, example, background)
    explained = network(example[None])[0] - network(background).mean(0)
    chex.assert_trees_all_close(values.sum(0), explained, atol=1e-5)


def test_shapley_values_are_the_mean_over_all_orders_of_arrival(example, background) -> None:
    """The other definition: what each feature adds on arrival, over the 120 orders."""

    def value(members) -> np.ndarray:
        known = np.isin(np.arange(FEATURES), members)
        return np.asarray(network(jnp.where(known[None], example[None], background)).mean(0))

    expected = np.zeros((FEATURES, 3))
    for order in itertools.permutations(range(FEATURES)):
        for place, feature in enumerate(order):
            expected[feature] += value(order[: place + 1]) - value(order[:place])
    expected /= math.factorial(FEATURES)
    values = attribution.shapley_values(network, example, background)
    chex.assert_trees_all_close(values, jnp.asarray(expected), atol=1e-4)


def test_shapley_values_of_a_linear_model_are_its_terms(example, background) -> None:
    weights = jnp.arange(1.0, FEATURES + 1)
    values = attribution.shapley_values(lambda x: x @ weights, example, background)
    chex.assert_trees_all_close(values, weights * (example - background.mean(0)), atol=1e-5)


def test_a_product_is_shared_equally_and_a_stranger_gets_nothing() -> None:
    values = attribution.shapley_values(
        lambda x: x[:, 0] * x[:, 1] + 0 * x[:, 2], jnp.array([3.0, 4.0, 5.0]), jnp.zeros((1, 3))
    )
    chex.assert_trees_all_close(values, jnp.array([6.0, 6.0, 0.0]), atol=1e-6)


def test_too_many_features_for_exact_values_are_refused() -> None:
    with pytest.raises(UserError, match=r"13 features.*kernel_shap"):
        attribution.shapley_values(network, jnp.zeros(13), jnp.zeros((1, 13)))


@shap_import
def test_kernel_shap_over_all_sets_finds_the_exact_values(example, background) -> None:
    values = attribution.kernel_shap(network, np.asarray(example)[None], np.asarray(background))
    exact = attribution.shapley_values(network, example, background)
    np.testing.assert_allclose(values[0], exact, atol=1e-3)


@shap_import
def test_kernel_shap_by_chance_adds_up_repeats_and_leaves_the_generator_alone() -> None:
    """14 features have 16,384 sets; 300 are drawn."""
    examples, background = np.random.default_rng(0).normal(size=(2, 2, 14)).astype(np.float32)

    def estimate(seed: int) -> np.ndarray:
        return attribution.kernel_shap(network, examples, background, samples=300, seed=seed)

    np.random.seed(123)
    first = estimate(0)
    after = np.random.random()
    np.random.seed(123)
    assert after == np.random.random()
    np.testing.assert_array_equal(first, estimate(0))
    assert np.abs(first - estimate(1)).max() > 1e-3
    explained = network(jnp.asarray(examples)) - network(jnp.asarray(background)).mean(
        0, keepdims=True
    )
    np.testing.assert_allclose(first.sum(1), explained, atol=1e-3)


# Patches


def test_patches_of_a_linear_model_get_what_their_pixels_do(pictures) -> None:
    background = jax.random.uniform(jax.random.key(5), (6, 5, 7, 1))
    weights = jax.random.normal(jax.random.key(6), (5, 7, 1))
    patch = attribution.patches(5, 7, 2, 3)
    assert sorted(np.bincount(patch.ravel())) == [4, 4, 6, 6, 6, 9]
    values = attribution.patch_shapley_values(
        lambda x: jnp.einsum("bhwc,hwc->b", x, weights), pictures, background, patch
    )
    terms = (weights[None] * (pictures - background.mean(0, keepdims=True))).sum(-1)
    expected = np.stack([terms[:, patch == k].sum(1) for k in range(6)], axis=1)
    np.testing.assert_allclose(values, expected, atol=1e-4)
    painted = attribution.over_pixels(np.asarray(values), patch)
    assert painted.shape == pictures.shape
    np.testing.assert_allclose(painted.sum((1, 2, 3)), terms.sum((1, 2)), atol=1e-4)


@shap_import
def test_kernel_shap_of_patches_finds_the_exact_values(pictures) -> None:
    background = jax.random.uniform(jax.random.key(5), (6, 5, 7, 1))
    patch = attribution.patches(5, 7, 3, 3)
    exact, estimate = (
        method(network, pictures, background, patch)
        for method in (attribution.patch_shapley_values, attribution.patch_kernel_shap)
    )
    assert estimate.shape == (3, 9, 3)
    np.testing.assert_allclose(estimate, exact, atol=1e-3)


def test_without_shap_the_way_out_is_told(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(UserError, match=r"pip install 'dlcourse\[attribution\]'"):
        attribution.kernel_shap(network, np.zeros((1, 5)), np.zeros((1, 5)))


# Gradients


@pytest.mark.parametrize("model", [lambda x: network(x)[:, 1], relu_network])
def test_integrated_gradients_are_complete(model, pictures) -> None:
    baseline = jnp.zeros(pictures.shape[1:])
    values = attribution.integrated_gradients(model, pictures, baseline, steps=256)
    explained = model(pictures) - model(baseline[None])
    chex.assert_trees_all_close(values.sum((1, 2, 3)), explained, atol=1e-3)


@pytest.mark.parametrize("model", [lambda x: network(x)[:, 1], relu_network])
def test_expected_gradients_are_complete(model, pictures) -> None:
    background = jax.random.uniform(jax.random.key(5), (6, 5, 7, 1))
    values = attribution.expected_gradients(model, pictures, background, steps=256)
    explained = model(pictures) - model(background).mean()
    chex.assert_trees_all_close(values.sum((1, 2, 3)), explained, atol=1e-3)


def test_gradients_of_a_quadratic_form_are_exact() -> None:
    """f = x·A x has the path integral (x - x') ∘ A (x + x') for a symmetric A."""
    a = jax.random.normal(jax.random.key(0), (FEATURES, FEATURES))
    a = a + a.T
    x, baselines = jax.random.normal(jax.random.key(1), (2, 4, FEATURES))

    def form(x) -> jax.Array:
        return jnp.einsum("bi,ij,bj->b", x, a, x)

    expected = jnp.stack([(x - each[None]) * ((x + each[None]) @ a) for each in baselines])
    one = attribution.integrated_gradients(form, x, baselines[0], steps=2)
    chex.assert_trees_all_close(one, expected[0], atol=1e-4)
    several = attribution.expected_gradients(form, x, baselines, steps=2)
    chex.assert_trees_all_close(several, expected.mean(0), atol=1e-4)


def test_without_interactions_expected_gradients_are_shapley_values(example, background) -> None:
    def additive(x) -> jax.Array:
        return jnp.sin(x) @ jnp.arange(1.0, FEATURES + 1)

    shapley = attribution.shapley_values(additive, example, background)
    gradients = attribution.expected_gradients(additive, example[None], background)
    chex.assert_trees_all_close(gradients[0], shapley, atol=1e-3)


def test_a_model_blind_to_a_pixel_gives_it_nothing(pictures) -> None:
    blind = pictures[..., 0].at[:, 2, 3].multiply(0)[..., None]
    mask = (blind == pictures)[0]
    values = attribution.integrated_gradients(
        lambda x: relu_network(x * mask[None]), pictures, jnp.full(pictures.shape[1:], 0.5)
    )
    assert not jnp.any(values[:, 2, 3])
    assert jnp.all(jnp.any(values != 0, axis=(1, 2, 3)))


# Deletion


def test_deletion_runs_from_the_whole_example_to_the_baseline(pictures) -> None:
    baseline = jnp.full(pictures.shape[1:], 0.3)
    curve = attribution.deletion_curve(relu_network, pictures, pictures, baseline, points=11)
    assert curve.share[0] == 0
    assert curve.share[-1] == 1
    assert curve.outputs.shape == (3, 11)
    np.testing.assert_allclose(curve.outputs[:, 0], relu_network(pictures), rtol=1e-5)
    np.testing.assert_allclose(curve.outputs[:, -1], relu_network(baseline[None])[0], rtol=1e-5)


def test_the_largest_go_first_one_by_one() -> None:
    weights = jnp.array([1.0, 4.0, 2.0])
    curve = attribution.deletion_curve(
        lambda x: x @ weights, jnp.ones((1, 3)), weights[None], jnp.zeros(3), points=4
    )
    np.testing.assert_allclose(curve.outputs, [[7, 3, 1, 0]])
    np.testing.assert_allclose(curve.area, [(7 / 2 + 3 + 1 + 0) / 3])


def test_no_order_of_a_linear_model_has_less_area_than_its_attributions() -> None:
    weights = jnp.array([0.5, -1.0, 2.0, 0.1, -0.3])
    baseline = jnp.zeros(FEATURES)

    def areas(values) -> np.ndarray:
        return attribution.deletion_curve(
            lambda x: x @ weights, jnp.ones_like(values), values, baseline, points=FEATURES + 1
        ).area

    values = attribution.integrated_gradients(
        lambda x: x @ weights, jnp.ones((1, FEATURES)), baseline
    )
    orders = jnp.array(list(itertools.permutations(range(FEATURES))), jnp.float32)
    best = areas(orders).min()
    assert areas(values)[0] == pytest.approx(best)
    assert areas(-values)[0] > best + 1


# Figures


def test_figures_say_what_they_show(pictures) -> None:
    pictures = np.asarray(pictures)
    values = np.random.default_rng(0).normal(size=(3, 2, 5, 7, 1))
    figure = attribution.draw_attributions(
        pictures, values, ["a", "b", "c"], ["cat", "dog"], "red for, blue against"
    )
    assert len(figure.axes) == 9
    assert [axis.get_title() for axis in figure.axes[:3]] == ["", "cat", "dog"]
    shown = figure.axes[2].images[1]
    np.testing.assert_allclose(shown.get_array(), values[0, 1, ..., 0])
    assert shown.get_clim()[1] == np.abs(values[0]).max()

    curve = attribution.DeletionCurve(np.array([0.0, 1.0]), np.array([[1.0, 0.0]]))
    figure = attribution.draw_deletion({"none": curve})
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "none, area 0.500"
