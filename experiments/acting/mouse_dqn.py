"""Deep Q-learning on the mouse game (deck 003; Mnih et al., 2015).

python experiments/acting/mouse_dqn.py
"""

import dataclasses
from typing import Literal

from dlcourse import analysis, data, environments, learners, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A mouse learns to find cheese and to avoid poison, seeing 5x5 cells."""

    network: Literal["cnn", "mlp"] = "cnn"
    """The deck's second model, or its first."""
    learning_rate: float = 1e-3
    """Adam's rate; it falls to zero along a cosine."""
    discount: float = 0.9
    """How much a reward one step later is worth."""
    explore: float = 0.05
    """The probability of a random move in the end."""
    explore_steps: int = 3000
    """In how many steps it falls to that, from 1, along a cosine."""
    batch_size: int = 64
    """Transitions in an update."""
    steps: int | None = 20_000
    """How many updates to make."""
    evaluate_every: str = "10%"
    """When to play the validation boards."""


def experiment(config: Config) -> training.Experiment:
    game = environments.MouseGame()
    episodes = data.episodes()
    steps = config.total_steps(episodes)
    if config.network == "cnn":
        model = models.QNetwork(game.num_actions)
    else:
        model = models.MLP((128, 128, game.num_actions))
    learner = learners.dqn(
        game,
        model,
        optim.adam(optim.cosine_decay(config.learning_rate, steps)),
        exploration=optim.cosine_decay(1.0, config.explore_steps, config.explore),
        discount=config.discount,
        policy=config.policy,
    )
    act = learners.player(model, policy=config.policy)
    return training.Experiment(
        learner,
        episodes,
        monitor="max return",
        figures={
            "episode": analysis.mouse.animated(game, act),
            "trace": analysis.mouse.drawn(game, act),
        },
    )


if __name__ == "__main__":
    training.main(experiment, Config)
