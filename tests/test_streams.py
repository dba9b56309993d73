"""Keys derive from seed, name, step and example, and from nothing else."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import streams


def bits(keys):
    """The words of a key array, comparable in NumPy."""
    return np.asarray(jax.random.key_data(keys))


def test_seeds_names_and_steps_have_streams_of_their_own():
    keys = [
        bits(streams.at_step(streams.stream(seed, name), step))
        for seed, name, step in itertools.product((0, 1), ("init", "loss"), (0, 1, 2**31 - 1))
    ]
    assert len({tuple(key) for key in keys}) == 12


def test_a_stream_is_the_same_in_every_process():
    """Pinned: a changed derivation changes every trained model."""
    key = streams.at_step(streams.stream(3, "loss"), 5)
    assert bits(key).tolist() == [1431986224, 3523301873]


def test_an_example_keeps_its_key_in_any_batch():
    index = jnp.arange(1, 4000, 7)
    whole = bits(streams.of_examples("elbo", index))
    assert len(np.unique(whole, axis=0)) == len(index)
    cut = [streams.of_examples("elbo", index[i : i + 13]) for i in range(0, len(index), 13)]
    np.testing.assert_array_equal(np.concatenate([bits(part) for part in cut]), whole)
    padded = streams.of_examples("elbo", jnp.concatenate([index[::-1], index[:1], index[:1]]))
    np.testing.assert_array_equal(bits(padded)[: len(index)], whole[::-1])
    compiled = jax.jit(lambda index: streams.of_examples("elbo", index))(index)
    np.testing.assert_array_equal(bits(compiled), whole)


def test_an_examples_key_is_that_of_the_named_stream():
    keys = streams.of_examples("elbo", jnp.array([7, 0]))
    alone = streams.at_step(streams.stream(0, "elbo"), 7)
    np.testing.assert_array_equal(bits(keys)[0], bits(alone))
    assert not np.any(bits(streams.of_examples("attack", jnp.array([7, 0]))) == bits(keys))


def test_examples_draw_independent_samples():
    samples = jax.vmap(jax.random.normal)(streams.of_examples("elbo", jnp.arange(10_000)))
    # Four standard errors of mean, variance and the correlation of neighbours.
    assert abs(samples.mean()) < 4 / 100
    assert abs(samples.var() - 1) < 4 * 2**0.5 / 100
    assert abs(jnp.mean(samples[1:] * samples[:-1])) < 4 / 100
