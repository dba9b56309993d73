"""The benchmark of acting: each function plays, here and in PyTorch."""

import pytest

from dlcourse import learners, models, optim
from dlcourse.benchmark import acting
from dlcourse.environments import CartPole
from dlcourse.learner import Rule


def test_a_step_plays_and_trains():
    acting.alone(CartPole(), 3)()
    network = models.ActorCritic(models.MLP((2,)), models.MLP((1,)))
    rule = Rule(optim.adam(1e-3))
    learner = learners.ppo(CartPole(), network, rule, passes=1, worlds=2, moves=64)
    run = acting.trained(learner)
    run()
    run()


def test_the_twins_play_and_train():
    pytest.importorskip("gymnasium")
    twins = pytest.importorskip("dlcourse.benchmark.acting_twins")
    for make in (twins.dqn, twins.ppo):
        make(2, 8, 4)()
    twins.alone(2, 8)()
