"""Language models: an exact loss at any batch size, and continuations of prompts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, metrics, models, optim
from dlcourse.analysis import written_text
from dlcourse.errors import UserError
from dlcourse.learner import Policy, Rule

PARTS = {"train": "to be, or not to be: " * 3, "validation": "not to be?", "test": "to be or bee"}
CONTEXT = 4


@pytest.fixture(scope="module")
def text():
    return data.cut_text("own", PARTS, context=CONTEXT)


def network(name, text):
    size = text.tokenizer.size
    if name == "GPT":
        return models.GPT(size, CONTEXT, 1, 2, 6)
    return models.RecurrentLM(size, "gru", (5,))


@pytest.fixture(scope="module", params=["GPT", "GRU"])
def learned(request, text):
    """A learner and a state whose weights are not small."""
    model = network(request.param, text)
    rule = Rule(optim.adam(1e-2))
    learner = learners.language_model(model, rule, context=CONTEXT, length=11)
    state = jax.jit(learner.init)(jax.random.key(0), text.batch(0, 3, seed=0))
    return model, learner, state.replace(params=jax.tree.map(lambda w: 4 * w, state.params))


def measured(learner, state, text, batch_size):
    evaluate = jax.jit(learner.evaluate)
    batches = zip(*text.padded("test", batch_size), strict=True)
    sums = [evaluate(state, text.read(index) | {"mask": mask}) for index, mask in batches]
    return metrics.values(functools.reduce(functools.partial(jax.tree.map, jnp.add), sums))


def test_the_metrics_are_those_of_every_character_once(learned, text):
    """11 predictions of the test split: blocks of 4, 4 and 3."""
    model, learner, state = learned
    tokens, losses, right = np.asarray(text.parts["test"], np.int32), [], []
    run = jax.jit(lambda tokens: model.apply({"params": state.params}, tokens)[0])
    for start in (0, 4, 8):
        block = tokens[start : start + 5]
        inputs = np.pad(block[:-1], (0, 5 - len(block)))[None]
        logits = np.asarray(run(inputs), np.float64)[: len(block) - 1]
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        losses += [-row[token] for row, token in zip(log_p, block[1:], strict=True)]
        right += (logits.argmax(-1) == block[1:]).tolist()
    assert len(losses) == 11
    for batch_size in (1, 2, 5):
        found = measured(learner, state, text, batch_size)
        assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
        assert found["perplexity"] == pytest.approx(np.exp(np.mean(losses)), rel=1e-5)
        assert found["accuracy"] == pytest.approx(np.mean(right))


def test_a_prompt_is_continued_beyond_the_context(learned, text):
    """Greedy: each token is the most probable one after those that the model then sees."""
    model, _, state = learned
    greedy = learners.language_model(
        model, Rule(optim.adam(1e-2)), context=CONTEXT, length=11, temperature=0.0
    )
    prompt = text.tokenizer.encode("to ").astype(np.int32)[None]
    found = jax.jit(greedy.apply)(state, {"prompt": prompt}, jax.random.key(0))
    assert found.shape == (1, 11)
    seen, expected = prompt[0].tolist(), []
    run = jax.jit(lambda tokens: model.apply({"params": state.params}, tokens)[0])
    for _ in range(11):
        if len(seen) == CONTEXT:
            seen = seen[-CONTEXT // 2 :]  # the last half is the new prompt
        logits = run(jnp.array([seen + [0] * (CONTEXT - len(seen))]))  # it looks back only
        expected.append(int(jnp.argmax(logits[len(seen) - 1])))
        seen.append(expected[-1])
    np.testing.assert_array_equal(found[0], expected)


def test_without_a_prompt_there_are_logits(learned, text):
    model, learner, state = learned
    batch = jax.device_put(text.read(text.splits["test"]))
    found = learner.apply(state, batch, jax.random.key(0))
    np.testing.assert_array_equal(found, model.apply({"params": state.params}, batch["tokens"]))


def test_a_prompt_that_leaves_no_room_is_refused(learned):
    _, learner, state = learned
    with pytest.raises(UserError, match="A prompt of 4 tokens leaves no room in a context of 4"):
        learner.apply(state, {"prompt": jnp.zeros((1, 4), int)}, jax.random.key(0))
    with pytest.raises(UserError, match="at least one token"):
        learner.apply(state, {"prompt": jnp.zeros((1, 0), int)}, jax.random.key(0))


def test_low_precision_continues_a_prompt(text):
    model = network("GPT", text)
    rule = Rule(optim.adam(1e-2), Policy(precision="bfloat16"))
    learner = learners.language_model(model, rule, context=CONTEXT, length=2)
    state = jax.jit(learner.init)(jax.random.key(0), text.batch(0, 3, seed=0))
    found = jax.jit(learner.apply)(
        state, {"prompt": jnp.zeros((2, 1), jnp.int32)}, jax.random.key(0)
    )
    assert found.shape == (2, 2)


def test_a_written_text_begins_with_its_prompt(learned, text):
    _, learner, state = learned
    write = written_text(learner.apply, text, ["to", "be "])
    first, second = write(state).rstrip("\n").split(f"\n\n{'-' * 20}\n\n")
    assert (first[:2], second[:3]) == ("to", "be ")
    assert (len(first), len(second)) == (2 + 11, 3 + 11)
    assert write(state) == write(state)
    with pytest.raises(UserError, match="knows no 'X'"):
        written_text(learner.apply, text, ["X"])
