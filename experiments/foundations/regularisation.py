"""What each regulariser does to a network that overfits (decks 001, 003, 004).

python experiments/foundations/regularisation.py
python experiments/foundations/regularisation.py --examples 400 --seeds 5

`regularisation.png` has the validation curves and the weights. The network learns the wrong labels
too if nothing keeps it from that. Accuracy, mean of seeds 0 to 2, in 57 CPU seconds:

                   train  validation  test   test loss  |w| < 0.001
none               1.000     0.828   0.832       0.623         1 %
L1                 0.790     0.891   0.876       0.656        90 %
L2                 0.783     0.887   0.881       0.703        22 %
decoupled decay    0.857     0.887   0.876       0.635         3 %
dropout            0.818     0.893   0.904       0.477         1 %
batch norm         1.000     0.823   0.850       0.516         1 %
augmentation       0.803     0.893   0.876       0.583         1 %
early stopping     0.863     0.900   0.874       0.539         1 %

Test accuracy varies by 0.01 or less over seeds. Each strength is the best for validation of three,
the shift by a pixel one of several augmentations, most of which did not help on 8x8 digits. Early
stopping chose its weights by the validation loss, which flatters its figure there.
"""

import dataclasses
import functools

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.data import augment
from dlcourse.training.run.interruption import Interruption

VARIANTS = ("none", "L1", "L2", "decoupled decay", "dropout", "batch norm", "augmentation")


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Seven regularisers, one at a time, on a large network with few examples."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    examples: int = 200
    """m, how many training examples there are: few, so that the network overfits."""
    wrong: float = 0.2
    """The share of them that has a wrong label, which to learn is to overfit."""
    hidden: tuple[int, ...] = (256, 256)
    """The width of each hidden layer."""
    l1: float = 0.3
    """λ of L1: the cost is J + λ/m Σ|W|."""
    l2: float = 5.0
    """λ of L2: the cost is J + λ/2m ΣW²."""
    decay: float = 5.0
    """Decoupled weight decay: weights shrink by this times the learning rate, each step."""
    dropout: float = 0.7
    """The share of each hidden layer that is dropped in training."""
    early: int = 10
    """Early stopping waits so many evaluations for a better validation loss."""
    learning_rate: float = 1e-3
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 50
    """Examples in a step, over all devices together."""
    epochs: float = 200
    """How often training walks through the train split."""
    seeds: int = 3
    """How many seeds, from `seed` on, train side by side in one compiled program."""
    evaluate_every: str = "2%"
    """When to measure on the validation split."""


def experiment(variant: str, config: Config) -> training.Experiment:
    images, m = data.images(config.dataset).with_fewer(config.examples), config.examples
    images = data.with_wrong_labels(images, config.wrong)
    penalties = {
        "L1": lambda params: config.l1 / m * losses.l1(params),
        "L2": lambda params: config.l2 / m * losses.l2(params),
    }
    model = models.MLP(
        (*config.hidden, images.num_classes),
        dropout=config.dropout if variant == "dropout" else 0.0,
        batch_norm=variant == "batch norm",
    )
    rate = optim.cosine_decay(config.learning_rate, config.total_steps(images))
    decayed = variant == "decoupled decay"
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adamw(rate, config.decay) if decayed else optim.adam(rate),
        regularizer=penalties.get(variant),
        policy=config.policy,
    )
    if variant == "augmentation":
        shift = functools.partial(augment.crop, padding=1)
        learner = learners.augmented(learner, augment.per_example(shift))
    return training.Experiment(learner, images)


def body(config: Config, interruption: Interruption) -> None:
    run = functools.partial(training.run_variants, name="regularisation", interruption=interruption)
    variants = {name: functools.partial(experiment, name) for name in VARIANTS}
    results, folder = run(variants, config)
    patient = dataclasses.replace(config, patience=config.early, workdir=folder)
    results |= run({"early stopping": functools.partial(experiment, "none")}, patient)[0]
    weights = {name: analysis.kernel_entries(each.state.params) for name, each in results.items()}
    rows = {}
    for name, result in results.items():
        test = result.measure("test")
        rows[name] = {split: result.measure(split)["accuracy"] for split in ("train", "validation")}
        rows[name] |= {"test": test["accuracy"], "test loss": test["loss"]}
        rows[name]["|w| < 0.001"] = f"{analysis.share_of_zeros(weights[name]):.1%}"
    curves = {name: each.curve("validation", "loss") for name, each in results.items()}
    shown = {name: weights[name] for name in ("none", "L1", "L2", "decoupled decay")}
    figure = analysis.draw_regularisers(curves, shown)
    figure.savefig(folder / "regularisation.png", dpi=120)
    title = (
        f"Accuracy, {config.dataset}, {config.examples} examples, {config.wrong:.0%} mislabelled"
    )
    analysis.report_measurements(title, rows, folder)


if __name__ == "__main__":
    training.launch(body, Config)
