"""The sequence benchmark: PyTorch's twins have as many weights, and a step of each runs."""

import jax
import pytest

from dlcourse.benchmark import sequence

NAMES = ("char LSTM", "GPT", "BiGRU classifier", "transformer")
# PyTorch keeps two biases of every gate of an LSTM, of which only the sum matters.
SURPLUS = {"char LSTM": 4 * 256}


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_has_the_same_number_of_weights(name):
    twins = pytest.importorskip("dlcourse.benchmark.twins")
    work = sequence.workloads()[name]
    params = jax.eval_shape(work.model.init, jax.random.key(0), work.batch["inputs"])["params"]
    ours = sum(leaf.size for leaf in jax.tree.leaves(params))
    theirs = sum(weight.numel() for weight in twins.TWINS[name]().parameters())
    assert theirs == ours + SURPLUS.get(name, 0)


def test_a_step_trains():
    work = sequence.workloads()["BiGRU classifier"]
    small = jax.tree.map(lambda array: array[:2], work.batch)
    sequence.our_step(sequence.Workload(sequence.BiGRU(8192, 3), small), steps=1)()
