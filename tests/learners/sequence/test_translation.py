"""Translation: exact losses, no leak, translations that depend on nothing else, and BLEU."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, learners, metrics, models, optim, training
from dlcourse.data import Tokenizer
from dlcourse.data.translation import END, PADDING, SPECIAL, START, pairs
from dlcourse.learner import Policy, Rule
from dlcourse.learners.sequence.translation import paired
from dlcourse.models.sequence import encoder_decoder
from dlcourse.training.commands.evaluate import Opened, evaluate

LENGTH, V = 7, 12
LETTERS = "abcdefgh"


def words(random, count):
    """Words and the same words in reverse."""
    made = ["".join(random.choice(list(LETTERS), random.integers(1, 6))) for _ in range(count)]
    return [(word, word[::-1]) for word in made]


@pytest.fixture(scope="module")
def text():
    random, splits = np.random.default_rng(0), {"train": 64, "validation": 5, "test": 33}
    parts = {split: words(random, count) for split, count in splits.items()}
    return pairs("own", parts, Tokenizer.characters(LETTERS, SPECIAL), LENGTH)


def network(name, dropout=0.0):
    if name == "transformer":
        return models.Transformer(V, 1, 2, 8, 12, dropout)
    return models.Seq2Seq(V, "gru", 8, name == "attention", dropout)


def learner_of(name, optimizer=None, policy=None, **options):
    rule = Rule(optimizer or optim.adam(1e-2), policy or Policy())
    return learners.translation(network(name), rule, length=LENGTH, **options)


@functools.cache
def compiled(name, beams):
    return jax.jit(learner_of(name, beams=beams).apply)


@pytest.fixture(
    scope="module", params=["transformer", pytest.param("attention", marks=pytest.mark.long)]
)
def learned(request, text):
    """A learner and a state whose weights are not small."""
    learner = learner_of(request.param)
    state = jax.jit(learner.init)(jax.random.key(1), text.batch(0, 3, seed=0))
    return request.param, learner, state.replace(params=jax.tree.map(lambda w: 3 * w, state.params))


def test_the_numbers_of_special_tokens_agree(text):
    assert encoder_decoder.PADDING == PADDING
    assert [text.tokenizer.number(token) for token in SPECIAL] == [PADDING, START, END]


def test_the_model_reads_the_target_one_place_later():
    batch = {"source": jnp.array([[3, 2]]), "target": jnp.array([[5, 6, END, PADDING]])}
    found = paired(batch)
    np.testing.assert_array_equal(found["pair"]["target"], [[START, 5, 6, END]])
    np.testing.assert_array_equal(found["target"], batch["target"])


def test_no_logit_depends_on_its_own_token_or_later_ones(learned, text):
    """By the gradient of each place's logits with respect to the embedded target."""
    name, _, state = learned
    model = network(name)
    batch = text.read(text.splits["test"][:1])
    before = paired(jax.device_put(batch))["pair"]

    def logits(shift):
        table = state.params["token"]["embedding"]
        # Each place gets a row of its own, so that a gradient tells the places apart.
        rows = jnp.concatenate([table, table[before["target"][0]] + shift])
        params = state.params | {"token": {"embedding": rows}}
        pair = {"source": before["source"], "target": V + jnp.arange(LENGTH)[None]}
        wide = model.clone(vocabulary=V + LENGTH)
        return wide.apply({"params": params}, pair)[0, :, :V]

    slope = jax.jit(jax.jacrev(logits))(jnp.zeros((LENGTH, 8)))
    size = np.abs(np.asarray(slope)).sum(axis=(1, 3))  # [place of a logit, place of the target]
    assert np.all(np.triu(size, 1) == 0)
    assert np.all(np.diagonal(size) > 0)


