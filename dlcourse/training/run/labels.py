"""Labels that a network has no output for, found before training."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import metrics
from dlcourse.data import Dataset
from dlcourse.errors import UserError
from dlcourse.learner import Batch, Learner


def require_outputs(learner: Learner, data: Dataset) -> None:
    """Checks that a classifier has an output for each label of a set without class names.

    Labels 1 to 10 for ten outputs would make the loss nan at the first example with label 10. A
    label out of range may be one that the loss ignores, which only the loss knows. So it is refused
    only if the metrics of an untrained network are nan on its example, and not on another one.

    Sets with class names are checked when they are made. Of streamed sets nothing is known.

    Raises:
        UserError: naming the labels and the number of outputs.
    """
    examples = data.examples
    if not isinstance(examples, Mapping) or data.classes or "label" not in examples:
        return
    numbers = np.concatenate([*data.splits.values()])
    labels = np.asarray(examples["label"])[numbers]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        return
    ends = data.read(numbers[[labels.argmin(), labels.argmax()]])

    def start(raw: Batch, key: Any) -> tuple[Any, Batch]:
        batch = data.prepare(raw)
        return learner.init(key, batch), batch

    def outputs(raw: Batch, key: Any) -> Any:
        return learner.apply(*start(raw, key), key)

    @jax.jit
    def measured(raw: Batch, key: Any, mask: jax.Array) -> Any:
        state, batch = start(raw, key)
        return learner.evaluate(state, batch | {"mask": mask})

    def defined(mask: list[float]) -> bool:
        found = measured(ends, jax.random.key(0), jnp.array(mask)).values()
        # Not the values: the mean over an ignored label alone is 0 / 0.
        return all(np.isfinite(m.total).all() for m in found if isinstance(m, metrics.Mean))

    shapes = jax.tree.leaves(jax.eval_shape(outputs, ends, jax.random.key(0)))
    counts = [leaf.shape[-1] for leaf in shapes if leaf.ndim == 2]
    least, greatest = labels.min(), labels.max()
    if not counts or greatest < min(counts) or defined([0.0, 1.0]):
        return
    if least >= min(counts) or defined([1.0, 0.0]):
        raise UserError(
            f"The labels of '{data.name}' range from {least} to {greatest}, and the network has "
            f"{min(counts)} outputs, for the classes 0 to {min(counts) - 1}. Number the classes "
            "from 0, or give the network more outputs."
        )
