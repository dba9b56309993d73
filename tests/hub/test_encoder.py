"""A pretrained encoder under a head: where training begins, features, and judging sentences."""

import dataclasses

import chex
import jax
import numpy as np
import pytest

from dlcourse import data, hub, learners, losses, models, optim, training
from dlcourse.data import opinions
from dlcourse.errors import UsageError, UserError
from dlcourse.hub import features
from dlcourse.learner import Policy, Rule
from dlcourse.sentiment import predict_sentiment
from dlcourse.training.commands.parse import load_experiment
from tests import ROOT

pytestmark = pytest.mark.usefixtures("without_curves")

FIXTURES = ROOT / "tests" / "fixtures" / "hub"
SENTIMENT = ROOT / "experiments" / "sequence" / "sentiment.py"
TOKENIZER = data.Tokenizer.word_pieces(["great terrible"], 13)
TEXTS = ["great", "terrible", "great great great", "great terrible", "terrible great", "terrible"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny BERT with a tokenizer; it has 7 places."""
    place = tmp_path_factory.mktemp("weights") / "bert"
    hub.write(place, hub.read(FIXTURES / "bert"), TOKENIZER)
    return place


@pytest.fixture(scope="module", autouse=True)
def sentences():
    """A few sentences in place of the generated ones, and a cache of the tests' own."""
    splits = ("train", "validation", "test")
    texts = dict.fromkeys(splits, TEXTS)
    labels = {split: [1, 0, 1, 0, 1, 0] for split in splits}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opinions, "opinions", lambda: (texts, labels))
        yield


@pytest.fixture(scope="module")
def run(folder, without_curves, tmp_path_factory):
    """A run of three steps from pretrained weights."""
    module = load_experiment(SENTIMENT)
    config = module.Config(
        network="BERT", pretrained=str(folder), length=7, steps=3, batch_size=2, progress=False,
        fine_tuning_rate=0.01, ema=0.5, workdir=tmp_path_factory.mktemp("run") / "of",
    )  # fmt: skip
    return training.run(module.experiment, config, name="sentiment", file=SENTIMENT, silent=True)


def learner_of(encoder, **policy):
    return learners.supervised(
        models.TextClassifier(2, encoder.bert),
        losses.softmax_cross_entropy,
        Rule(optim.sgd(0.1), Policy(**policy)),
        inputs="text",
        begin=encoder.begin,
    )


def test_training_begins_with_the_pretrained_weights(folder):
    """The average too; the same for each seed, whose heads differ."""
    encoder = hub.encoder(str(folder))
    weights = hub.read(folder).encoder[1]
    assert "pooler" not in encoder.weights()
    batch = data.labelled_texts("generated_reviews", length=7, tokenizer=encoder.tokenizer)
    learner = training.over_seeds(learner_of(encoder, ema=0.9))
    keys = jax.random.split(jax.random.key(0), 2)
    prepared = batch.prepare(batch.read(np.array([[0, 1], [2, 3]])))
    state = jax.jit(learner.init)(keys, prepared)
    for params in (state.params, state.average):
        for seed in range(2):
            own = jax.tree.map(lambda leaf, seed=seed: leaf[seed], params["encoder"])
            chex.assert_trees_all_equal(own, {part: weights[part] for part in own})
        head = params["Dense_0"]["kernel"]
        assert np.any(head[0] != head[1])


@pytest.mark.long
def test_a_run_needs_the_pretrained_weights_no_more(run, folder, tmp_path, monkeypatch):
    """Nor the tokenizer: the folder of the run has its sizes and its vocabulary."""
    before = predict_sentiment(run, *TEXTS)
    monkeypatch.setattr(hub.starting, "_weights", lambda name: pytest.fail("read again"))
    monkeypatch.setattr(hub.starting, "folder_of", lambda name: pytest.fail("sought again"))
    after = predict_sentiment(run.folder, *TEXTS)
    np.testing.assert_array_equal(after, before)
    assert after.shape == (6,)
    assert np.all((after > 0) & (after < 1))
    np.testing.assert_allclose(predict_sentiment(run, TEXTS[2])[0], before[2], rtol=1e-5)
    kept = {path.name for path in run.folder.iterdir()}
    assert kept >= {"tokenizer.json", "pretrained.json"}


def test_what_cannot_be_judged_is_refused(run, tmp_path):
    for texts in ((), ("great", " ")):
        with pytest.raises(UsageError, match="There is no text to judge"):
            predict_sentiment(run, *texts)
    digits = dataclasses.replace(run, make=lambda config: None)
    digits.__dict__["experiment"] = dataclasses.replace(run.experiment, data=data.images("digits"))
    with pytest.raises(UsageError, match="holds no run on texts that are positive or negative"):
        predict_sentiment(digits, "great")
    with pytest.raises(UserError, match=r"has no config\.json"):
        predict_sentiment(tmp_path, "great")


def test_features_are_the_outputs_of_the_last_layer(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "cache_folder", lambda: tmp_path / "cache")
    encoder = hub.encoder(str(folder))
    texts = data.labelled_texts("generated_reviews", length=7, tokenizer=encoder.tokenizer)
    fewer = texts.with_fewer(3)
    found = hub.with_features(fewer, encoder)
    assert {split: len(numbers) for split, numbers in found.splits.items()} == {
        "train": 3, "validation": 6, "test": 6,
    }  # fmt: skip
    bert = jax.jit(lambda tokens: encoder.bert.apply({"params": encoder.weights()}, tokens).places)
    for split in texts.splits:
        assert found.of(split)[0] == fewer.of(split)[0]
        np.testing.assert_array_equal(found.of(split)[1], fewer.of(split)[1])
        numbers = fewer.splits[split]
        batch = found.prepare(found.read(found.splits[split]))
        tokens = texts.prepare(texts.read(numbers))["text"]["tokens"]
        real = np.asarray(tokens) != 0
        expected = np.asarray(bert(tokens))
        given = np.asarray(batch["text"]["features"])
        np.testing.assert_allclose(given[real], expected[real], atol=2e-3, rtol=2e-3)
        np.testing.assert_array_equal(batch["text"]["lengths"], real.sum(1))
    own = found.encode([found.texts[0]])
    np.testing.assert_allclose(own["features"][0], found.examples["features"][0], atol=2e-3)

    monkeypatch.setattr(features, "_compute", lambda *_: pytest.fail("computed again"))
    again = hub.with_features(fewer, encoder)
    np.testing.assert_array_equal(again.examples["features"], found.examples["features"])


def test_what_is_no_encoder_is_refused():
    with pytest.raises(UserError, match="has model_type 'gpt2'; an encoder is bert or distilbert"):
        hub.encoder(str(FIXTURES / "gpt2"))
    module = load_experiment(SENTIMENT)
    with pytest.raises(UsageError, match="BERT\\+GRU reads pretrained features: give --pretrained"):
        module.experiment(module.Config(network="BERT+GRU"))
