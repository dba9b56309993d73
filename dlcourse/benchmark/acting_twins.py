"""Learning to act in PyTorch on Gymnasium's vector environments, in the shape of CleanRL's files.

Each function makes one that plays and learns for a number of moves in every world.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

NAME = "CartPole-v1"
# Products this small are many times slower when two threads wait for each other.
torch.set_num_threads(1)


def alone(worlds: int, moves: int) -> Callable[[], None]:
    """Random play, in NumPy's vectorised CartPole, the fastest that Gymnasium has."""
    envs = gymnasium.make_vec(NAME, worlds, vectorization_mode="vector_entry_point")
    envs.reset(seed=0)
    generator = np.random.default_rng(0)

    def run() -> None:
        for _ in range(moves):
            envs.step(generator.integers(2, size=worlds))

    return run


def dqn(worlds: int, moves: int, batch: int) -> Callable[[], None]:
    """One update after each move in every world; a replay of 10,000 transitions in arrays."""
    envs = _vector(worlds)
    network, target = _mlp(2, nn.ReLU), _mlp(2, nn.ReLU)
    optimizer = torch.optim.Adam(network.parameters(), lr=2.5e-4)
    rows = 10_000 // worlds
    seen: dict[str, Any] = {
        "view": np.zeros((rows, worlds, 4), np.float32),
        "next": np.zeros((rows, worlds, 4), np.float32),
        "action": np.zeros((rows, worlds), np.int64),
        "reward": np.zeros((rows, worlds), np.float32),
        "done": np.zeros((rows, worlds), np.float32),
    }
    generator = np.random.default_rng(0)
    view, made = envs.reset(seed=0)[0], 0

    def run() -> None:
        nonlocal view, made
        for _ in range(moves):
            with torch.no_grad():
                action = network(torch.from_numpy(view)).argmax(1).numpy()
            explores = generator.random(worlds) < 0.05
            action = np.where(explores, generator.integers(2, size=worlds), action)
            after, reward, terminated, _, _ = envs.step(action)
            row = made % rows
            for name, value in zip(seen, (view, after, action, reward, terminated), strict=True):
                seen[name][row] = value
            view, made = after, made + 1
            at = (
                generator.integers(min(made, rows), size=batch),
                generator.integers(worlds, size=batch),
            )
            drawn = {name: torch.from_numpy(ring[at]) for name, ring in seen.items()}
            with torch.no_grad():
                best = target(drawn["next"]).max(1).values
                y = drawn["reward"] + 0.99 * best * (1 - drawn["done"])
            q = network(drawn["view"]).gather(1, drawn["action"][:, None])[:, 0]
            optimizer.zero_grad()
            nn.functional.mse_loss(q, y).backward()
            optimizer.step()
            if made % 50 == 0:
                target.load_state_dict(network.state_dict())

    return run


def ppo(worlds: int, moves: int, batch: int) -> Callable[[], None]:
    """A rollout of `moves` moves, and four passes through it."""
    envs = _vector(worlds)
    policy, critic = _mlp(2, nn.Tanh), _mlp(1, nn.Tanh)
    weights = [*policy.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(weights, lr=2.5e-4, eps=1e-5)
    view = torch.from_numpy(envs.reset(seed=0)[0])
    done = torch.zeros(worlds)

    def run() -> None:
        nonlocal view, done
        seen = []
        for _ in range(moves):
            with torch.no_grad():
                chosen = torch.distributions.Categorical(logits=policy(view))
                action, value = chosen.sample(), critic(view)[:, 0]
            after, reward, terminated, truncated, _ = envs.step(action.numpy())
            points = torch.from_numpy(reward).float()
            seen.append((view, action, chosen.log_prob(action), points, done, value))
            view = torch.from_numpy(after)
            done = torch.from_numpy(terminated | truncated).float()
        *known, rewards, dones, values = (torch.stack(part) for part in zip(*seen, strict=True))
        with torch.no_grad():
            advantages = _gae(rewards, values, dones, critic(view)[:, 0], done)
        rollout = [a.flatten(0, 1) for a in (*known, advantages, advantages + values)]
        for _ in range(4):
            for rows in torch.randperm(worlds * moves).split(batch):
                optimizer.zero_grad()
                _loss(policy, critic, *(array[rows] for array in rollout)).backward()
                nn.utils.clip_grad_norm_(weights, 0.5)
                optimizer.step()

    return run


def _loss(
    policy: Any, critic: Any, view: Any, action: Any, log: Any, advantage: Any, target: Any
) -> Any:
    chosen = torch.distributions.Categorical(logits=policy(view))
    ratio = (chosen.log_prob(action) - log).exp()
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    surrogate = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
    error = 0.5 * ((critic(view)[:, 0] - target) ** 2).mean()
    return -surrogate + 0.5 * error - 0.01 * chosen.entropy().mean()


def _gae(rewards: Any, values: Any, dones: Any, value: Any, done: Any) -> Any:
    found, after = [], torch.zeros_like(value)
    for t in reversed(range(len(rewards))):
        error = rewards[t] + 0.99 * value * (1 - done) - values[t]
        after = error + 0.99 * 0.95 * (1 - done) * after
        found.append(after)
        value, done = values[t], dones[t]
    return torch.stack(found[::-1])


def _vector(worlds: int) -> Any:
    return gymnasium.make_vec(NAME, worlds, vectorization_mode="sync")


def _mlp(outputs: int, activation: Any) -> Any:
    return nn.Sequential(
        nn.Linear(4, 64), activation(), nn.Linear(64, 64), activation(), nn.Linear(64, outputs)
    )
