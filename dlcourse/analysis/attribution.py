"""Attribution: how much each input counts for an output of a model, here, at this example.

Every method answers with values φ that add up to what they explain (completeness, or additivity):

    Σ_i φ_i(x) = f(x) - f(nothing known)

They differ in what they take for "nothing known", and in what they charge interactions to.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dlcourse.errors import UserError

# examples -> one output an example, or several
Model = Callable[[Array], Array]

MOST_FEATURES = 12


def shapley_values(
    model: Model,
    example: Float[Array, " features"],
    background: Float[Array, "background features"],
) -> Float[Array, "features *outputs"]:
    """Exact Shapley values, from all 2^n sets of features (Shapley, 1953; Lundberg and Lee, 2017).

        φ_i = Σ_{S without i} |S|! (n - |S| - 1)! / n!  [ v(S + i) - v(S) ]
        v(S) = mean over b of f(x on S, b elsewhere)

    They add up to `f(x) - mean_b f(b)`: what is not known is drawn from the background.

    Arguments:
        model: `[batch, features] -> [batch, *outputs]`.
        example: x.
        background: examples b that stand for what is usual.

    Raises:
        UserError: more than 12 features; a model would be asked more than 4,096 times over.
    """
    n = len(example)
    if n > MOST_FEATURES:
        raise UserError(
            f"Exact Shapley values of {n} features ask the model 2^{n} times; "
            f"above {MOST_FEATURES} take kernel_shap, or integrated_gradients."
        )
    # Row k is the set whose members are the bits of k.
    members = (np.arange(2**n)[:, None] >> np.arange(n)[None, :]) & 1

    def value(member: Array) -> Array:
        known = jnp.broadcast_to(member[None, :] == 1, background.shape)
        return jnp.mean(model(jnp.where(known, example[None, :], background)), axis=0)

    values = jax.lax.map(value, jnp.asarray(members), batch_size=64)
    sizes = members.sum(-1)
    weights = np.array([1 / (n * math.comb(n - 1, size)) for size in range(n)])
    shapley = []
    for i in range(n):
        without = np.flatnonzero(members[:, i] == 0)
        gained = values[without + 2**i] - values[without]
        shapley.append(jnp.tensordot(jnp.asarray(weights[sizes[without]], gained.dtype), gained, 1))
    return jnp.stack(shapley)


def kernel_shap(
    model: Model,
    examples: Float[np.ndarray, "n features"],
    background: Float[np.ndarray, "background features"],
    *,
    samples: int | str = "auto",
    seed: int = 0,
) -> Float[np.ndarray, "n features *outputs"]:
    """Shapley values estimated by the `shap` library (Lundberg and Lee, 2017, theorem 2).

        φ = argmin Σ_S k(S) ( v(S) - v(∅) - Σ_{i in S} φ_i )²,
        k(S) = (n - 1) / ( C(n, |S|) |S| (n - |S|) )

    under the condition that they add up: a regression on sets, all of them if `samples` allows,
    drawn by chance otherwise. The sets and v are those of `shapley_values`.

    Arguments:
        model: asked for many rows at once, in two shapes; `jax.jit` makes it quick.
        samples: how many sets for each example; "auto" is shap's `2 n + 2048`.
        seed: of the drawing. shap draws from NumPy's global generator, which is put back.

    Raises:
        UserError: shap is not installed.
    """
    try:
        import shap
    except ImportError as error:
        raise UserError(
            "Kernel SHAP needs the shap library: pip install 'dlcourse[attribution]'"
        ) from error

    explainer = shap.KernelExplainer(lambda x: np.asarray(model(jnp.asarray(x))), background)
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        # No penalty on the values: shap's default one would set small ones to zero.
        return explainer.shap_values(examples, nsamples=samples, l1_reg=False, silent=True)
    finally:
        np.random.set_state(before)


def patches(
    height: int, width: int, rows: int, columns: int
) -> Int[np.ndarray, "{height} {width}"]:
    """The number of the patch that each pixel belongs to, in a grid as even as it can be."""
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return row[:, None] * columns + column[None, :]


def patch_shapley_values(
    model: Model,
    images: Float[Array, "n height width channels"],
    background: Float[Array, "background height width channels"],
    patch: Int[np.ndarray, "height width"],
) -> Float[Array, "n patches *outputs"]:
    """Exact Shapley values of images cut into few patches: a patch is known as a whole or not.

    Arguments:
        model: `[batch, height, width, channels] -> [batch, *outputs]`.
        patch: of each pixel, from `patches`.

    Raises:
        UserError: more than 12 patches.
    """
    every = jnp.ones(int(patch.max()) + 1)

    def explain(image: Array) -> Array:
        game = functools.partial(_play, model, image, background, patch)
        return shapley_values(game, every, jnp.zeros_like(every)[None])

    return jax.lax.map(explain, images)


def patch_kernel_shap(
    model: Model,
    images: Float[Array, "n height width channels"],
    background: Float[Array, "background height width channels"],
    patch: Int[np.ndarray, "height width"],
) -> Float[np.ndarray, "n patches *outputs"]:
    """The same by `kernel_shap`, of any number of patches: each pixel may be one.

    Raises:
        UserError: shap is not installed.
    """
    play = jax.jit(lambda image, members: _play(model, image, background, patch, members))
    every = np.ones((1, int(patch.max()) + 1), np.float32)
    values = [
        kernel_shap(functools.partial(play, image), every, np.zeros_like(every)) for image in images
    ]
    return np.concatenate(values)


def over_pixels(
    values: Float[np.ndarray, "n patches"], patch: Int[np.ndarray, "height width"]
) -> Float[np.ndarray, "n height width 1"]:
    """The value of each patch shared out evenly to its pixels, so that the sum stays."""
    return (values / np.bincount(patch.ravel()))[:, patch, None]


def _play(
    model: Model, image: Array, background: Array, patch: np.ndarray, members: Array
) -> Array:
    """v of `shapley_values` for sets of patches, a row of zeros and ones each.

    So the image itself is a row of ones, and the background one row of zeros.
    """

    def value(member: Array) -> Array:
        known = member[patch][None, :, :, None] == 1
        return jnp.mean(model(jnp.where(known, image[None], background)), axis=0)

    return jax.lax.map(value, members, batch_size=32)


def integrated_gradients(
    model: Model,
    examples: Float[Array, "n *axes"],
    baseline: Float[Array, "*axes"],
    *,
    steps: int = 128,
) -> Float[Array, "n *axes"]:
    """The gradient averaged along the way from a baseline (Sundararajan et al., 2017).

        φ_i = (x_i - x'_i) ∫_0^1 ∂f/∂x_i (x' + t (x - x')) dt

    They add up to `f(x) - f(x')`, up to the error of the integral, here by the midpoint rule. Each
    kink of a ReLU on the way costs of the order of 1 / steps: for an MLP on digits whose logits
    differ by 15, the sum is off by 0.01 at 128 steps.

    Arguments:
        model: `[batch, *axes] -> [batch]`, one output: a class's logit, say.
        baseline: x', the example that says nothing: black, for ink on paper.
    """
    gradient = jax.grad(lambda x: jnp.sum(model(x)))
    offset = examples - baseline[None]

    def add(total: Array, t: Array) -> tuple[Array, None]:
        return total + gradient(baseline[None] + t * offset), None

    middles = (jnp.arange(steps) + 0.5) / steps
    total, _ = jax.lax.scan(add, jnp.zeros_like(offset), middles)
    return offset * total / steps


def expected_gradients(
    model: Model,
    examples: Float[Array, "n *axes"],
    background: Float[Array, "background *axes"],
    *,
    steps: int = 128,
) -> Float[Array, "n *axes"]:
    """Integrated gradients from many baselines, averaged (Erion et al., 2021).

        φ_i = E_{x'} [ (x_i - x'_i) ∫_0^1 ∂f/∂x_i (x' + t (x - x')) dt ]

    They add up to `f(x) - mean f(x')`, as Shapley values do: what is not known is drawn from the
    background, and no single image has to say nothing. The authors draw x' and t by chance; this
    takes every x' of the background and integrates over t, so that the sum comes out.
    """

    def add(total: Array, baseline: Array) -> tuple[Array, None]:
        return total + integrated_gradients(model, examples, baseline, steps=steps), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(examples), background)
    return total / len(background)


class DeletionCurve(NamedTuple):
    """What is left of an output as the inputs are taken away, those of most account first.

    Attributes:
        share: how much of the example is gone, from 0 to 1.
        outputs: the model's output then, for each example.
    """

    share: Float[np.ndarray, " points"]
    outputs: Float[np.ndarray, "n points"]

    @property
    def area(self) -> Float[np.ndarray, " n"]:
        """The area under each example's curve; the sooner the output falls, the smaller."""
        return np.trapezoid(self.outputs, self.share, axis=-1)


