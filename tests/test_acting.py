"""Policies of runs on environments of Gymnasium, and what is said where they do not fit."""

import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("gymnasium")

from dlcourse import acting, data, training
from dlcourse.errors import UsageError, UserError
from dlcourse.learner import Learner
from tests import ROOT


def run_of(apply, dataset=None):
    """A finished run whose policy is a function of the views."""
    learner = Learner(None, None, None, lambda state, batch, key: apply(batch["view"]))
    experiment = training.Experiment(learner, dataset or data.episodes())
    return training.Run(
        "hand-made", training.Config(), pathlib.Path("runs/mine"), {}, [], (), lambda _: experiment
    )


def balanced(views):
    """Pushes the cart under the pole."""
    return views @ jnp.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.5]])


def test_a_policy_plays_gymnasiums_episodes():
    returns = acting.play_gymnasium(run_of(balanced), "CartPole-v1", episodes=3)
    assert returns.shape == (3,)
    assert returns.min() > 150
    left = run_of(lambda views: jnp.zeros((len(views), 4)) @ jnp.zeros((4, 2)))
    one_sided = acting.play_gymnasium(left, "CartPole-v1", episodes=3)
    assert one_sided.max() < 12  # and the episodes that follow are not counted


def test_a_policy_plays_the_mouse_game_of_this_project():
    returns = acting.play_gymnasium(
        run_of(lambda views: jnp.zeros((len(views), 4))), "dlcourse/Mouse-v0", episodes=3
    )
    assert np.all(np.abs(returns) < 7)  # down and up in one column of 13


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nonsense-v0", "Gymnasium cannot make 'Nonsense-v0': Environment `Nonsense` doesn't"),
        ("CartPole-v9", "Gymnasium cannot make 'CartPole-v9': "),
        ("nowhere:Nonsense-v0", "Gymnasium cannot make 'nowhere:Nonsense-v0': No module named"),
        ("Acrobot-v1", r"runs/mine does not fit what Acrobot-v1 shows, \(6,\)"),
        ("Blackjack-v1", r"runs/mine does not fit what Blackjack-v1 shows, .*Tuple"),
    ],
)
def test_an_environment_that_cannot_be_played_is_named(name, message):
    with pytest.raises(UsageError, match=message) as raised:
        acting.play_gymnasium(run_of(balanced), name, episodes=2)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["Acrobot-v1", "Pendulum-v1"])
def test_actions_that_do_not_fit_are_named(name):
    run = run_of(lambda views: jnp.zeros((len(views), 2)))
    message = rf"The policy in runs/mine has 2 actions, and those of {name} are (Discrete|Box)\("
    with pytest.raises(UsageError, match=message):
        acting.play_gymnasium(run, name, episodes=2)


def test_a_run_of_something_else_is_refused():
    with pytest.raises(UsageError, match="runs/mine holds no run of a policy"):
        acting.play_gymnasium(run_of(balanced, data.gates()), "CartPole-v1")


def test_without_gymnasium_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "dlcourse.environments.gymnasium", raising=False)
    with pytest.raises(UserError, match="pip install gymnasium"):
        acting.play_gymnasium(run_of(balanced), "CartPole-v1")


@pytest.mark.long
def test_a_run_folder_is_enough(tmp_path):
    """From training to Gymnasium through both command lines."""
    trained = [
        "experiments/acting/cartpole.py", "--method", "PPO", "--steps", "40",
        "--workdir", str(tmp_path / "run"), "--no-progress",
    ]  # fmt: skip
    played = ["-m", "dlcourse.acting", str(tmp_path / "run"), "CartPole-v1", "--episodes", "20"]
    for command in (trained, played):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    words = done.stdout.split()
    assert words[:2] == ["CartPole-v1:", "return"]
    assert float(words[2]) > 150
