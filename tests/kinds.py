"""One small experiment for each kind of learner, for the promises that all of them must keep."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

from dlcourse import data, environments, learners, losses, models, optim, training
from dlcourse.data.pairs import pairs, split_documents
from dlcourse.data.translation import SPECIAL
from dlcourse.data.translation import pairs as pairs_of_words
from dlcourse.training.config import EXECUTION


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A run of a few steps."""

    batch_size: int = 40
    steps: int | None = 23
    evaluate_every: str = "10 steps"
    checkpoint_every: str = "7 steps"
    log_every: str = "3 steps"
    compilation_cache: bool = False
    progress: bool = False
    mesh: str = "data=-1"


@functools.cache
def digits(stream: bool = False) -> data.Dataset:
    """Read once: scikit-learn parses a text file."""
    return data.images("digits", stream=stream)


def classifier(config: Config) -> training.Experiment:
    """Dropout, so that the random streams matter."""
    model = models.MLP((17, 10), dropout=0.3)
    rule = config.rule_of(optim.adam(1e-2))
    learner = learners.supervised(model, losses.softmax_cross_entropy, rule)
    return training.Experiment(learner, digits(config.stream))


def batch_norm(config: Config) -> training.Experiment:
    """State beside the parameters."""
    model = models.CNN(features=(5,))
    rule = config.rule_of(optim.adam(1e-2))
    learner = learners.supervised(model, losses.softmax_cross_entropy, rule)
    return training.Experiment(learner, digits(config.stream))


def gan(config: Config) -> training.Experiment:
    """Two networks, two optimizers."""
    learner = learners.gan(
        models.Generator((8, 8, 1), (16,)),
        models.Discriminator((16,)),
        config.rule_of(optim.adam(1e-3)),
        config.rule_of(optim.adam(1e-3)),
        latent=5,
    )
    images = digits(config.stream)
    return training.Experiment(learner, images, monitor="min frechet")


class Noisy(nn.Module):
    """The smallest network that knows image, step and class."""

    @nn.compact
    def __call__(self, inputs: dict[str, jax.Array], *, train: bool = False) -> jax.Array:
        x = inputs["image"]
        known = nn.Embed(20, 9)(inputs["step"]) + nn.Embed(11, 9)(inputs["label"])
        hidden = nn.tanh(nn.Dense(9)(x.reshape(x.shape[0], -1)) + known)
        return nn.Dense(64)(hidden).reshape(x.shape)


def diffusion(config: Config) -> training.Experiment:
    """Random numbers in every step and in every evaluation."""
    task, rule = (
        learners.Denoising(Noisy(), models.Noise(20), classes=10),
        config.rule_of(optim.adam(1e-2)),
    )
    draw = learners.sampler(task, shape=(8, 8, 1), steps=3, eta=1.0, policy=rule.policy)
    learner = learners.diffusion(task, rule, draw)
    return training.Experiment(learner, digits(config.stream), monitor="min frechet")


def flow(config: Config) -> training.Experiment:
    """A density, whose evaluation draws dequantisation noise."""
    images = digits(config.stream)
    model = models.image_flow(
        (8, 8, 1), 17, features=(4, 4), couplings=(0, 1), depth=0, dequantisation=1
    )
    learner = learners.flow(model, config.rule_of(optim.adam(1e-2)), draws=2)
    return training.Experiment(learner, images)


def vae(config: Config) -> training.Experiment:
    """Two networks in one model, whose bound draws binary pixels and latents."""
    model = models.VAE((8, 8, 1), 3, (9,))
    rule = config.rule_of(optim.adam(1e-2))
    learner = learners.vae(model, rule, binarise="dynamic", draws=2)
    return training.Experiment(learner, digits(config.stream))


def dqn(config: Config) -> training.Experiment:
    """A learner that makes its own data."""
    game = environments.MouseGame(size=5, duration=20)
    learner = learners.dqn(
        game,
        models.MLP((11, game.num_actions)),
        config.rule_of(optim.adam(1e-3)),
        exploration=lambda step: 0.5,
        worlds=3,
        replay_moves=31,
    )
    return training.Experiment(learner, data.episodes(validation=11, test=13), monitor="max return")


def ppo(config: Config) -> training.Experiment:
    """Several updates in a step, on moves of its own policy."""
    game = environments.CartPole(duration=20)
    model = models.ActorCritic(models.MLP((11, game.num_actions)), models.MLP((7, 1)))
    rule = config.rule_of(optim.adam(1e-2))
    learner = learners.ppo(game, model, rule, passes=2, worlds=5, moves=16)
    return training.Experiment(learner, data.episodes(validation=11, test=13), monitor="max return")


