"""Small worlds and learners of tests of acting."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Corridor:
    """Three squares in a row and four moves; standing at the right end is worth a point a move.

    The player sees square and time as one of twelve lights, so a linear Q is a table.
    """

    num_actions: int = 2
    duration: int = 4
    length: int = 3

    def reset(self, key):
        return {"square": jax.random.randint(key, (), 0, self.length), "time": jnp.int32(0)}

    def step(self, state, action):
        square = jnp.clip(state["square"] + 2 * action - 1, 0, self.length - 1)
        time = state["time"] + 1
        reward = (square == self.length - 1).astype(jnp.float32)
        # The player sees the time, so its end is a state like any other, and a terminal one.
        over = time >= self.duration
        return {"square": square, "time": time}, reward, over, jnp.asarray(False)

    def observe(self, state):
        # After the last move there is nothing more to see.
        return jnp.arange(12) == state["square"] * self.duration + state["time"]

    def score(self, state):
        return {"return": state["square"]}


@dataclasses.dataclass(frozen=True)
class Still:
    """One state that looks the same for ever, one point a move; an episode ends after each move."""

    ends: tuple  # terminated, truncated
    num_actions: int = 2
    duration: int = 1

    def reset(self, key):
        return jnp.ones(1)

    def step(self, state, action):
        return state, jnp.float32(1), *map(jnp.asarray, self.ends)

    def observe(self, state):
        return state

    def score(self, state):
        return {"return": state[0]}


class Table(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(2, use_bias=False, kernel_init=nn.initializers.normal(1.0))(x)


def batch(size):
    return {"episode": jnp.arange(size)}


def run(learner, steps, size):
    """`key -> (state, metrics of each step)`, compiled as one."""

    def train(key):
        def step(state, number):
            return learner.step(state, batch(size), jax.random.fold_in(key, number))

        return jax.lax.scan(step, learner.init(key, batch(size)), jnp.arange(steps))

    return jax.jit(train)
