"""Recurrent cells and networks: PyTorch's numbers, padding, stacking, directions, memory."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.analysis.measure.through_time import gradient_through_time
from dlcourse.models.sequence import cells
from dlcourse.models.sequence.cells import CELLS
from dlcourse.models.sequence.recurrent import RecurrentLayer, SequenceNet, over_time, start
from tests import ROOT
from tests.fixtures.weights import draw

LENGTHS = jnp.array([7, 3, 1, 5])
INPUTS, WIDTH = 5, 6
X = jnp.asarray(draw("recurrent/x", (4, 7, INPUTS)))
KINDS = ("rnn", "lstm", "gru")


@functools.cache
def fixture():
    return dict(np.load(ROOT / "tests" / "fixtures" / "sequence.npz"))


def torch_weights(kind, layer, direction):
    """A layer's weights with PyTorch's names and shapes; the suffix `_reverse` marks backward."""
    gates = CELLS[kind].gates * WIDTH
    inputs = INPUTS if layer == 0 else 2 * WIDTH
    shapes = {"weight_ih": (gates, inputs), "weight_hh": (gates, WIDTH), "bias_ih": (gates,),
              "bias_hh": (gates,)}  # fmt: skip
    end = f"_l{layer}{direction}"
    return [draw(f"{kind}/{n}{end}/{n.split('_')[0]}", shape) for n, shape in shapes.items()]


def ours(kind):
    """Those weights in our layout: transposed, and the two biases summed where one is enough."""
    params = {}
    for number in range(4):
        layer, direction = number // 2, "_reverse" if number % 2 else ""
        w, u, b, b_u = torch_weights(kind, layer, direction)
        params[f"RecurrentLayer_{number}"] = {"kernel": w.T, "recurrent_kernel": u.T} | (
            {"bias": b, "recurrent_bias": b_u} if kind == "gru" else {"bias": b + b_u}
        )
    return params


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_carries_and_gradients_are_pytorchs(kind):
    model = models.Recurrent(kind, (WIDTH, WIDTH), bidirectional=True)
    pull = draw("recurrent/pull", (4, 7, 2 * WIDTH))

    @jax.jit
    def run(params, x):
        def total(params, x):
            outputs, carries = model.apply({"params": params}, x, LENGTHS)
            return jnp.sum(outputs * pull), (outputs, carries)

        slopes, found = jax.grad(total, argnums=(0, 1), has_aux=True)(params, x)
        return *found, *slopes

    outputs, carries, slopes, dx = run(ours(kind), X)
    expected = {name.split("/")[1]: v for name, v in fixture().items() if name.startswith(kind)}
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    close(outputs, expected["outputs"])
    close(np.stack([carry[0] for carry in carries]), expected["h"])
    if kind == "lstm":
        close(np.stack([carry[1] for carry in carries]), expected["c"])
    close(dx, expected["dx"])
    close(slopes["RecurrentLayer_0"]["kernel"].T, expected["dW"])
    close(slopes["RecurrentLayer_3"]["recurrent_kernel"].T, expected["dU"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_a_plain_loop(kind):
    """In both directions, with padding, of all weights, the inputs and the first carry."""
    cell, weights = CELLS[kind], jax.tree.map(jnp.asarray, ours(kind)["RecurrentLayer_0"])
    first = tuple(jnp.full((4, WIDTH), 0.1 * (k + 1)) for k in range(cell.states))

    def plain(weights, carry, x, reverse):
        outputs = [None] * 7
        for t in reversed(range(7)) if reverse else range(7):
            kept = (t < LENGTHS)[:, None]
            new = cell.step(weights, carry, x[:, t])
            carry = tuple(jnp.where(kept, n, old) for n, old in zip(new, carry, strict=True))
            outputs[t] = jnp.where(kept, carry[0], 0.0)
        return jnp.stack(outputs, 1), carry

    @jax.jit
    def slopes(*arrays):
        def total(outputs, carry):
            return jnp.sum(jnp.sin(3 * outputs)) + sum(jnp.sum(jnp.cos(state)) for state in carry)

        return [
            jax.grad(lambda *a, run=run, r=r: total(*run(*a, r)), argnums=(0, 1, 2))(*arrays)
            for r in (False, True)
            for run in (plain, lambda w, c, x, r: over_time(cell, w, c, x, LENGTHS, reverse=r))
        ]

    forward, ours_forward, backward, ours_backward = slopes(weights, first, X)
    chex.assert_trees_all_close(ours_forward, forward, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(ours_backward, backward, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing_bit_for_bit(kind):
    """However much there is of it and whatever it holds: outputs, carries, gradients."""
    model = models.Recurrent(kind, (WIDTH, 4), bidirectional=True)

    @jax.jit
    def run(params, x):
        def total(params):
            outputs, carries = model.apply({"params": params}, x, LENGTHS)
            return jnp.sum(outputs**2), (outputs, carries)

        return jax.grad(total, has_aux=True)(params)

    params = jax.jit(model.init)(jax.random.key(0), X)["params"]
    slopes, (outputs, carries) = run(params, X)
    padded = np.concatenate([X, np.full((4, 6, INPUTS), np.nan, np.float32)], axis=1)
    padded[np.arange(13) >= np.asarray(LENGTHS)[:, None]] = 1e9
    more_slopes, (more_outputs, more_carries) = run(params, jnp.asarray(padded))
    np.testing.assert_array_equal(more_outputs[:, :7], outputs)
    assert not np.any(more_outputs[:, 7:])
    chex.assert_trees_all_equal(more_carries, carries)
    chex.assert_trees_all_close(more_slopes, slopes, rtol=1e-6)
    for row in (1, 2):  # of three steps, of one
        length = LENGTHS[row]
        alone, last = jax.jit(model.apply)({"params": params}, X[row : row + 1, :length])
        np.testing.assert_allclose(outputs[row, :length], alone[0], rtol=1e-5, atol=1e-6)
        for carry, expected in zip(carries, last, strict=True):
            np.testing.assert_allclose(carry[0][row], expected[0][0], rtol=1e-5, atol=1e-6)


def test_a_sequence_of_length_zero_leaves_the_carry():
    model = RecurrentLayer("lstm", WIDTH)
    params = model.init(jax.random.key(0), X)
    carry = (jnp.full((4, WIDTH), 0.3), jnp.full((4, WIDTH), -0.7))
    outputs, after = model.apply(params, X, jnp.zeros(4, jnp.int32), carry)
    chex.assert_trees_all_equal(after, carry)
    assert not np.any(outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_composed_and_a_carry_continues_a_sequence(kind):
    model = models.Recurrent(kind, (WIDTH, 4, 3))
    params = jax.jit(model.init)(jax.random.key(0), X)

    @jax.jit
    def by_layers(params, x):
        for number, features in enumerate(model.features):
            layer = {"params": params["params"][f"RecurrentLayer_{number}"]}
            x, _ = RecurrentLayer(kind, features).apply(layer, x)
        return x

    apply = jax.jit(model.apply)
    outputs, carries = apply(params, X)
    np.testing.assert_allclose(outputs, by_layers(params, X), rtol=1e-6)
    first, middle = apply(params, X[:, :3])
    second, last = apply(params, X[:, 3:], None, middle)
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), outputs, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(last, carries, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "count"), [("rnn", 5 * 6 + 6 * 6 + 6), ("lstm", 4 * 72), ("gru", 3 * 78)]
)
def test_counts_and_first_weights(kind, count):
    """Orthogonal recurrent kernels in each gate; the forget gate of an LSTM begins open."""
    params = jax.jit(RecurrentLayer(kind, WIDTH).init)(jax.random.key(1), X)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count
    for block in np.split(params["recurrent_kernel"], CELLS[kind].gates, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(WIDTH), atol=1e-5)
    forget = np.zeros(count) if kind != "lstm" else params["bias"][WIDTH : 2 * WIDTH]
    assert np.all(forget == (kind == "lstm"))
    assert np.sum(params["bias"]) == (WIDTH if kind == "lstm" else 0)


def test_a_net_reads_the_last_real_place():
    at_end = SequenceNet("gru", (WIDTH,), 2, bidirectional=True)
    places = SequenceNet("gru", (WIDTH,), 2, "places", bidirectional=True)
    params = jax.jit(at_end.init)(jax.random.key(0), X)
    end = at_end.apply(params, X, LENGTHS)
    each = places.apply(params, X, LENGTHS)
    assert end.shape == (4, 2)
    assert each.shape == (4, 7, 2)
    only = np.flatnonzero(np.asarray(LENGTHS) == 1)  # there the last place is the first
    np.testing.assert_allclose(end[only], each[only, 0], rtol=1e-6)


def test_low_precision_keeps_the_memory_in_float32():
    model = models.Recurrent("lstm", (WIDTH,))
    params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), model.init(jax.random.key(0), X))
    outputs, ((h, c),) = model.apply(params, X.astype(jnp.bfloat16))
    assert outputs.dtype == h.dtype == jnp.bfloat16
    assert c.dtype == jnp.float32


def test_the_gradient_through_a_linear_network_is_a_power():
    """Of s, if the recurrent kernel is s times an orthogonal one, whatever the inputs."""
    cell = cells.LINEAR
    orthogonal = np.linalg.qr(draw("recurrent/q", (WIDTH, WIDTH)))[0]
    for scale in (0.9, 1.0, 1.2):
        weights = {"kernel": draw("w", (INPUTS, WIDTH)), "bias": np.zeros(WIDTH, np.float32),
                   "recurrent_kernel": scale * orthogonal}  # fmt: skip
        found = gradient_through_time(cell, weights, X, lambda h: jnp.sum(h**2, axis=-1))
        np.testing.assert_allclose(found, scale ** np.arange(6, -1, -1.0), rtol=1e-4)


def test_the_gradient_through_time_is_that_of_the_carry():
    """Against the Jacobians of single steps, multiplied one by one."""
    layer = RecurrentLayer("lstm", WIDTH)
    weights = layer.init(jax.random.key(0), X)["params"]
    carry, x = start("lstm", 1, WIDTH), X[:1]
    found = gradient_through_time(CELLS["lstm"], weights, x, lambda h: h[:, 0])

    def step(flat, x_t):
        new = CELLS["lstm"].step(weights, tuple(jnp.split(flat, 2, axis=-1)), x_t)
        return jnp.concatenate(new, axis=-1)

    flat, jacobians = jnp.zeros((1, 2 * WIDTH)), []
    jacobian = jax.jit(jax.jacobian(step))
    for t in range(7):
        jacobians.append(jacobian(flat, x[:, t])[0, :, 0])
        flat = step(flat, x[:, t])
    slope, norms = np.eye(2 * WIDTH)[0], []
    for j in reversed(jacobians):
        norms.append(np.linalg.norm(slope))
        slope = slope @ j
    np.testing.assert_allclose(found, np.array(norms[::-1]) / norms[0], rtol=1e-4)
    outputs, _ = over_time(CELLS["lstm"], weights, carry, x)
    np.testing.assert_allclose(flat[:, :WIDTH], outputs[:, -1], rtol=1e-5)