def test_the_metrics_are_those_of_every_token_once(learned, text):
    name, learner, state = learned
    batch = text.read(text.splits["test"])
    logits = network(name).apply({"params": state.params}, paired(jax.device_put(batch))["pair"])
    logits = np.asarray(logits, np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses, right = [], []
    for row, target in zip(log_p, batch["target"], strict=True):
        for place, token in enumerate(target[: list(target).index(END) + 1]):
            losses.append(-row[place, token])
            right.append(row[place].argmax() == token)
    evaluate_batch = jax.jit(learner.evaluate)
    for batch_size in (5, 33):
        batches = zip(*text.padded("test", batch_size), strict=True)
        sums = [evaluate_batch(state, text.read(i) | {"mask": mask}) for i, mask in batches]
        found = metrics.values(functools.reduce(functools.partial(jax.tree.map, jnp.add), sums))
        assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
        assert found["perplexity"] == pytest.approx(np.exp(np.mean(losses)), rel=1e-3)
        assert found["accuracy"] == pytest.approx(np.mean(right))


def test_accumulated_gradients_weigh_tokens(text):
    """Micro-batches have unequal numbers of tokens; the step is that of the whole batch."""
    batch = text.batch(0, 8, seed=0)
    assert len({int(np.sum(batch["target"][k::4] != PADDING)) for k in range(4)}) > 1
    found = []
    for accumulate in (1, 4):
        learner = learner_of("attention", optim.sgd(1.0), Policy(accumulate=accumulate))
        state = jax.jit(learner.init)(jax.random.key(0), batch)
        state, measures = jax.jit(learner.step)(state, batch, jax.random.key(0))
        found.append((measures["gradient_norm"].value, measures["loss"].value, state.params))
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=2e-5)


def test_packed_pairs_are_learned_as_if_each_were_alone(text):
    """The same loss and step as from one pair an example, at the other places of a row too."""
    said = [text.pairs[n] for n in text.splits["train"][:24]]
    own = {"train": said, "validation": said[:1], "test": said[:1]}
    found = []
    for pack in (False, True):
        made = pairs("own", own, text.tokenizer, 20, pack)
        numbers = made.splits["train"]
        batch = jax.device_put(made.read(numbers))
        learner = learner_of("transformer", optim.sgd(1.0))
        state = jax.jit(learner.init)(jax.random.key(0), batch)
        state, measures = jax.jit(learner.step)(state, batch, jax.random.key(0))
        found.append((metrics.values(measures), state.params, len(numbers)))
    (alone, params, count), (packed, packed_params, rows) = found
    assert rows < count / 2
    chex.assert_trees_all_close(packed, alone, rtol=1e-5)
    chex.assert_trees_all_close(packed_params, params, rtol=1e-4, atol=1e-6)


def test_label_smoothing_is_in_the_loss_alone(learned, text):
    name, learner, state = learned
    batch = text.read(text.splits["validation"]) | {"mask": np.ones(5, np.float32)}
    plain = metrics.values(jax.jit(learner.evaluate)(state, batch))
    smooth = metrics.values(jax.jit(learner_of(name, smoothing=0.2).evaluate)(state, batch))
    assert smooth["loss"] != pytest.approx(plain["loss"], rel=1e-3)
    for metric in ("cross_entropy", "accuracy", "perplexity"):
        assert smooth[metric] == pytest.approx(plain[metric])


def test_a_translation_depends_on_its_sentence_alone(learned, text):
    """Not on the batch size, nor on the amount of padding (OpenNMT-py #137)."""
    name, _, state = learned
    source = jnp.asarray(text.read(text.splits["test"][:32])["source"])
    apply = compiled(name, 3)
    together = apply(state, {"source": source}, jax.random.key(0))
    for size in (1, 7):
        parts = [source[start : start + size] for start in range(0, 4 * size, size)]
        parts = [part for part in parts if len(part) == size]
        found = [apply(state, {"source": part}, jax.random.key(0)) for part in parts]
        found = np.concatenate(found)
        np.testing.assert_array_equal(found, together[: len(found)])
    padded = apply(state, {"source": jnp.pad(source, ((0, 0), (0, 4)))}, jax.random.key(0))
    np.testing.assert_array_equal(padded, together)
    assert len(np.unique(together, axis=0)) > 1


