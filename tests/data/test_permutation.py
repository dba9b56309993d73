"""Permutations by index: bijective, uniform, independent, and at a constant cost."""

import math
import tracemalloc

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data.permutation import permuted


def permutations(size, count, seed=0):
    """The permutations of this size for the epochs 0 .. count - 1: `[count, size]`."""
    epoch, index = np.divmod(np.arange(count * size), size)
    return permuted(index, size, seed, epoch).reshape(count, size)


def shuffled_by_numpy(size, count):
    """As many permutations from NumPy, which must pass the same tests."""
    return np.random.default_rng(0).permuted(np.tile(np.arange(size), (count, 1)), axis=1)


def chi_square(counts):
    """Pearson's statistic against equal counts, in standard deviations from its mean."""
    counts = np.ravel(counts)
    expected = counts.mean()
    degrees = counts.size - 1
    return (np.sum((counts - expected) ** 2) / expected - degrees) / math.sqrt(2 * degrees)


SIZES = [*range(1, 301), *(2**k + d for k in (10, 12, 14, 16) for d in (-1, 0, 1)), 10_007, 10**6]


def test_each_is_a_bijection():
    for size in SIZES:
        orders = permutations(size, 3 if size <= 300 else 1, seed=size)
        expected = np.broadcast_to(np.arange(size), orders.shape)
        np.testing.assert_array_equal(np.sort(orders), expected, err_msg=str(size))


@pytest.mark.parametrize("size", [10**9, 10**12 + 39, 2**62])
def test_a_huge_size_is_injective_and_uniform(size):
    first, last = np.arange(50_000), size - 1 - np.arange(50_000)
    image = permuted(np.concatenate([first, last]), size, 3, 0)
    assert len(np.unique(image)) == 100_000
    assert image.min() >= 0
    assert image.max() < size
    assert abs(chi_square(np.bincount(image // (size // 100 + 1), minlength=100))) < 4


@pytest.mark.parametrize("size", [5, 1000, 10_007])
def test_epochs_and_seeds_differ(size):
    orders = {
        tuple(permuted(np.arange(size), size, seed, epoch))
        for seed in (-1, 0, 1, 2**63, 2**40 + 1)
        for epoch in (0, 1, 2**31)
    }
    # Of 120 permutations 15 draws may repeat one.
    assert len(orders) == 15 if size > 5 else len(orders) > 10


def test_an_image_depends_on_index_seed_and_epoch_alone():
    index, epoch = np.divmod(np.arange(3 * 5003), 3)
    together = permuted(index, 5003, 11, epoch).reshape(5003, 3)
    for e in range(3):
        np.testing.assert_array_equal(together[:, e], permuted(np.arange(5003), 5003, 11, e))
        np.testing.assert_array_equal(together[[17], e], permuted(np.array([17]), 5003, 11, e))


def test_the_permutation_is_pinned():
    """From a separate implementation with Python's integers. A change reorders every run."""
    assert permuted(np.arange(11), 11, 0, 0).tolist() == [2, 8, 0, 9, 3, 1, 10, 7, 6, 4, 5]
    large = permuted(np.arange(5), 1_281_167, 2024, 89)
    assert large.tolist() == [441881, 125515, 481063, 511489, 835320]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_all_permutations_are_equally_likely(size):
    count = 240 * math.factorial(size)
    for orders in (permutations(size, count), shuffled_by_numpy(size, count)):
        _, counts = np.unique(orders @ size ** np.arange(size), return_counts=True)
        assert len(counts) == math.factorial(size)
        assert abs(chi_square(counts)) < 4


def test_seeds_make_all_permutations_equally_likely():
    orders = np.stack([permuted(np.arange(4), 4, seed, 0) for seed in range(720)])
    _, counts = np.unique(orders @ 4 ** np.arange(4), return_counts=True)
    assert len(counts) == 24
    assert abs(chi_square(counts)) < 4


@pytest.mark.parametrize("size", [7, 8, 9, 11, 25, 48])
def test_pairs_are_equally_likely(size):
    """The images of two indices, among them neighbours in one half of the network."""
    different = ~np.eye(size, dtype=bool)
    for orders in (permutations(size, 40_000), shuffled_by_numpy(size, 40_000)):
        for i, j in {(0, 1), (0, size - 1), (1, 1 + math.isqrt(size)), (size // 2, size - 2)}:
            counts = np.bincount(orders[:, i] * size + orders[:, j], minlength=size**2)
            assert abs(chi_square(counts.reshape(size, size)[different])) < 4.5


@pytest.mark.parametrize(("size", "count"), [(11, 5000), (300, 1000), (4095, 100), (4097, 100)])
def test_neighbours_and_epochs_are_independent(size, count):
    """Serial correlations, differences of neighbours and fixed points."""
    for orders in (permutations(size, count), shuffled_by_numpy(size, count)):
        centred = (orders - (size - 1) / 2) / math.sqrt((size**2 - 1) / 12)
        neighbours = np.mean(centred[:, 1:] * centred[:, :-1])
        # Without replacement, neighbours correlate by -1 / (size - 1).
        assert abs(neighbours + 1 / (size - 1)) < 4 / math.sqrt(orders.size)
        assert abs(np.mean(centred[1:] * centred[:-1])) < 4 / math.sqrt(orders.size)
        steps = np.bincount(((orders[:, 1:] - orders[:, :-1]) % size).ravel(), minlength=size)
        assert abs(chi_square(steps[1:])) < 4
        # The number of fixed points, and of agreements of two epochs, has mean and variance 1.
        assert abs(np.sum(orders == np.arange(size)) / count - 1) < 4 / math.sqrt(count)
        assert abs(np.sum(orders[1:] == orders[:-1]) / count - 1) < 4 / math.sqrt(count)


def test_memory_does_not_grow_with_the_set():
    """A batch of a set of 10^9 examples."""
    train = np.broadcast_to(np.int64(3), 10**9)  # a view of one number
    large = data.Dataset("large", {"x": np.zeros(4)}, {"train": train})
    large.batch_indices(0, 1, 256, seed=0)
    tracemalloc.start()
    batch = large.batch_indices(10**7, 16, 256, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch.shape == (16, 256)
    assert peak < 16 * 8 * batch.size  # sixteen arrays of the batch's size


def test_a_batch_may_span_many_epochs():
    tiny = data.Dataset("tiny", {"x": np.zeros(10)}, {"train": np.array([5, 7, 9])})
    indices = tiny.batch_indices(1, 2, 500, seed=0)
    assert indices.shape == (2, 500)
    epochs = np.sort(indices.ravel()[1 : 1 + 3 * 333].reshape(333, 3))  # position 500 ends an epoch
    np.testing.assert_array_equal(epochs, np.tile([5, 7, 9], (333, 1)))
    one = data.Dataset("one", {"x": np.zeros(5)}, {"train": np.array([4])})
    np.testing.assert_array_equal(one.batch_indices(3, 2, 5, seed=9), np.full((2, 5), 4))
