"""A small experiment whose options change its data, its learner, its length or nothing."""

import dataclasses
import functools

import flax.linen as nn
import numpy as np

from dlcourse import data, learners, losses, optim, training

digits = functools.cache(lambda: data.images("digits"))


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A run of a few steps."""

    selects = frozenset({"only"})

    batch_size: int = 40
    steps: int | None = 4
    evaluate_every: str = "1 step"
    checkpoint_every: str = "100%"
    optimizer: optim.Optimizer = "sgd"
    learning_rate: float = 0.1
    schedule: optim.ScheduleName = "constant"
    dropout: float = 0.2
    label_noise: float = 0.0
    threshold: float = 0.0
    augmented: bool = False
    hidden: tuple[int, ...] = (7,)
    width: int | None = None
    only: tuple[str, ...] = ("a",)


class Net(nn.Module):
    """Not `models.MLP`: the tests enforce its annotations, and there a rate is a float."""

    hidden: tuple[int, ...]
    dropout: float

    @nn.compact
    def __call__(self, x, *, train=False):
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = nn.tanh(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(10)(x)


def learner(config):
    if config.threshold > 0.5:
        config = dataclasses.replace(config, learning_rate=0.1)
    model = Net(config.hidden, config.dropout)
    return learners.supervised(model, losses.softmax_cross_entropy, config.rule(digits()))


def experiment(config):
    images = digits()
    if config.label_noise:
        labels = images.examples["label"].copy()
        wrong = np.random.default_rng(0).random(len(labels)) < config.label_noise
        examples = {**images.examples, "label": np.where(wrong, 0, labels).astype(np.int32)}
        images = dataclasses.replace(images, examples=examples)
    return training.Experiment(learner(config), images)
