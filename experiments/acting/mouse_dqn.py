"""Deep Q-learning on the mouse game (deck 003; Mnih et al., 2015).

    python experiments/acting/mouse_dqn.py

`figures/episode.gif` plays one episode, `trace.png` draws its path. Mean return on the 300 test
boards, seed 0, in 95 CPU seconds: 23.1. A random policy reaches -3.9, and greedy search in the same
field of view 21.0.
"""

import dataclasses
from typing import Literal

from dlcourse import analysis, data, environments, learners, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A mouse learns to eat cheese and to avoid poison, with a field of view of 5x5 squares."""

    limits = training.Config.limits | {
        "discount": training.SHARE,
        "explore": training.SHARE,
        "explore_steps": training.AT_LEAST_1,
    }

    network: Literal["cnn", "mlp"] = "cnn"
    """Q-network: `mlp` is the deck's first model, `cnn` its second."""
    discount: float = 0.9
    """Discount factor of future rewards."""
    explore: float = 0.05
    """Final probability ε of a random move."""
    explore_steps: int = 3000
    """Number of steps in which ε decays from 1 to its final value, along a cosine."""
    batch_size: int = 64
    """Transitions per update."""
    steps: int | None = 20_000
    """Number of updates."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation boards."""


def experiment(config: Config) -> training.Experiment:
    game = environments.MouseGame()
    episodes = data.episodes()
    if config.network == "cnn":
        model = models.QNetwork(game.num_actions)
    else:
        model = models.MLP((128, 128, game.num_actions))
    learner = learners.dqn(
        game,
        model,
        config.rule(episodes),
        exploration=optim.cosine_decay(1.0, config.explore_steps, config.explore),
        discount=config.discount,
    )
    return training.Experiment(
        learner,
        episodes,
        monitor="max return",
        figures={
            "episode": analysis.animated_episode(game, learner.apply),
            "trace": analysis.drawn_episode(game, learner.apply),
        },
    )


if __name__ == "__main__":
    training.main(experiment, Config)
