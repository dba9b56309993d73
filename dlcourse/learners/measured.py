"""A learner of which more is measured than it measures itself."""

from collections.abc import Callable

from dlcourse.learner import Batch, Learner, Metrics, State


def measured(learner: Learner, measure: Callable[[State, Batch], Metrics]) -> Learner:
    """`learner`, whose evaluation adds the metrics of `measure(state, batch)`.

    A metric need be no mean over examples: `metrics.iou` is a ratio of counts over a whole split.
    """

    def evaluate(state: State, batch: Batch) -> Metrics:
        return learner.evaluate(state, batch) | measure(state, batch)

    return learner._replace(evaluate=evaluate)
