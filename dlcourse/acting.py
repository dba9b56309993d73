"""How a trained policy plays an environment of Gymnasium.

    pip install 'dlcourse[gymnasium]'
    python -m dlcourse.acting runs/cartpole/20260101-120000/PPO CartPole-v1

The environment must show what the policy saw in training, and have the same actions:
`CartPole-v1`, `Acrobot-v1`, `dlcourse/Mouse-v0`.
"""

import pathlib
import sys
from typing import Any

import numpy as np
from flax.errors import ScopeParamShapeError
from jaxtyping import Float

from dlcourse.data.optional import require
from dlcourse.errors import UsageError, UserError
from dlcourse.training import Run, load


def play_gymnasium(
    run: Run | pathlib.Path | str, name: str, *, episodes: int = 100, seed: int = 0
) -> Float[np.ndarray, " episodes"]:
    """The returns of greedy episodes, which are played side by side.

        play_gymnasium("runs/cartpole/20260101-120000/PPO", "CartPole-v1").mean()

    Args:
        run: of an experiment in `experiments/acting`, or its folder; of several seeds the first.
        name: the environment's, as Gymnasium registers it.
        episodes: how many.
        seed: of the first episode; the others count on from it.

    Raises:
        UserError: Gymnasium or the environment is not there; the folder holds no finished run of a
            policy; the policy fits neither the observations nor the actions.
    """
    run = run if isinstance(run, Run) else load(run)
    if run.experiment.data.name != "episodes":
        raise UsageError(f"{run.folder} holds no run of a policy.")
    worlds = _worlds(name, episodes)
    try:
        views, _ = worlds.reset(seed=seed)
        _require_fit(worlds, run, views)
        returns, over = np.zeros(episodes), np.zeros(episodes, bool)
        while not over.all():
            action = np.asarray(run.apply({"view": views})).argmax(axis=-1)
            views, reward, terminated, truncated, _ = worlds.step(action)
            returns += np.where(over, 0.0, reward)
            over |= terminated | truncated  # what a world plays after its first episode is ignored
    finally:
        worlds.close()
    return returns


def _worlds(name: str, count: int) -> Any:
    gymnasium = require("gymnasium", "playing its environments")
    require("dlcourse.environments.gymnasium", "the mouse game")
    try:
        return gymnasium.make_vec(name, num_envs=count, vectorization_mode="sync")
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"Gymnasium cannot make '{name}': {reason}") from error


def _require_fit(worlds: Any, run: Run, views: Any) -> None:
    spec, actions = worlds.spec.id, worlds.single_action_space
    try:
        preferences = np.asarray(run.apply({"view": views}))
    except (ScopeParamShapeError, AttributeError, TypeError, ValueError) as error:
        shown = worlds.single_observation_space
        raise UsageError(
            f"The policy in {run.folder} does not fit what {spec} shows, {shown.shape or shown}."
        ) from error
    if getattr(actions, "n", None) != preferences.shape[-1]:
        raise UsageError(
            f"The policy in {run.folder} has {preferences.shape[-1]} actions, "
            f"and those of {spec} are {actions}."
        )


def main(run: pathlib.Path, environment: str, /, episodes: int = 100, seed: int = 0) -> None:
    """Plays an environment of Gymnasium with a trained policy, and prints its return.

    Args:
        run: the run folder.
        environment: its name, such as CartPole-v1.
        episodes: how many to play.
        seed: of the first episode.
    """
    returns = play_gymnasium(run, environment, episodes=episodes, seed=seed)
    spread = f" ± {returns.std(ddof=1):.1f}" if episodes > 1 else ""
    print(f"{environment}: return {returns.mean():.1f}{spread} over {episodes} episodes")


if __name__ == "__main__":
    import tyro

    from dlcourse.training import Config
    from dlcourse.training.commands.process import prepare_process

    try:
        prepare_process(Config())
        tyro.cli(main)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
