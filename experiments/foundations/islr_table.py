"""ISLR table 10.1 (deck 004): test errors of four classifiers of handwritten digits.

python experiments/foundations/islr_table.py
python experiments/foundations/islr_table.py --dataset mnist --epochs 40

`table.png` and the table printed. Test error in percent, mean of seeds 0 to 2; digits take 25 CPU
seconds, MNIST two minutes on two cores:

                          digits       MNIST  published
network with dropout  1.6 ± 0.3  1.54 ± 0.08        1.8
network with ridge    2.4 ± 0.1  1.65 ± 0.07        2.3
multinomial logistic  7.8 ± 0.6  7.38 ± 0.04        7.2
LDA                         4.4        12.70       12.7
"""

import dataclasses
import functools

import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.training.run.interruption import Interruption

PUBLISHED = {"dropout": 0.018, "ridge": 0.023, "multinomial": 0.072, "LDA": 0.127}


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """ISLR table 10.1: a network with dropout, with ridge, multinomial regression, and LDA."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    hidden: tuple[int, ...] = (256, 128)
    """The width of each hidden layer of the two networks."""
    dropout: float = 0.4
    """The share of each hidden layer that is dropped, in the first row."""
    ridge: float = 2e-4
    """λ/m, the weight of half the squared norm of the kernels, in the second row."""
    learning_rate: float = 1e-3
    """Adam's rate; it falls to zero along a cosine."""
    seeds: int = 3
    """How many seeds, from `seed` on, train side by side in one compiled program."""
    batch_size: int = 128
    """Examples in a step, over all devices together."""
    epochs: float = 200
    """How often training walks through the train split."""


def experiment(row: str, config: Config) -> training.Experiment:
    """The three rows of the table that are trained."""
    images = data.images(config.dataset, stream=config.stream)
    hidden = () if row == "multinomial" else config.hidden
    dropout = config.dropout if row == "dropout" else 0.0
    model = models.MLP((*hidden, images.num_classes), dropout=dropout)
    ridge = (lambda params: config.ridge * losses.l2(params)) if row == "ridge" else None
    schedule = optim.cosine_decay(config.learning_rate, config.total_steps(images))
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adam(schedule),
        regularizer=ridge,
        policy=config.policy,
    )
    predict = learners.predictor(model, policy=config.policy)
    return training.Experiment(learner, images, figures=analysis.classification(predict, images))


def lda_error(config: Config) -> float:
    """Linear discriminant analysis has a closed form: scikit-learn's, tested on the same images."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    images = data.images(config.dataset)
    # Nothing is chosen on the validation split, so it may be trained on too.
    seen = np.concatenate([images.splits["train"], images.splits["validation"]])
    train, test = images.read(seen), images.read(images.splits["test"])
    flat = [part["image"].reshape(len(part["label"]), -1) / 1.0 for part in (train, test)]
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(flat[0], train["label"])
    return float(1 - lda.score(flat[1], test["label"]))


def body(config: Config, interruption: Interruption) -> None:
    rows = {
        name: functools.partial(experiment, name) for name in ("dropout", "ridge", "multinomial")
    }
    results, folder = training.run_variants(
        rows, config, name="islr_table", interruption=interruption
    )
    errors = {name: 1 - result.values("test", "accuracy") for name, result in results.items()}
    errors["LDA"] = np.array([lda_error(config)])
    analysis.ResultTable(
        f"ISLR table 10.1 on {config.dataset}",
        "test error",
        errors,
        references=PUBLISHED if config.dataset == "mnist" else {},
        lower_is_better=True,
    ).report(folder)


if __name__ == "__main__":
    training.launch(body, Config)