@pytest.mark.long
def test_copying_is_learned_and_translated(text):
    """Teacher-forced loss of a copy task goes to 0, and beam search then copies."""
    learner = learner_of("transformer", optim.adam(2e-2), beams=2)
    numbers = text.splits["train"][:16]
    source = jnp.asarray(text.read(numbers)["source"])
    batch = {"source": source, "target": source}
    state = jax.jit(learner.init)(jax.random.key(0), batch)

    def body(state, key):
        state, measures = learner.step(state, batch, key)
        return state, measures["loss"].value

    state, losses = jax.jit(
        lambda state: jax.lax.scan(body, state, jax.random.split(jax.random.key(0), 300))
    )(state)
    assert losses[0] > 2
    assert losses[-1] < 0.02
    found = jax.jit(learner.apply)(state, {"source": source}, jax.random.key(0))
    assert text.decode(np.asarray(found)) == [text.pairs[n][0] for n in numbers]


def test_bleu_is_sacrebleus_with_its_signature():
    right = ["Ein Mann geht über die Straße.", "Zwei Hunde laufen im Schnee herum."]
    found = analysis.bleu(["ein Mann geht über die Straße.", "Zwei Hunde laufen im Gras."], right)
    (lower, lower_score), (mixed, mixed_score) = found.items()
    assert lower.startswith("BLEU|nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:")
    assert mixed.startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    # In lower case 12 of 13 tokens are right, 9 of 11 pairs, 7 of 9 triples, 5 of 7 fours.
    precisions = np.array([12 / 13, 9 / 11, 7 / 9, 5 / 7])
    expected = 100 * np.exp(1 - 14 / 13) * np.exp(np.mean(np.log(precisions)))
    assert lower_score == pytest.approx(expected)
    assert mixed_score < lower_score
    assert [*analysis.bleu(right, right).values()] == pytest.approx([100, 100])
    (name, score), _ = analysis.bleu(["fünfzig"], ["fünfzig"], "char").items()
    assert "tok:char" in name
    assert score == pytest.approx(100)


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    def experiment(config):
        learner = learner_of("attention")
        translate = analysis.translator(learner.apply)
        return training.Experiment(
            learner, text,
            measure=analysis.translation_scores(translate, text),
            figures={"attention": analysis.cross_attention(network("attention"), translate, text)},
            snapshots={"written": analysis.translated_text(translate, text, 2)},
        )  # fmt: skip

    config = training.Config(
        steps=2, batch_size=8, seeds=2, workdir=tmp_path_factory.mktemp("run"), progress=False
    )
    made = training.run(experiment, config, name="translation", silent=True)
    opened = Opened("translation", config, experiment, config.workdir)
    return made, opened


@pytest.mark.long
def test_the_scores_are_in_the_summary_and_evaluated_again(run, text):
    made, opened = run
    test = made.summary["metrics"]["test"]
    signatures = [name for name in test if name.startswith("BLEU|")]
    assert len(signatures) == 2
    for name in (*signatures, "exact_match"):
        assert made.values("test", name).shape == (2,)
        assert name not in made.summary["metrics"]["validation"]
    # By hand, for the second seed.
    source = text.read(text.splits["test"])["source"]
    state = made.by_seed()[1]
    tokens = compiled("attention", 1)(state, {"source": source}, jax.random.key(0))
    expected = analysis.bleu(
        text.decode(np.asarray(tokens)), [text.pairs[n][1] for n in text.splits["test"]]
    )
    for name in signatures:
        assert made.values("test", name)[1] == pytest.approx(expected[name])
    again = evaluate(opened.loop(), None, None)["metrics"]
    assert again["test"] == test
    assert set(signatures) < set(again["validation"])


@pytest.mark.long
def test_translations_and_attention_are_drawn(run):
    made, _ = run
    drawn = {file.name for file in (made.folder / "figures").iterdir()}
    assert {"attention.png", "curves.png", "written_00000002.txt"} <= drawn
    written = (made.folder / "figures" / "written_00000002.txt").read_text()
    assert [line[0] for line in written.splitlines() if line] == [" ", "=", ">"] * 2