@functools.cache
def text(stream: bool = False) -> data.Text:
    """A text in which what follows depends on more than one character."""
    parts = {"train": "abacbabcca" * 40, "validation": "abacbabc" * 4, "test": "cbabccab" * 5}
    return data.cut_text("letters", parts, context=6, stream=stream)


def recurrent(config: Config) -> training.Experiment:
    """A recurrent language model on windows of a text."""
    letters = text(config.stream)
    model = models.RecurrentLM(letters.tokenizer.size, "gru", (7,))
    rule = config.rule_of(optim.adam(1e-2))
    return training.Experiment(learners.language_model(model, rule, context=6), letters)


def attention(config: Config) -> training.Experiment:
    """A GPT, with dropout."""
    letters = text(config.stream)
    model = models.GPT(letters.tokenizer.size, 6, 1, 2, 8, dropout=0.1)
    rule = config.rule_of(optim.adam(1e-2))
    return training.Experiment(learners.language_model(model, rule, context=6), letters)


@functools.cache
def words(stream: bool = False) -> data.Translation:
    """Words and the same words backwards."""
    random = np.random.default_rng(0)
    made = ["".join(random.choice(list("abcd"), random.integers(1, 5))) for _ in range(200)]
    counts = {"train": (0, 150), "validation": (150, 171), "test": (171, 200)}
    parts = {split: [(w, w[::-1]) for w in made[a:b]] for split, (a, b) in counts.items()}
    tokenizer = data.Tokenizer.characters("abcd", SPECIAL)
    return pairs_of_words("words", parts, tokenizer, 6, stream=stream)


def translation(config: Config) -> training.Experiment:
    """A Transformer, whose tokens weigh unequally between examples."""
    text = words(config.stream)
    model = models.Transformer(text.tokenizer.size, 1, 2, 8, 12, dropout=0.1)
    # The gradient of a key's bias is 0 but for rounding, which Adam would divide by itself.
    rule = config.rule_of(optim.sgd(0.3))
    learner = learners.translation(model, rule, length=text.length, smoothing=0.1)
    return training.Experiment(learner, text)


@functools.cache
def sentences(stream: bool = False) -> data.SentencePairs:
    """Documents of random sentences."""
    random = np.random.default_rng(0)
    known = ["the", "sea", "a", "hill", "runs", "King", "Edward", "sleeps", "far", "near"]

    def said() -> str:
        return " ".join(random.choice(known, random.integers(2, 8))) + "."

    splits = split_documents([[said() for _ in range(8)] for _ in range(20)])
    tokenizer = data.Tokenizer.word_pieces([" ".join(known), "."], 60)
    return pairs("sentences", splits, tokenizer, length=20, level="phrase", stream=stream)


def pretraining(config: Config) -> training.Experiment:
    """A BERT, whose masks are drawn in every step and in every evaluation."""
    text = sentences(config.stream)
    bert = models.BERT(text.tokenizer.size, 20, 1, 2, 8, dropout=0.1)
    rule = config.rule_of(optim.adam(1e-2))
    learner = learners.pretraining(models.BERTPretraining(bert), rule, text.masking)
    return training.Experiment(learner, text, "min mlm_loss")


def once(experiment):
    """`experiment`, made once for all configs that compute the same: its programs can be shared."""
    made = functools.cache(experiment)
    elsewhere = {
        field.name: field.default
        for field in dataclasses.fields(Config)
        if field.name in EXECUTION - {"stream", "remat"}
    }
    return functools.wraps(experiment)(
        lambda config: made(dataclasses.replace(config, **elsewhere))
    )


KINDS = {name: once(kind) for name, kind in {
    "classifier": classifier, "batch_norm": batch_norm, "gan": gan, "dqn": dqn, "ppo": ppo,
    "recurrent": recurrent, "attention": attention, "diffusion": diffusion, "flow": flow,
    "vae": vae, "translation": translation, "pretraining": pretraining,
}.items()}  # fmt: skip

# The default run keeps the promises with these, CI with all.
QUICK = ("classifier", "dqn", "attention")


def each_kind(quick: Sequence[str] = QUICK) -> list[Any]:
    """Every kind as a parameter of a test; those that are not quick only in CI."""
    return [pytest.param(kind, marks=() if kind in quick else pytest.mark.long) for kind in KINDS]
