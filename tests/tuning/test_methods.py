"""What each method proposes: a function of its seed and of the trials so far."""

import numpy as np
import pytest

from dlcourse import tuning
from dlcourse.errors import UsageError
from dlcourse.tuning import methods
from dlcourse.tuning.trial import Trial


def test_a_random_point_is_a_function_of_seed_and_number():
    space = {"x": tuning.Uniform(0, 1), "y": tuning.LogUniform(1, 9)}
    random = methods.Random(space, 9, seed=3)
    whole = random.propose([], 100)
    assert len(whole) == 9
    known = [Trial(number, values) for number, values in enumerate(whole)]
    assert whole == [random.propose(known[:n], 1)[0] for n in range(9)]
    assert random.propose(known, 5) == []
    assert methods.Random(space, 9, seed=4).propose([], 1) != whole[:1]


def test_a_grid_is_the_largest_that_the_trials_allow():
    space = {
        "rate": tuning.LogUniform(1e-4, 1e-1),
        "hidden": tuning.Choice((8,), (9,)),
        "decay": tuning.Uniform(0, 1),
        "depth": tuning.Integer(1, 2),
    }
    grid = methods.Grid(space, 63)  # 3 x 2 x 3 x 2; a level more would be 64
    points = grid.propose([], 100)
    assert len(points) == grid.trials == 36
    assert len({tuple(point.values()) for point in points}) == 36
    assert sorted({point["rate"] for point in points}) == pytest.approx([1e-4, 10**-2.5, 1e-1])
    assert sorted({point["decay"] for point in points}) == [0, 0.5, 1]
    assert methods.Grid(space, 64).trials == 64
    # Nine that share what compiles follow each other.
    assert len({(point["hidden"], point["depth"]) for point in points[:9]}) == 1
    assert methods.Grid({"depth": tuning.Integer(1, 3)}, 50).trials == 3
    with pytest.raises(UsageError, match="at least 16 trials, got 15"):
        methods.Grid(space, 15)


def test_coarse_to_fine_narrows_around_the_best():
    space = {
        "x": tuning.LogUniform(1e-3, 1e3),
        "y": tuning.Uniform(0, 1),
        "z": tuning.Choice("a", "b", "c"),
    }
    method = methods.make_method("coarse-to-fine", space, 30, maximize=False, seed=1)
    known, best = [], {"x": 40.0, "y": 0.98, "z": "b"}
    for number, side in enumerate((1, 1 / 3, 1 / 9)):
        proposed = method.propose(known, 100)
        assert len(proposed) == 10  # not beyond the round: its results are not known
        if number:
            low, found = method.box(known, number)
            centre = np.array([space[name].position(best[name]) for name in space])
            assert found == pytest.approx(side)
            assert np.all((low <= centre) & (centre <= low + side))
            assert np.all((low >= 0) & (low + side <= 1 + 1e-12))
            for name, corner in zip(space, low, strict=True):
                places = np.array([space[name].position(values[name]) for values in proposed])
                if name != "z":
                    assert np.all((places >= corner - 1e-9) & (places <= corner + side + 1e-9))
            assert {values["z"] for values in proposed} == {"b"}
        for values in proposed:
            known.append(Trial(len(known), values, "complete", 1.0 + len(known)))
        if number == 0:
            known[4] = Trial(4, best, "complete", 0.5)
            known[5] = Trial(5, known[5].values, "diverged")
    assert method.propose(known, 100) == []


def height(values):
    """A valley at x = 10^1.2 and z = (3,)."""
    return float((np.log10(values["x"]) - 1.2) ** 2 + (values["z"] == (3,)))


def test_an_extended_bayesian_search_makes_the_proposals_of_a_longer_one():
    space = {"x": tuning.LogUniform(1e-3, 1e3), "z": tuning.Choice((1, 2), (3,))}

    def extended(*lengths):
        known = []
        for trials in lengths:
            method = methods.make_method("tpe", space, trials, maximize=False, seed=0)
            while proposed := method.propose(known, 4):
                for values in proposed:
                    known.append(Trial(len(known), values, "complete", height(values)))
            assert len(known) == trials
        return [trial.values for trial in known]

    whole = extended(21)
    for cut in (3, 14, 16, 20):
        assert extended(cut, 21) == whole
    assert extended(13, 15, 21) == whole


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_bayesian_search_finds_a_valley_and_repeats_itself(name):
    if name == "gp":
        pytest.importorskip("torch")
    space = {"x": tuning.LogUniform(1e-3, 1e3), "z": tuning.Choice((1, 2), (3,))}
    trials = {"tpe": 24, "gp": 16}[name]
    method = methods.make_method(name, space, trials, maximize=False, seed=0)

    known = []
    while proposed := method.propose(known, 4):
        if len(known) in (0, 12):
            assert proposed == method.propose(known, 4)
        assert len({point["x"] for point in proposed}) == len(proposed)
        for values in proposed:
            known.append(Trial(len(known), values, "complete", height(values)))
    assert len(known) == trials
    # Late trials lie lower than the ten random ones that begin.
    late, early = ([trial.value for trial in part] for part in (known[12:], known[:10]))
    assert np.median(late) < 0.5 * np.median(early)
