"""Every kind of run, as a user would start it; without `--kind`, a comparison of two.

python tests/kills/experiment.py --kind gan --workdir runs/gan
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from dlcourse import analysis, learners, losses, models, optim, training
from dlcourse.data import augment
from dlcourse.learner import Learner, Rule
from tests import kinds

COMPARED = ("classifier", "rates")


@dataclasses.dataclass(frozen=True)
class Config(kinds.Config):
    """A run of a few steps, of any kind."""

    kind: str = "classifier"
    """What is trained."""
    compilation_cache: bool = True


def _supervised(config: Config) -> Learner:
    model = models.MLP((17, 10), dropout=0.3)
    return learners.supervised(model, losses.softmax_cross_entropy, config.rule(optim.adam(1e-2)))


def _on_digits(config: Config, learner: Learner) -> training.Experiment:
    return training.Experiment(learner, kinds.digits(config.stream))


def side_by_side(config: Config) -> training.Experiment:
    """Two networks of different shapes."""
    linear = learners.supervised(
        models.MLP((10,)), losses.softmax_cross_entropy, config.rule(optim.sgd(0.1))
    )
    both = learners.side_by_side({"deep": _supervised(config), "linear": linear})
    return _on_digits(config, both)


def rates(config: Config) -> training.Experiment:
    """A population that differs in a hyperparameter."""

    def member(rate: float) -> Learner:
        rule = Rule(optim.momentum(rate), config.policy)
        return learners.supervised(models.MLP((17, 10)), losses.softmax_cross_entropy, rule)

    values = np.array([0.01, 0.1, 0.3], np.float32)
    return _on_digits(config, training.population(member, values))


def augmented(config: Config) -> training.Experiment:
    """Other images in every step."""
    change = augment.per_example(augment.flip)
    return _on_digits(config, learners.augmented(_supervised(config), change))


def adversarial(config: Config) -> training.Experiment:
    """Attacked images, with a random start of each attack."""
    attack = functools.partial(analysis.pgd, steps=2)
    learner = learners.adversarial_training(_supervised(config), attack, 0.1)
    return _on_digits(config, learner)


KINDS: dict[str, Callable[[Config], training.Experiment]] = {
    "classifier": kinds.classifier,
    "batch_norm": kinds.batch_norm,
    "gan": kinds.gan,
    "dqn": kinds.dqn,
    "side_by_side": side_by_side,
    "rates": rates,
    "augmented": augmented,
    "adversarial": adversarial,
}


def experiment(config: Config) -> training.Experiment:
    return KINDS[config.kind](config)


def variants(config: Config) -> dict[str, Config]:
    return {kind: dataclasses.replace(config, kind=kind) for kind in COMPARED}


def report(runs: training.Runs) -> analysis.Report:
    """A table of a comparison; of one run none, as it takes longer to draw than a run to train."""
    if len(runs) == 1:
        return analysis.Report()
    measured = runs.final("test", "accuracy")
    return analysis.Report(analysis.Table.of_metric("Kinds", "test accuracy", measured))


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
