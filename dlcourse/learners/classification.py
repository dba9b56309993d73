"""The options of experiments that train a classifier: class weights and more metrics."""

import dataclasses
import functools
from typing import Literal

from dlcourse import losses
from dlcourse.data import Dataset
from dlcourse.errors import UsageError
from dlcourse.learners.supervised import PerExample
from dlcourse.metrics import Name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification:
    """Fields of experiments that train a classifier, inherited beside those of all experiments.

    class Config(training.Config, learners.Classification): ...

    learner = learners.supervised(
        model, config.cross_entropy(images), rule, metrics_of=config.metrics
    )
    """

    metrics: tuple[Name, ...] = ("accuracy",)
    """Metrics beside the loss and the accuracy. F1, AUROC and balanced accuracy are measured in
    evaluation only."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weights of the classes in the loss; `balanced` makes rare and frequent ones count alike."""

    def cross_entropy(self, data: Dataset, *, smoothing: float = 0.0) -> PerExample:
        """Softmax cross-entropy with the class weights of the train split of `data`.

        Evaluation weighs the same way, so that it measures what training minimises.

        Raises:
            UsageError: weights are to be balanced, and a class has no training example.
        """
        loss = functools.partial(losses.softmax_cross_entropy, smoothing=smoothing)
        if self.class_weights == "none":
            return loss
        counts = data.class_counts("train")
        absent = [data.classes[c] for c in (counts == 0).nonzero()[0]]
        if absent:
            some = ", ".join(absent[:10]) + (" …" if len(absent) > 10 else "")
            raise UsageError(
                "--class-weights balanced needs training examples of every class; the train "
                f"split of '{data.name}' has none of {some}."
            )
        return functools.partial(loss, class_weights=losses.balanced_class_weights(counts))
