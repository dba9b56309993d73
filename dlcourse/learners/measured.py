"""A learner with more metrics."""

from collections.abc import Callable

from dlcourse.learner import Batch, Learner, Metrics, State


def measured(learner: Learner, measure: Callable[[State, Batch], Metrics]) -> Learner:
    """`learner`, whose evaluation adds the metrics of `measure(state, batch)`.

    They may be any metrics that merge by addition; `metrics.iou`, for example, is a ratio of counts
    over a whole split.
    """

    def evaluate(state: State, batch: Batch) -> Metrics:
        return learner.evaluate(state, batch) | measure(state, batch)

    return learner._replace(evaluate=evaluate)