def deletion_curve(
    model: Model,
    examples: Float[Array, "n *axes"],
    attributions: Float[Array, "n *axes"],
    baseline: Float[Array, "*axes"],
    *,
    points: int = 21,
) -> DeletionCurve:
    """Puts the baseline in the place of one input after another (Petsiuk et al., 2018).

    If the values are right about what counts, the output falls faster than in any other order:
    compare the area with that of another method, or of random values.

    Arguments:
        model: `[batch, *axes] -> [batch]`, a class's probability, say.
        attributions: the order is from the highest to the lowest.
        points: how many times the model is asked, beginning with nothing gone.
    """
    flat = attributions.reshape(len(attributions), -1)
    rank = jnp.argsort(jnp.argsort(-flat, axis=-1), axis=-1).reshape(examples.shape)
    counts = np.round(np.linspace(0, flat.shape[1], points)).astype(int)
    left = jax.lax.map(
        lambda count: model(jnp.where(rank < count, baseline[None], examples)), jnp.asarray(counts)
    )
    return DeletionCurve(counts / flat.shape[1], np.asarray(left).T)


def draw_attributions(
    images: Float[np.ndarray, "n height width channels"],
    attributions: Float[np.ndarray, "n outputs height width channels"],
    titles: Sequence[str],
    outputs: Sequence[str],
    caption: str,
) -> Any:
    """An image a row, an output a column: what speaks for the output in red, against it in blue.

    Colours have one scale within a row, so that columns compare. The image lies faintly beneath.

    Arguments:
        attributions: those of an image for several outputs, or by several methods.
        titles: what stands before each row.
        outputs: what stands above each column.
        caption: what stands above all.
    """
    from matplotlib.figure import Figure

    rows, columns = attributions.shape[:2]
    size = min(1.0, 12 / (columns + 1))
    figure = Figure(figsize=(size * (columns + 1) + 0.6, size * rows + 0.9), layout="constrained")
    figure.suptitle(caption, fontsize=10)
    panels = figure.subplots(rows, columns + 1, squeeze=False)
    for row, title in enumerate(titles):
        grey = images[row].mean(-1)
        values = attributions[row].sum(-1)
        most = max(np.abs(values).max(), 1e-12)
        panels[row, 0].imshow(images[row].squeeze(), cmap="gray_r", vmin=0, vmax=1)
        panels[row, 0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        for column in range(columns):
            panel = panels[row, column + 1]
            panel.imshow(grey, cmap="gray_r", vmin=0, vmax=3)
            panel.imshow(values[column], cmap="bwr", vmin=-most, vmax=most, alpha=0.75)
            if row == 0:
                panel.set_title(outputs[column], fontsize=9)
    for panel in panels.flat:
        panel.set_xticks([])
        panel.set_yticks([])
    return figure


def draw_deletion(curves: Mapping[str, DeletionCurve], output: str = "output") -> Any:
    """The mean deletion curve of each method over the examples, and its area.

    Arguments:
        output: what the model's output is.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.6), layout="constrained")
    panel = figure.subplots()
    for i, (name, curve) in enumerate(curves.items()):
        style = ("-", "--", ":", "-.")[i % 4]  # lines that lie on each other stay apart
        label = f"{name}, area {curve.area.mean():.3f}"
        panel.plot(100 * curve.share, curve.outputs.mean(0), style, label=label)
    panel.set_xlabel("inputs taken away, those of most account first (%)")
    panel.set_ylabel(f"{output}, mean over examples")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return figure
