"""CartPole and Acrobot by policy gradients and by deep Q-learning.

python experiments/acting/cartpole.py
"""

import dataclasses
from typing import Literal

import flax.linen as nn

from dlcourse import data, environments, learners, models, optim, training
from dlcourse.learner import Learner

WORLDS = {"CartPole": environments.CartPole, "Acrobot": environments.Acrobot}
Method = Literal["PPO", "REINFORCE", "DQN"]


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A small network learns to balance a pole, or to swing a pendulum up."""

    limits = training.Config.limits | {
        "discount": training.SHARE,
        "worlds": training.SIZE,
        "moves": training.SIZE,
    }
    selects = frozenset({"methods"})

    environment: Literal["CartPole", "Acrobot"] = "CartPole"
    """What is played."""
    methods: tuple[Method, ...] = ("PPO", "REINFORCE")
    """Those to compare."""
    method: Method = "PPO"
    """How it is learned."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers, of the policy and of the value."""
    discount: float = 0.99
    """Discount factor of future rewards."""
    worlds: int = 10
    """Number of episodes played side by side."""
    moves: int = 100
    """Moves in each of them per step."""
    learning_rate: float = 1e-3
    schedule: optim.ScheduleName = "linear"
    clip: float | None = 0.5
    batch_size: int = 250
    """Transitions per update; REINFORCE takes all of a step."""
    steps: int | None = 200
    """Number of steps, each of worlds times moves transitions."""
    evaluate_every: str = "5%"
    """Interval between evaluations on the validation episodes."""


def experiment(config: Config) -> training.Experiment:
    world, episodes = WORLDS[config.environment](), data.episodes()
    learner = learner_of(config, world, episodes)
    return training.Experiment(learner, episodes, monitor="max return")


def learner_of(config: Config, world: environments.Environment, episodes: data.Dataset) -> Learner:
    if config.method == "DQN":
        rule = config.rule(episodes, updates=config.moves)
        network = models.MLP((*config.hidden, world.num_actions))
        moves = config.moves * config.total_steps(episodes)
        return learners.dqn(
            world, network, rule, exploration=optim.cosine_decay(1.0, moves // 2, 0.05),
            discount=config.discount, target_decay=0.98, worlds=config.worlds, moves=config.moves,
            replay_moves=10_000 // config.worlds,
        )  # fmt: skip
    orthogonal = nn.initializers.orthogonal
    policy, value = (
        models.MLP(
            (*config.hidden, outputs), nn.tanh, kernel_init=orthogonal(2**0.5),
            last_init=orthogonal(scale),
        )
        for outputs, scale in ((world.num_actions, 0.01), (1, 1.0))
    )  # fmt: skip
    network = models.ActorCritic(policy, value)
    shared = {"discount": config.discount, "worlds": config.worlds, "moves": config.moves}
    if config.method == "REINFORCE":
        return learners.reinforce(world, network, config.rule(episodes), **shared)
    updates = 4 * config.worlds * config.moves // config.batch_size
    return learners.ppo(world, network, config.rule(episodes, updates=updates), **shared)


def variants(config: Config) -> dict[str, Config]:
    return {method: dataclasses.replace(config, method=method) for method in config.methods}


if __name__ == "__main__":
    training.main(experiment, Config)
