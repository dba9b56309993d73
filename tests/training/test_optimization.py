"""The options of the optimizer: what they do to a run, what it logs of them, and their refusal."""

import dataclasses
import json

import numpy as np
import pytest

from dlcourse import learners, losses, models, optim, training
from dlcourse.errors import UsageError
from tests.kinds import Config, digits
from tests.plain import Config as Plain

pytestmark = pytest.mark.usefixtures("without_curves")


@dataclasses.dataclass(frozen=True)
class Descent(Config):
    """Plain gradient descent, logged at every step."""

    optimizer: optim.Optimizer = "sgd"
    learning_rate: float = 0.2
    steps: int | None = 8
    log_every: str = "1 steps"
    evaluate_every: str = "100%"
    checkpoint_every: str = "100%"


def experiment(config):
    rule = config.rule(digits())
    learner = learners.supervised(models.MLP((10,)), losses.softmax_cross_entropy, rule)
    return training.Experiment(learner, digits())


def train(folder, **options):
    """The state after each step, and what it logged; the first state has no row."""
    config = Descent(workdir=folder, **options)
    done = training.run(experiment, config, name="descent", silent=True)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return done.state, [row for row in rows if row["split"] == "train"]


def test_the_rate_of_every_step_is_logged(tmp_path):
    _, rows = train(tmp_path, schedule="linear", warmup="3 steps")
    expected = 0.2 * np.array([1 / 4, 2 / 4, 3 / 4, 1, 0.8, 0.6, 0.4, 0.2])
    np.testing.assert_allclose([row["learning_rate"] for row in rows], expected, rtol=1e-6)


def test_the_norm_of_the_gradient_is_logged_before_clipping(tmp_path):
    """Of one step of descent it is the length of the step over the rate."""
    first, rows = train(tmp_path / "free", steps=1)
    clipped, same = train(tmp_path / "clipped", steps=1, clip=0.5)
    start, _ = train(tmp_path / "start", steps=1, learning_rate=0.0)

    def moved(state):
        leaves = [
            np.ravel(state.params["Dense_0"][name] - start.params["Dense_0"][name])
            for name in ("kernel", "bias")
        ]
        return np.linalg.norm(np.concatenate(leaves))

    norm = rows[0]["gradient_norm"]
    assert norm == pytest.approx(moved(first) / 0.2, rel=1e-5)
    assert same[0]["gradient_norm"] == norm > 0.5
    assert moved(clipped) == pytest.approx(0.5 * 0.2, rel=1e-5)


def test_frozen_weights_are_not_in_the_norm(tmp_path):
    _, free = train(tmp_path / "free", steps=1)
    parts = [train(tmp_path / name, steps=1, freeze=name)[1] for name in ("kernel", "bias")]
    whole, *others = (rows[0]["gradient_norm"] for rows in (free, *parts))
    assert np.hypot(*others) == pytest.approx(whole, rel=1e-5)


def test_weight_decay_shrinks_kernels_alone(tmp_path):
    plain, _ = train(tmp_path / "plain", steps=1)
    decayed, _ = train(tmp_path / "decayed", steps=1, weight_decay=0.5)
    start, _ = train(tmp_path / "start", steps=1, learning_rate=0.0)
    kernels = [state.params["Dense_0"]["kernel"] for state in (plain, decayed, start)]
    np.testing.assert_allclose(kernels[0] - kernels[1], 0.2 * 0.5 * kernels[2], atol=1e-6)
    np.testing.assert_array_equal(
        plain.params["Dense_0"]["bias"], decayed.params["Dense_0"]["bias"]
    )


def test_a_warm_up_must_leave_room(tmp_path):
    with pytest.raises(UsageError, match=r"--warmup '8 steps' are 8 steps, and the run has 8\."):
        train(tmp_path, warmup="8 steps")
    for wrong in ("8", "0 steps", "-5%"):
        with pytest.raises(ValueError, match=f"warmup is '{wrong}'; write it as '100 steps'"):
            Descent(warmup=wrong)


def test_betas_that_no_optimizer_reads_are_refused():
    with pytest.raises(ValueError, match="betas have no effect with the optimizer sgd"):
        Descent(betas=(0.5, 0.9))

    @dataclasses.dataclass(frozen=True)
    class Own(Config):
        betas: tuple[float, float] = (0.5, 0.999)

    assert Own(optimizer="sgd").betas == (0.5, 0.999)  # not given by the user


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("optimizer", "sgd"),
        ("schedule", "step"),
        ("warmup", "5%"),
        ("weight_decay", 0.1),
        ("clip", 1.0),
    ],
)
def test_options_without_effect_are_refused(option, value, tmp_path):
    """Of a learner without a rule, and of an experiment with a chain of its own."""
    flag = option.replace("_", "-")
    changed = Config(workdir=tmp_path, **{option: value})
    with pytest.raises(UsageError, match=f"--{flag} has no effect on this experiment. Leave it"):
        training.run(
            lambda config: training.Experiment(learners.perceptron(10), digits()),
            changed, name="perceptron", silent=True,
        )  # fmt: skip
    with pytest.raises(UsageError, match=f"--{flag} has no effect"):
        changed.rule_of(optim.sgd(0.1))
    assert not list(tmp_path.glob("checkpoints"))


def test_an_option_that_an_experiment_declares_is_its_own_matter():
    assert Plain(learning_rate=0.3).rule_of(optim.sgd(0.3)).optimizer
