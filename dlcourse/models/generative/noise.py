"""Adding noise to data step by step, and the steps back (Ho et al., 2020; Song et al., 2021)."""

import dataclasses
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from dlcourse.errors import UserError

Data = Float[Array, "batch *axes"]
Steps = Int[Array, " batch"]
Target = Literal["epsilon", "v"]
Kind = Literal["linear", "cosine"]


@dataclasses.dataclass(frozen=True)
class Noise:
    """How much of the data is left after each of T steps.

        q(x_t | x_0) = N(√ᾱ_t x_0, (1 - ᾱ_t) I),    ᾱ_t = Π_(s <= t) (1 - β_s),    t = 0, ..., T - 1

    `linear`: β rises from 0.1 / T to 20 / T, which for T = 1000 is Ho et al.'s 1e-4 to 0.02.
    `cosine` (Nichol and Dhariwal, 2021): ᾱ_t = f(t + 1) / f(0) with f(t) = cos²(π/2 (t/T + s) /
    (1 + s)) and s = 0.008; β is at most 0.999.

    Attributes:
        steps: T.
        kind: the schedule.
    """

    steps: int = 1000
    kind: Kind = "cosine"

    @property
    def left(self) -> Float[np.ndarray, " steps"]:
        """ᾱ, in float64."""
        if self.kind == "linear":
            beta = np.linspace(0.1, 20.0, self.steps) / self.steps
        else:
            angle = (np.arange(self.steps + 1) / self.steps + 0.008) / 1.008 * np.pi / 2
            f = np.cos(angle) ** 2
            beta = 1 - f[1:] / f[:-1]
        return np.cumprod(1 - np.minimum(beta, 0.999))

    def roots(self, t: Steps, like: Data) -> tuple[Array, Array]:
        """√ᾱ_t and √(1 - ᾱ_t), in a shape that multiplies `like`."""
        left = self.left
        shape = (-1,) + (1,) * (like.ndim - 1)
        signal, noise = (jnp.asarray(np.sqrt(a), jnp.float32)[t] for a in (left, 1 - left))
        return signal.reshape(shape), noise.reshape(shape)

    def add(self, x: Data, epsilon: Data, t: Steps) -> Data:
        """x_t = √ᾱ_t x_0 + √(1 - ᾱ_t) ε."""
        signal, noise = self.roots(t, x)
        return signal * x + noise * epsilon

    def target(self, kind: Target, x: Data, epsilon: Data, t: Steps) -> Data:
        """What a network learns: ε, or v = √ᾱ_t ε - √(1 - ᾱ_t) x_0 (Salimans and Ho, 2022)."""
        if kind == "epsilon":
            return epsilon
        signal, noise = self.roots(t, x)
        return signal * epsilon - noise * x

    def clean(self, kind: Target, predicted: Data, x_t: Data, t: Steps) -> Data:
        """x_0 as the prediction of a network implies it."""
        signal, noise = self.roots(t, x_t)
        if kind == "epsilon":
            return (x_t - noise * predicted) / signal
        return signal * x_t - noise * predicted


class Sampled(NamedTuple):
    """What a chain of steps back ends with, and every state on the way.

    Attributes:
        data: x_0.
        path: x after each step, `[steps, batch, ...]`.
    """

    data: Data
    path: Float[Array, "steps batch *axes"]


def sample(
    denoise: Callable[[Data, Steps], Data],
    noise: Noise,
    start: Data,
    keys: Key[Array, " batch"],
    *,
    steps: int,
    eta: float = 0.0,
) -> Sampled:
    """From noise to data in `steps` of the T steps, evenly spaced (Song et al., 2021, DDIM).

        x_s = √ᾱ_s x̂ + √(1 - ᾱ_s - σ²) ε̂ + σ z,    σ² = η² (1 - ᾱ_s) / (1 - ᾱ_t) (1 - ᾱ_t / ᾱ_s)

    where s is the step before t in the chain, x̂ what `denoise` takes x_t to be without noise, ε̂
    the noise that then remains, and ᾱ_s = 1 at the end, which adds no noise. With η = 1 and all T
    steps this is the ancestral sampling of DDPM with its posterior variance; η = 0 is
    deterministic.

    Args:
        denoise: `(x_t, t) -> x̂`.
        noise: the schedule.
        start: standard normal, x_T.
        keys: of each example, for z.
        steps: number of steps, at most T.
        eta: η.

    Raises:
        UserError: more steps than the schedule has, or none.
    """
    if not 1 <= steps <= noise.steps:
        raise UserError(
            f"Sampling in {steps} steps is not possible: the model was trained with {noise.steps}."
        )
    # The first step is at T - 1, and those of all T are 0 to T - 1.
    times = np.round(np.arange(1, steps + 1) * noise.steps / steps).astype(np.int32)[::-1] - 1
    before = noise.left[times]
    after = np.append(noise.left[times[1:]], 1.0)
    sigma = eta * np.sqrt((1 - after) / (1 - before) * (1 - before / after))
    table = {
        "signal": np.sqrt(before), "noise": np.sqrt(1 - before), "new_signal": np.sqrt(after),
        "new_noise": np.sqrt(np.maximum(1 - after - sigma**2, 0)), "sigma": sigma,
    }  # fmt: skip
    scales = {name: jnp.asarray(values, jnp.float32) for name, values in table.items()}

    def back(x: Data, given: tuple) -> tuple[Data, Data]:
        number, t, c = given
        clean = denoise(x, jnp.full(x.shape[:1], t))
        remaining = (x - c["signal"] * clean) / c["noise"]
        x = c["new_signal"] * clean + c["new_noise"] * remaining
        if eta:
            z = jax.vmap(
                lambda key: jax.random.normal(jax.random.fold_in(key, number), x.shape[1:])
            )
            x = x + c["sigma"] * z(keys)
        return x, x

    data, path = jax.lax.scan(back, start, (jnp.arange(steps), jnp.asarray(times), scales))
    return Sampled(data, path)
