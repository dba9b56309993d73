"""CartPole and Acrobot by policy gradients and by deep Q-learning.

    python experiments/acting/cartpole.py
    python experiments/acting/cartpole.py --environment Acrobot
    python experiments/acting/cartpole.py --method DQN --steps 300 --batch-size 128
        --learning-rate 2.5e-4 --schedule constant --hidden 120 84 --clip None --target-decay 0.98

REINFORCE (Williams, 1992) and PPO (Schulman et al., 2017) make 150,000 moves, the deep Q-learning
of the third command, in the shape of CleanRL's, 300,000. `episode.gif` plays an episode of the
first row, `course.png` of each row draws its course. Mean return over 300 test episodes, the first
command with `--seeds 3` in 102 CPU seconds, the third with seed 0:

    PPO          500 ± 0
    REINFORCE    440 ± 80   missed
    DQN          500        (bar: CleanRL's 498.4)

The validation episodes of DQN reach 500 after 270,000 moves, and with `--double --lookahead 3`
after 180,000. Acrobot is not yet measured.
"""

import dataclasses
from typing import Literal

import flax.linen as nn

from dlcourse import analysis, data, environments, learners, losses, models, optim, training
from dlcourse.learner import Learner

WORLDS = {"CartPole": environments.CartPole, "Acrobot": environments.Acrobot}
# CartPole's most, and CleanRL's DQN after 500,000 moves.
BARS = {"CartPole": 500.0, "CartPole DQN": 498.4, "Acrobot": -88.9}
Method = Literal["PPO", "REINFORCE", "DQN"]


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A small network learns to balance a pole, or to swing a pendulum up."""

    limits = training.Config.limits | {
        "discount": training.SHARE,
        "target_decay": training.SHARE,
        "lookahead": training.SIZE,
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
    target_decay: float = 0.995
    """Decay τ of DQN's target network."""
    double: bool = False
    """Double deep Q-learning."""
    lookahead: int = 1
    """Number of moves in the targets of deep Q-learning."""
    worlds: int = 10
    """Number of episodes played side by side."""
    moves: int = 100
    """Moves in each of them per step."""
    learning_rate: float = 5e-3
    schedule: optim.ScheduleName = "linear"
    clip: float | None = 0.5
    batch_size: int = 250
    """Transitions per update; REINFORCE takes all of a step."""
    steps: int | None = 150
    """Number of steps, each of worlds times moves transitions."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation episodes."""


def experiment(config: Config) -> training.Experiment:
    world, episodes = WORLDS[config.environment](), data.episodes()
    learner = learner_of(config, world, episodes)
    course = analysis.drawn_episode(world, learner.apply)
    return training.Experiment(learner, episodes, monitor="max return", figures={"course": course})


def learner_of(config: Config, world: environments.Environment, episodes: data.Dataset) -> Learner:
    if config.method == "DQN":
        rule = config.rule(episodes, updates=config.moves)
        network = models.MLP((*config.hidden, world.num_actions))
        moves = config.moves * config.total_steps(episodes)
        return learners.dqn(
            world, network, rule, exploration=optim.cosine_decay(1.0, moves // 2, 0.05),
            discount=config.discount, target_decay=config.target_decay, loss=losses.squared_error,
            double=config.double, lookahead=config.lookahead, worlds=config.worlds,
            moves=config.moves, replay_moves=10_000 // config.worlds,
        )  # fmt: skip
    # At first all actions are nearly as likely.
    near_0 = models.initializers.small_normal
    policy = models.MLP((*config.hidden, world.num_actions), nn.tanh, last_init=near_0)
    value = models.MLP((*config.hidden, 1), nn.tanh)
    network = models.ActorCritic(policy, value)
    shared = {"discount": config.discount, "worlds": config.worlds, "moves": config.moves}
    if config.method == "REINFORCE":
        return learners.reinforce(world, network, config.rule(episodes), **shared)
    updates = 4 * config.worlds * config.moves // config.batch_size
    return learners.ppo(world, network, config.rule(episodes, updates=updates), **shared)


def variants(config: Config) -> dict[str, Config]:
    return {method: dataclasses.replace(config, method=method) for method in config.methods}


def report(runs: training.Runs) -> analysis.Report:
    config, game = runs.config, runs.config.environment
    names = ("return", "random_return")
    rows = {row: {n: run.values("test", n) for n in names} for row, run in runs.items()}
    bars = {row: BARS.get(f"{game} {run.config.method}", BARS[game]) for row, run in runs.items()}
    table = analysis.Table(f"{game}, 300 episodes", rows, "return", bars, diverged=runs.diverged)
    played = config.worlds * config.moves
    curves = {
        row: (played * steps, values)
        for row, (steps, values) in runs.curves("validation", "return").items()
    }
    figure = analysis.draw_variants(curves, "return on the validation split", along="move")
    run = next(iter(runs.values()))
    played_by = analysis.animated_episode(WORLDS[game](), run.experiment.learner.apply)
    return analysis.Report(table, {"returns": figure, "episode": played_by(run.by_seed()[0])})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
