"""The mouse game: deck 003's three agents, and what came after them.

    python experiments/acting/mouse_dqn.py
    python experiments/acting/mouse_dqn.py --agent decay --steps 200
    python experiments/acting/mouse_dqn.py --steps 200 --agents decay double lookahead PPO

`dense` and `convolutional` explore with a constant ε, `decay` is the convolutional network with an
ε that falls from 1 (Mnih et al., 2015). `double` is decay with double Q-learning, `lookahead` with
returns of three moves, and `PPO` a policy gradient on as many moves with as many updates.
`figures/episode.gif` plays an episode of the last row, `trace.png` of each row draws its path.

Mean return on the 300 test boards, seed 0; a random policy reaches -3.9, greedy search in the same
field of view 21.0:

    dense            32,000 moves    17.3   missed
    convolutional    32,000 moves    16.7   missed
    decay            32,000 moves    18.8   missed
    decay           320,000 moves    23.2   the second command, 87 CPU seconds

The third command is not yet measured.
"""

import dataclasses
from typing import Literal

from dlcourse import analysis, data, environments, learners, models, optim, training
from dlcourse.learner import Learner

WORLDS = 16
REFERENCES = {"random": -4.1, "greedy search in the view": 21.0, "greedy search, whole board": 24.7}
Agent = Literal["dense", "convolutional", "decay", "double", "lookahead", "PPO"]


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A mouse learns to eat cheese and to avoid poison, with a field of view of 5x5 squares."""

    limits = training.Config.limits | {
        "discount": training.SHARE,
        "explore": training.SHARE,
        "moves": training.SIZE,
    }
    selects = frozenset({"agents"})

    agents: tuple[Agent, ...] = ("dense", "convolutional", "decay")
    """Those to compare."""
    agent: Agent = "decay"
    """Who plays."""
    discount: float = 0.9
    """Discount factor of future rewards."""
    explore: float = 0.05
    """Probability ε of a random move; with decay, from an eighth of the run on."""
    moves: int = 100
    """Moves in each of 16 games per step, and updates."""
    batch_size: int = 64
    """Transitions per update."""
    steps: int | None = 20
    """Number of steps."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation boards."""


def experiment(config: Config) -> training.Experiment:
    game, episodes = environments.MouseGame(), data.episodes()
    learner = learner_of(config, game, episodes)
    trace = analysis.drawn_episode(game, learner.apply)
    return training.Experiment(learner, episodes, monitor="max return", figures={"trace": trace})


def learner_of(config: Config, game: environments.MouseGame, episodes: data.Dataset) -> Learner:
    rule, network = config.rule(episodes, updates=config.moves), models.QNetwork(game.num_actions)
    shared = {"discount": config.discount, "worlds": WORLDS, "moves": config.moves}
    if config.agent == "PPO":
        # As many updates as moves, each of batch_size transitions.
        passes = max(1, config.batch_size // WORLDS)
        near_0 = models.initializers.small_normal
        policy = models.QNetwork(game.num_actions, last_init=near_0)
        return learners.ppo(
            game, models.ActorCritic(policy, models.QNetwork(1)), rule, passes=passes, **shared
        )
    if config.agent == "dense":
        network = models.MLP((128, 128, game.num_actions))
    exploration = lambda move: config.explore  # noqa: E731
    if config.agent not in ("dense", "convolutional"):
        whole = config.moves * config.total_steps(episodes)
        exploration = optim.cosine_decay(1.0, max(1, whole // 8), config.explore)
    return learners.dqn(
        game, network, rule, exploration=exploration, double=config.agent == "double",
        lookahead=3 if config.agent == "lookahead" else 1, **shared,
    )  # fmt: skip


def variants(config: Config) -> dict[str, Config]:
    return {agent: dataclasses.replace(config, agent=agent) for agent in config.agents}


def report(runs: training.Runs) -> analysis.Report:
    names = ("return", "cheese", "poison")
    rows = {row: {n: run.values("test", n) for n in names} for row, run in runs.items()}
    bars = dict.fromkeys(runs, REFERENCES["greedy search in the view"])
    table = analysis.Table("mouse game, 300 boards", rows, "return", bars, diverged=runs.diverged)
    played = WORLDS * runs.config.moves
    curves = {
        row: (played * steps, values)
        for row, (steps, values) in runs.curves("validation", "return").items()
    }
    figure = analysis.draw_variants(curves, "return on the validation boards", REFERENCES, "move")
    *_, run = runs.values()
    played_by = analysis.animated_episode(environments.MouseGame(), run.experiment.learner.apply)
    return analysis.Report(table, {"returns": figure, "episode": played_by(run.by_seed()[0])})


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
