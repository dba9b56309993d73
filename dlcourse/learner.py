"""A learner: three pure functions, the shape of an optax transformation one storey up."""

from collections.abc import Callable
from typing import Any, NamedTuple

State = Any
Batch = dict[str, Any]
Metrics = dict[str, Any]


class Learner(NamedTuple):
    """How something learns, as three pure functions that the loop may jit, scan, vmap and shard.

    Attributes:
        init: `(key, batch) -> state`. The batch only lends its shapes.
        step: `(state, batch, key) -> (state, metrics)`, one update.
        evaluate: `(state, batch) -> metrics`. The batch holds `mask`, 1 for an example that counts
            and 0 for padding.

    A state is any pytree of arrays. If it, or a part of it, has a field `opt_state`, evaluation
    does not read that field, so the copy kept of the best state goes without it. Metrics map a name
    to a `dlcourse.metrics.Mean`. A batch is a dict of arrays with the examples along the first
    axis; `index` is each example's number in its data set.
    """

    init: Callable[[Any, Batch], State]
    step: Callable[[State, Batch, Any], tuple[State, Metrics]]
    evaluate: Callable[[State, Batch], Metrics]


class Policy(NamedTuple):
    """How a learner computes, whatever it learns: every gradient learner takes one.

    Attributes:
        precision: the dtype of activations and of the weights they meet; the weights themselves,
            their gradients and the optimizer stay float32.
        accumulate: into how many micro-batches a batch is cut, to fit a smaller memory.
        ema: the decay of an exponential moving average of the weights, which evaluation then
            uses; None for none.
        remat: whether to keep only what enters each layer of a model, and compute the layer again
            for its gradient: less memory, about a third more time.
        freeze: a regular expression; a weight in whose path it is found stays as it begins. The
            path reads `Dense_0/kernel`, with several networks `generator/Dense_0/kernel`.
    """

    precision: str = "float32"
    accumulate: int = 1
    ema: float | None = None
    remat: bool = False
    freeze: str | None = None
