"""Compares moves a second, played alone and trained, with Gymnasium and PyTorch.

    pip install 'dlcourse[gymnasium,torch]'
    python -m dlcourse.benchmark.acting

CartPole in many worlds: random play; deep Q-learning with an update after each move in all worlds;
PPO with four passes through each rollout. Gymnasium's vector environments are played by PyTorch
code in the shape of CleanRL's files (`dlcourse.benchmark.acting_twins`), eagerly. Both alternate in
one process, and the ratio is that of the medians. The mouse game has no twin there; its rows are
this project's alone.

On two CPU cores that were busy with other work, 16 worlds, PyTorch 2.14 with one thread, medians of
three: alone 1,101,313 against 78,923 moves a second (14.0 times), PPO 47,632 against 3,655 (13.0),
deep Q-learning 32,898 against 4,573 (7.2, below the 10 aimed at).
"""

import dataclasses
import statistics
import sys
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import tyro

from dlcourse import learners, losses, models, optim
from dlcourse.benchmark.turns import in_turn
from dlcourse.environments import CartPole, Environment, MouseGame
from dlcourse.learner import Learner, Rule

MOVES = 128  # in each world, per call
BATCH = 128


@dataclasses.dataclass(frozen=True)
class Options:
    """Compares moves a second with Gymnasium and PyTorch."""

    worlds: int = 16
    """Number of episodes played side by side."""
    rounds: int = 5
    """Calls of each that are timed, after two to warm up."""


def alone(environment: Environment, worlds: int) -> Callable[[], None]:
    """A function that plays at random and waits for the result."""

    def play(current: Any, key: Any) -> Any:
        def move(current: Any, key: Any) -> Any:
            action = jax.random.randint(key, (worlds,), 0, environment.num_actions)
            moved = learners.move_worlds(environment, current, action, key)
            return moved.worlds, moved.reward.sum()

        return jax.lax.scan(move, current, jax.random.split(key, MOVES))

    program, key = jax.jit(play), jax.random.key(0)
    current = jax.vmap(environment.reset)(jax.random.split(key, worlds))
    return lambda: jax.block_until_ready(program(current, key)) and None


def trained(learner: Learner) -> Callable[[], None]:
    """A function that plays and learns for a step, and waits for the result."""
    key, batch = jax.random.key(0), {"episode": jnp.arange(BATCH)}
    step = jax.jit(lambda state, key: learner.step(state, batch, key)[0], donate_argnums=0)
    state, number = jax.jit(learner.init)(key, batch), 0

    def run() -> None:
        nonlocal state, number
        number += 1
        state = jax.block_until_ready(step(state, jax.random.fold_in(key, number)))

    return run


def ours(worlds: int) -> dict[str, Callable[[], None]]:
    """By name: what is timed; each call makes `MOVES` moves in every world."""
    rule = Rule(optim.adam(2.5e-4))
    sizes: dict[str, Any] = {"worlds": worlds, "moves": MOVES}
    found: dict[str, Callable[[], None]] = {}
    networks: dict[str, tuple[Environment, Callable[..., nn.Module]]] = {
        "CartPole": (CartPole(), lambda n: models.MLP((64, 64, n))),
        "mouse": (MouseGame(), models.QNetwork),
    }
    for name, (world, network) in networks.items():
        critic = models.ActorCritic(network(world.num_actions), network(1))
        found[f"{name} alone"] = alone(world, worlds)
        values = learners.dqn(
            world, network(world.num_actions), rule, exploration=lambda move: 0.05,
            loss=losses.squared_error, replay_moves=10_000 // worlds, **sizes,
        )  # fmt: skip
        found[f"{name} DQN"] = trained(values)
        found[f"{name} PPO"] = trained(learners.ppo(world, critic, rule, **sizes))
    return found


def theirs(worlds: int) -> dict[str, Callable[[], None]]:
    """The same of Gymnasium and PyTorch."""
    from dlcourse.benchmark import acting_twins

    return {
        "CartPole alone": acting_twins.alone(worlds, MOVES),
        "CartPole DQN": acting_twins.dqn(worlds, MOVES, BATCH),
        "CartPole PPO": acting_twins.ppo(worlds, MOVES, BATCH),
    }


def main() -> None:
    """Runs the comparison and prints a table."""
    from rich.console import Console
    from rich.table import Table

    options = tyro.cli(Options, prog="python -m dlcourse.benchmark.acting")
    try:
        twins = theirs(options.worlds)
    except ModuleNotFoundError as error:
        print(
            f"error: {error.name} is missing: pip install 'dlcourse[gymnasium,torch]'",
            file=sys.stderr,
        )
        sys.exit(1)
    table = Table(title=f"moves per second, {jax.devices()[0].device_kind}, jax {jax.__version__}")
    for column in ("", "dlcourse", "Gymnasium and PyTorch", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for name, function in ours(options.worlds).items():
        functions = {"dlcourse": function} | ({"twin": twins[name]} if name in twins else {})
        times = in_turn(functions, options.rounds)
        speed = {
            side: options.worlds * MOVES / statistics.median(seconds)
            for side, seconds in times.items()
        }
        other = [f"{speed['twin']:,.0f}", f"{speed['dlcourse'] / speed['twin']:.1f}"]
        table.add_row(name, f"{speed['dlcourse']:,.0f}", *(other if "twin" in speed else ["", ""]))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
