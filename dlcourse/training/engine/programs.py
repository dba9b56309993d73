"""The compiled programs of a run: each is compiled once, before the first step."""

import functools
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dlcourse import streams
from dlcourse.learner import Learner
from dlcourse.metrics import Mean
from dlcourse.training.engine import sharding
from dlcourse.training.engine.feed import Chunk, Feed


class Programs(NamedTuple):
    """What runs on the device.

    Attributes:
        init: `(seeds) -> state`, born sharded.
        train: `(state, arrays, rows, first_step, length, seeds) -> (state, metrics)`; the metrics
            begin with the axis of the chunk's steps. It is the training loop.
        evaluate: `(state, totals, arrays, rows, length) -> totals`.
        select: `(best, state, improved) -> best`, member by member.
        state: the shapes and shardings of the state.
        metrics: the shapes of a training step's metrics.
        totals: the evaluation metrics of no example at all.
        members: the axes that the members of a population (seeds, hyperparameters) stand in.
        seconds: how long compiling took.
        flops: floating-point operations of one training step, as XLA counts them: of a loop within
            the step, one turn.
    """

    init: Any
    train: Any
    evaluate: Any
    select: Any
    state: Any
    metrics: Any
    totals: Any
    members: tuple[int, ...]
    seconds: float
    flops: float


def without_optimizer(state: Any) -> Any:
    """What evaluation reads of a state: all but the fields `opt_state`, however deep they lie."""

    def has_optimizer(part: Any) -> bool:
        return hasattr(part, "opt_state")

    return jax.tree.map(
        lambda part: part.replace(opt_state=None) if has_optimizer(part) else part,
        state,
        is_leaf=has_optimizer,
    )


def compile_programs(
    learner: Learner, feed: Feed, mesh: Mesh, seeds: jax.Array, chunk: Chunk
) -> Programs:
    """Compiles everything a run needs.

    Args:
        learner: the learner, already vmapped where `seeds` has an axis.
        feed: where batches come from.
        mesh: where the state lives.
        seeds: int32 `[]` or `[seeds]`.
        chunk: a training chunk that lends its shapes.
    """
    begun = time.perf_counter()
    per_seed = jax.vmap if seeds.ndim else (lambda function, *_: function)
    step_axis = seeds.ndim  # of the rows of a chunk, after the axis of the seeds

    def rows_at(rows: Any, i: jax.Array | int) -> Any:
        return {n: jax.lax.dynamic_index_in_dim(a, i, step_axis, False) for n, a in rows.items()}

    example = jax.eval_shape(
        lambda arrays, rows: feed.batch(arrays, rows_at(rows, 0)), feed.arrays, chunk.rows
    )
    evaluation = next(feed.evaluation("test" if "test" in feed.data.splits else "train"))

    def init(seeds: jax.Array) -> Any:
        keys = per_seed(functools.partial(streams.stream, name="init"))(seeds)
        return learner.init(keys, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), example))

    def train(
        state: Any, arrays: Any, rows: Any, first_step: jax.Array, length: jax.Array, seeds: Any
    ) -> Any:
        keys = per_seed(functools.partial(streams.stream, name="step"))(seeds)

        def update(i: jax.Array, state: Any) -> Any:
            batch = feed.batch(arrays, rows_at(rows, i))
            step_keys = per_seed(lambda key: streams.at_step(key, first_step + i))(keys)
            return learner.step(state, batch, step_keys)

        def body(i: jax.Array, carry: Any) -> Any:
            state, window = carry
            state, metrics = update(i, state)
            return state, jax.tree.map(lambda w, m: w.at[i].set(m), window, metrics)

        shapes = jax.eval_shape(update, 0, state)[1]
        window = jax.tree.map(lambda m: jnp.zeros((feed.capacity, *m.shape), m.dtype), shapes)
        # A loop whose length is data: one program serves chunks of every length.
        return jax.lax.fori_loop(0, length, body, (state, window))

    def evaluate(state: Any, totals: Any, arrays: Any, rows: Any, length: jax.Array) -> Any:
        def body(i: jax.Array, totals: Any) -> Any:
            batch = feed.batch(arrays, {name: array[i] for name, array in rows.items()})
            return jax.tree.map(jnp.add, totals, learner.evaluate(state, batch))

        return jax.lax.fori_loop(0, length, body, totals)

    def select(best: Any, state: Any, improved: jax.Array) -> Any:
        def choose(old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(
                improved.reshape(improved.shape + (1,) * (new.ndim - improved.ndim)), new, old
            )

        return jax.tree.map(choose, best, state)

    replicated = NamedSharding(mesh, P())
    like = functools.partial(
        jax.tree.map, lambda leaf, s: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=s)
    )
    shapes = jax.eval_shape(init, seeds)
    shardings = sharding.shard(shapes, mesh)
    state = like(shapes, shardings)
    judged = without_optimizer(state)
    one_batch = jax.eval_shape(
        lambda rows: feed.batch(feed.arrays, {name: array[0] for name, array in rows.items()}),
        evaluation.rows,
    )
    metrics = jax.eval_shape(learner.evaluate, judged, one_batch)
    totals = jax.tree.map(lambda m: sharding.place(np.zeros(m.shape, m.dtype), mesh), metrics)
    # A mean of one learner is one number, so its axes are those of the members.
    members = next(metric.total.shape for metric in metrics.values() if isinstance(metric, Mean))

    number = jax.ShapeDtypeStruct((), jnp.int32, sharding=replicated)
    compiled_train = (
        jax.jit(train, donate_argnums=0, out_shardings=(shardings, replicated))
        .lower(state, feed.arrays, chunk.rows, number, number, seeds)
        .compile()
    )
    trained = jax.eval_shape(train, state, feed.arrays, chunk.rows, number, number, seeds)[1]
    return Programs(
        init=jax.jit(init, out_shardings=shardings).lower(seeds).compile(),
        train=compiled_train,
        evaluate=jax.jit(evaluate, out_shardings=replicated)
        .lower(judged, totals, feed.arrays, evaluation.rows, number)
        .compile(),
        select=jax.jit(
            select, donate_argnums=0, out_shardings=jax.tree.map(lambda leaf: leaf.sharding, judged)
        )
        .lower(judged, judged, jax.ShapeDtypeStruct(members, jnp.bool_, sharding=replicated))
        .compile(),
        state=state,
        metrics=jax.tree.map(lambda m: jax.ShapeDtypeStruct(m.shape[1:], m.dtype), trained),
        totals=totals,
        members=members,
        seconds=time.perf_counter() - begun,
        flops=(compiled_train.cost_analysis() or {}).get("flops", math.nan),
    )
