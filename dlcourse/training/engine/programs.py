"""The compiled programs of a run: each is compiled once, when it is first needed."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dlcourse import streams
from dlcourse.learner import Learner, without_optimizer
from dlcourse.metrics import Loss, Mean
from dlcourse.training.clock import Clock
from dlcourse.training.engine import sharding, window
from dlcourse.training.engine.feed import Chunk, Feed


class ChunkResult(NamedTuple):
    """The result of a chunk of training steps.

    Attributes:
        state: the learner's state after it.
        open: the window of metrics that is not logged yet.
        closed: the sums of the windows that closed in the chunk, `[slots, ...]`.
        diverged_at: the step at which no loss was finite any more, int32; 0 if there is none.
    """

    state: Any
    open: window.Window
    closed: Any
    diverged_at: jax.Array


class Programs:
    """The programs that a run needs, and the shapes of everything in them.

    Attributes:
        state: shapes and shardings of the state.
        window: those of the window of training metrics.
        metrics: shapes of a training step's metrics.
        totals: the evaluation metrics of no example at all, on the device.
        members: the axes of a population: seeds, hyperparameters.
        losses: the names of the losses, in training and evaluation.
        slots: how many closed windows a chunk has room for.
    """

    def __init__(
        self,
        learner: Learner,
        feed: Feed,
        mesh: Mesh,
        seeds: jax.Array,
        closings: int,
        clock: Clock,
    ) -> None:
        """Traces shapes and compiles nothing.

        Args:
            learner: the learner, already vmapped where `seeds` has an axis.
            feed: where batches come from.
            mesh: where the state lives.
            seeds: int32 `[]` or `[seeds]`.
            closings: the most log points that a chunk of `feed.capacity` steps can hold.
            clock: counts the time of compiling.
        """
        # Traced once: for the shapes here, and again found when the programs are compiled.
        self._learner = learner = learner._replace(
            init=jax.jit(learner.init, inline=True),
            step=jax.jit(learner.step, inline=True),
            evaluate=jax.jit(learner.evaluate, inline=True),
        )
        self._feed, self._mesh, self._seeds = feed, mesh, seeds
        self._clock = clock
        self._initial: Any = None  # compiled programs
        self._evaluation: Any = None
        self._selection: Any = None
        self._per_seed: Any = jax.vmap if seeds.ndim else (lambda function, *_: function)
        self._replicated = NamedSharding(mesh, P())
        batch = jax.eval_shape(self._batch_at, feed.arrays, feed.like, 0)
        self._batch = batch
        shapes = jax.eval_shape(self._init, seeds)
        self.state = _like(shapes, sharding.shard(shapes, mesh))
        # Traced as in the training program, whose loop then finds the step traced.
        self.metrics = dict(
            jax.eval_shape(
                lambda state, arrays, rows, seeds: learner.step(
                    state, self._batch_at(arrays, rows, 0), self._keys("step", seeds)
                )[1],
                self.state, feed.arrays, feed.like, seeds,
            )
        )  # fmt: skip
        empty = jax.eval_shape(lambda: window.empty(self.metrics))
        self.window = self._everywhere(empty)
        self.slots = window.slots(self.metrics, closings)
        one = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape[seeds.ndim :], s.dtype), batch)
        one["mask"] = jax.ShapeDtypeStruct(one["index"].shape, jnp.float32)
        judged = without_optimizer(self.state)
        totals = jax.eval_shape(learner.evaluate, judged, self._everywhere(one))
        self.totals = jax.tree.map(
            lambda m: sharding.place(np.zeros(m.shape, m.dtype), mesh), dict(totals)
        )
        both = [*self.metrics.items(), *totals.items()]
        self.losses = {name for name, metric in both if isinstance(metric, Loss)}
        # A mean of one learner is one number, so its axes are those of the members.
        means = (metric for metric in totals.values() if isinstance(metric, Mean))
        self.members = next(means).total.shape

    def init(self) -> Any:
        """The first state, born sharded."""
        if self._initial is None:
            shardings = jax.tree.map(lambda leaf: leaf.sharding, self.state)
            jitted = jax.jit(self._init, out_shardings=shardings)
            with self._clock("compiling"):
                self._initial = jitted.lower(self._seeds).compile()
        return self._initial(self._seeds)

    def empty_window(self) -> window.Window:
        return jax.tree.map(
            lambda leaf: sharding.place(np.zeros(leaf.shape, leaf.dtype), self._mesh), self.window
        )

    def train(
        self, state: Any, opened: window.Window, chunk: Chunk, closes: jax.Array, first: jax.Array
    ) -> ChunkResult:
        """Trains the steps of a chunk. It is the training loop.

        Args:
            state: the state before; its memory is used again.
            opened: the open window; its memory too.
            chunk: the batches.
            closes: which steps close a window, bool `[capacity]`.
            first: how many steps were trained before.
        """
        program = self.training_program
        length = self.number(chunk.length)
        # All inputs of a chunk are on the device, so a transfer inside it is a mistake.
        with jax.transfer_guard_host_to_device("disallow"):
            return program(
                state, opened, self._feed.arrays, chunk.rows, closes, first, length, self._seeds
            )

    def evaluate(self, state: Any, totals: Any, chunk: Chunk) -> Any:
        """The totals with the examples of a chunk; `state` is without optimizers."""
        arguments = (state, totals, self._feed.arrays, chunk.rows, self.number(chunk.length))
        if self._evaluation is None:
            jitted = jax.jit(self._evaluate, out_shardings=self._replicated)
            with self._clock("compiling"):
                self._evaluation = jitted.lower(*arguments).compile()
        return self._evaluation(*arguments)

    def select(self, best: Any, state: Any, improved: Any) -> Any:
        """`state` where `improved` holds, else `best`: by member, and by part if there are parts.

        Args:
            best: the best state so far, without optimizers; its memory is used again.
            state: the current state, without optimizers.
            improved: bool `[*members]`; of a learner with parts, a dict of those.
        """
        improved = jax.tree.map(lambda mask: sharding.place(mask, self._mesh), improved)
        if self._selection is None:
            shardings = jax.tree.map(lambda leaf: leaf.sharding, without_optimizer(self.state))
            jitted = jax.jit(self._select, donate_argnums=0, out_shardings=shardings)
            with self._clock("compiling"):
                self._selection = jitted.lower(best, state, improved).compile()
        return self._selection(best, state, improved)

    def number(self, value: int) -> jax.Array:
        """An int32 on every device."""
        return sharding.place(np.int32(value), self._mesh)

    @functools.cached_property
    def training_program(self) -> Any:
        """The compiled training program; also for its memory, its FLOPs and its text."""
        state = jax.tree.map(lambda leaf: leaf.sharding, self.state)
        outputs = ChunkResult(state, self._replicated, self._replicated, self._replicated)  # type: ignore[arg-type]
        number = jax.ShapeDtypeStruct((), jnp.int32, sharding=self._replicated)
        closes = jax.ShapeDtypeStruct((self._feed.capacity,), jnp.bool_, sharding=self._replicated)
        with self._clock("compiling"):
            jitted = jax.jit(self._train, donate_argnums=(0, 1), out_shardings=outputs)
            return jitted.lower(
                self.state, self.window, self._feed.arrays, self._feed.like, closes,
                number, number, self._seeds,
            ).compile()  # fmt: skip

    @property
    def flops(self) -> float:
        """Floating-point operations of one training step, as XLA counts them.

        XLA counts a loop body once: this is one step, and one turn of a loop within it.
        """
        return (self.training_program.cost_analysis() or {}).get("flops", math.nan)

    def _keys(self, name: str, seeds: jax.Array) -> Any:
        return self._per_seed(functools.partial(streams.stream, name=name))(seeds)

    def _batch_at(self, arrays: Any, rows: Any, i: jax.Array | int) -> Any:
        """The batch of one step of a chunk; the axis of the steps comes after that of the seeds."""
        axis = self._seeds.ndim
        at = {n: jax.lax.dynamic_index_in_dim(a, i, axis, False) for n, a in rows.items()}
        return self._feed.batch(arrays, at)

    def _everywhere(self, shapes: Any) -> Any:
        """The same shapes, whole on every device."""
        return _like(shapes, jax.tree.map(lambda _: self._replicated, shapes))

    def _init(self, seeds: jax.Array) -> Any:
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), self._batch)
        return self._learner.init(self._keys("init", seeds), zeros)

    def _train(
        self,
        state: Any,
        opened: window.Window,
        arrays: Any,
        rows: Any,
        closes: jax.Array,
        first: jax.Array,
        length: jax.Array,
        seeds: Any,
    ) -> ChunkResult:
        keys = self._keys("step", seeds)

        def body(i: jax.Array, carry: Any) -> Any:
            (state, opened, closed, diverged_at), slot = carry
            batch = self._batch_at(arrays, rows, i)
            step_keys = self._per_seed(lambda key: streams.at_step(key, first + i))(keys)
            state, metrics = self._learner.step(state, batch, step_keys)
            opened = window.add(opened, metrics)
            # The slot of the open window is written again until the window closes.
            closed = jax.tree.map(lambda c, s: c.at[slot].set(s), closed, opened.sums)
            diverged_at = window.first_step(
                diverged_at, window.all_losses_not_finite(metrics), first + i + 1
            )
            opened = window.restart_if(closes[i], opened)
            return ChunkResult(state, opened, closed, diverged_at), slot + closes[i]

        closed = jax.tree.map(lambda m: jnp.zeros((self.slots, *m.shape), m.dtype), self.metrics)
        zero = jnp.zeros((), jnp.int32)
        # A loop whose length is data: one program serves chunks of every length.
        result, _ = jax.lax.fori_loop(
            0, length, body, (ChunkResult(state, opened, closed, zero), zero)
        )
        return result

    def _evaluate(self, state: Any, totals: Any, arrays: Any, rows: Any, length: jax.Array) -> Any:
        def body(i: jax.Array, totals: Any) -> Any:
            batch = self._feed.batch(arrays, {name: array[i] for name, array in rows.items()})
            return jax.tree.map(jnp.add, totals, self._learner.evaluate(state, batch))

        return jax.lax.fori_loop(0, length, body, totals)

    def _select(self, best: Any, state: Any, improved: Any) -> Any:
        def choose(improved: jax.Array, old: jax.Array, new: jax.Array) -> jax.Array:
            axes = improved.shape + (1,) * (new.ndim - improved.ndim)
            return jnp.where(improved.reshape(axes), new, old)

        if not self._learner.parts:
            return jax.tree.map(functools.partial(choose, improved), best, state)
        return {
            part: jax.tree.map(functools.partial(choose, improved[part]), best[part], state[part])
            for part in self._learner.parts
        }


def _like(shapes: Any, shardings: Any) -> Any:
    return jax.tree.map(
        lambda leaf, s: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=s), shapes, shardings
    )
