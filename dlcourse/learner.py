"""What the training loop knows of learning: a learner is a tuple of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import optax

from dlcourse import parameters
from dlcourse.errors import UsageError

State = Any
Batch = dict[str, Any]
Metrics = dict[str, Any]
# (state, batch, key) -> outputs, a learner's forward pass
Apply = Callable[[State, Batch, Any], Any]


# What every step with a rule logs beside the learner's own metrics; the name of a part may lead.
DIAGNOSTICS = ("gradient_norm", "learning_rate")


def is_diagnostic(metric: str) -> bool:
    """Whether a metric tells how training goes rather than what was learned."""
    return metric.partition("/")[0].endswith(DIAGNOSTICS)


class Learner(NamedTuple):
    """How something learns, as pure functions that the loop may jit, scan, vmap and shard.

    A state is any pytree of arrays; what an optimizer moves in it is a `Trained`. A batch is a dict
    of arrays with the examples along the first axis; `index` is each example's number in its data
    set. Metrics map a name to a mean or another metric of `dlcourse.metrics`; the loss that
    training minimises is a `metrics.Loss`.

    Attributes:
        init: `(key, batch) -> state`. Only the shapes of the batch are used.
        step: `(state, batch, key) -> (state, metrics)`, one update.
        evaluate: `(state, batch) -> metrics`. The batch holds `mask`: 1 for an example that counts,
            0 for padding. Random numbers come from a key for each example
            (`streams.of_examples`), so that metrics do not depend on the batch size.
        apply: `(state, batch, key) -> outputs`, what the trained model computes for a user: logits,
            reconstructions, samples, actions. It is the only forward pass outside the loss.
        honours: the options of `Policy` that the learner honours, by name, and `optimizer` if it
            takes a `Rule`. A run refuses others.
        parts: the names of learners that train side by side. The state is then a dict with these
            names, and the metric m of the part p is called `m/p`.
    """

    init: Callable[[Any, Batch], State]
    step: Callable[[State, Batch, Any], tuple[State, Metrics]]
    evaluate: Callable[[State, Batch], Metrics]
    apply: Apply
    honours: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()


class Policy(NamedTuple):
    """How a learner computes its gradients, whatever it learns.

    Attributes:
        precision: the dtype of activations and of the weights that meet them. The weights
            themselves, their gradients and the optimizer stay float32.
        accumulate: the number of micro-batches that a batch is cut into, to fit a smaller memory.
        ema: the decay of an exponential moving average of the weights, which evaluation then
            uses; None for none.
        remat: keep only the inputs of each layer, and compute the layer again for its gradient:
            less memory, about a third more time.
        freeze: a regular expression; weights whose path it matches keep their first values. A path
            reads `Dense_0/kernel`; with several networks, `generator/Dense_0/kernel`.
    """

    precision: str = "float32"
    accumulate: int = 1
    ema: float | None = None
    remat: bool = False
    freeze: str | None = None


class Rule(NamedTuple):
    """An optimizer bound to the policy of a run: what a gradient learner takes.

    `config.rule(data)` makes one of the options of a run, `config.rule_of(optax_chain)` one of a
    chain of one's own; `learners.rule` applies it.
    """

    optimizer: optax.GradientTransformation
    policy: Policy = Policy()


@flax.struct.dataclass
class Trained:
    """What an optimizer moves: the weights of one network and everything that belongs to them.

    Attributes:
        params: the weights, float32.
        model_state: what the model keeps beside its weights: running averages of batch norm.
        opt_state: the optimizer's. None in a copy of the best weights, which evaluation reads.
        average: the moving average of the weights; None without one.
        updates: how many updates the average has seen, int32; None without one.
    """

    params: Any
    model_state: Any = flax.struct.field(default_factory=dict)
    opt_state: Any = None
    average: Any = None
    updates: Any = None

    @property
    def weights(self) -> Any:
        """The weights that evaluation uses: the average if there is one."""
        return self.params if self.average is None else self.average


def _is_trained(part: Any) -> bool:
    return isinstance(part, Trained)


def trained(state: State) -> list[Trained]:
    """Every `Trained` in a state, however deep."""
    return list(trained_by_path(state).values())


def trained_by_path(state: State) -> dict[str, Trained]:
    """Every `Trained` in a state by its path, such as `generator`; that of the whole is empty."""
    leaves = jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_trained)
    return {parameters.name(path): part for path, part in leaves if _is_trained(part)}


def without_optimizer(state: State) -> State:
    """A state without optimizers, which evaluation does not read."""
    return jax.tree.map(
        lambda part: part.replace(opt_state=None) if _is_trained(part) else part,
        state,
        is_leaf=_is_trained,
    )


def count_parameters(state: State) -> int:
    """The number of weights in a state, of all its networks together."""
    return sum(leaf.size for part in trained(state) for leaf in jax.tree.leaves(part.params))


def require_honoured(learner: Learner, policy: Policy) -> None:
    """Refuses options of a policy that the learner would ignore.

    Raises:
        UsageError: naming the option.
    """
    for name, value in policy._asdict().items():
        if value != Policy._field_defaults[name] and name not in learner.honours:
            raise UsageError(
                f"--{name} has no effect on the learner of this experiment. Leave it out."
            )
