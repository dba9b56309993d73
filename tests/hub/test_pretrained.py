"""Published layouts of BERT, DistilBERT and GPT-2: the numbers of transformers, and back again."""

import functools
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from dlcourse import hub, models
from dlcourse.errors import UsageError, UserError
from tests import ROOT
from tests.models.variables import drawn

FIXTURES = ROOT / "tests" / "fixtures" / "hub"
KINDS = ("bert", "distilbert", "gpt2")
OUTPUTS = dict(np.load(FIXTURES / "outputs.npz"))
TOKENS, SEGMENTS = OUTPUTS["tokens"], OUTPUTS["segments"]
PREFIX = {"bert": "bert.", "distilbert": "distilbert.", "gpt2": "transformer."}
close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=2e-5)


@functools.cache
def fixture(kind):
    """The tensors of a fixture."""
    return safetensors.numpy.load_file(FIXTURES / kind / "model.safetensors")


@functools.cache
def read(kind):
    return hub.read(FIXTURES / kind)


@pytest.fixture
def folder(tmp_path):
    """Writes a fixture with other tensors or another config."""

    def write(kind, tensors=None, **config):
        shutil.copytree(FIXTURES / kind, tmp_path / kind)
        place = tmp_path / kind / "model.safetensors"
        if tensors is not None:
            safetensors.numpy.save_file(tensors, place)
        whole = json.loads((tmp_path / kind / "config.json").read_text()) | config
        (tmp_path / kind / "config.json").write_text(json.dumps(whole))
        return tmp_path / kind

    return write


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == array.tobytes(), name


def written(pretrained, place):
    hub.write(place, pretrained)
    return safetensors.numpy.load_file(place / "model.safetensors")


def test_bert_gives_the_numbers_of_transformers():
    pretrained, real = read("bert"), TOKENS != 0
    bert, params = pretrained.encoder

    @jax.jit
    def run(params, inside):
        text = {"tokens": jnp.asarray(TOKENS), "segments": jnp.asarray(SEGMENTS)}
        encoded = bert.apply({"params": inside}, *text.values())
        return pretrained.model.apply({"params": params}, text), encoded.places

    logits, places = run(pretrained.params, params)
    close(np.asarray(places)[real], OUTPUTS["bert/places"][real])
    close(np.asarray(logits["masked"])[real], OUTPUTS["bert/masked"][real])
    close(logits["follows"], OUTPUTS["bert/follows"])


def test_distilbert_gives_the_numbers_of_transformers():
    pretrained, real = read("distilbert"), TOKENS != 0
    logits = jax.jit(pretrained.model.apply)({"params": pretrained.params}, {"tokens": TOKENS})
    close(np.asarray(logits["masked"])[real], OUTPUTS["distilbert/masked"][real])
    assert "follows" not in logits


def test_gpt2_gives_the_numbers_of_transformers():
    pretrained = read("gpt2")
    logits = jax.jit(pretrained.model.apply)({"params": pretrained.params}, TOKENS)
    close(logits, OUTPUTS["gpt2/logits"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_keeps_every_byte(kind, tmp_path):
    same(written(read(kind), tmp_path), fixture(kind))
    assert json.loads((tmp_path / "config.json").read_text()) == read(kind).config


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_trained_here_is_written_as_transformers_would(kind, tmp_path):
    """Names and sizes; the config alone rebuilds the same network."""
    fresh = hub.Pretrained(read(kind).model, read(kind).params)
    same(written(fresh, tmp_path), fixture(kind))
    again = hub.read(tmp_path)
    assert again.model == fresh.model
    theirs, ours = json.loads((FIXTURES / kind / "config.json").read_text()), again.config
    differ = {name for name in ours if ours[name] != theirs[name]}
    assert differ <= {"attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"}


@pytest.mark.parametrize("kind", KINDS)
def test_names_without_the_prefix_are_the_same(kind, folder, tmp_path):
    """And with the tied output layer and the constants of older files, all of which come back."""
    bare = {name.removeprefix(PREFIX[kind]): array for name, array in fixture(kind).items()}
    mask = np.tril(np.ones((1, 1, 7, 7), np.float32))
    places = np.arange(7)[None]
    bare |= {
        "bert": {
            "cls.predictions.decoder.weight": bare.get("embeddings.word_embeddings.weight"),
            "cls.predictions.decoder.bias": bare.get("cls.predictions.bias"),
            "embeddings.position_ids": places,
        },
        "distilbert": {
            "vocab_projector.weight": bare.get("embeddings.word_embeddings.weight"),
            "embeddings.position_ids": places,
        },
        "gpt2": {"lm_head.weight": bare.get("wte.weight"), "h.0.attn.bias": mask,
                 "h.1.attn.bias": mask, "h.1.attn.masked_bias": np.array(-1e4, np.float32)},
    }[kind]  # fmt: skip
    found = hub.read(folder(kind, bare))
    jax.tree.map(np.testing.assert_array_equal, found.params, read(kind).params)
    same(written(found, tmp_path / "out"), bare)


def test_the_encoder_alone(folder, tmp_path):
    """A file of `BertModel`, as sentence models are; with the names of norms as once in TensorFlow,
    and with the classifier of a fine-tuned one left out."""
    encoder = {
        name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma"): array
        for name, array in fixture("bert").items()
        if not name.startswith("cls.")
    }
    place = folder("bert", encoder | {"classifier.weight": np.ones((2, 8), np.float32)})
    with pytest.raises(UserError, match=r"nothing here takes the tensor classifier.weight \(1 su"):
        hub.read(place)
    found = hub.read(place, ignore="^classifier")
    assert found.model == found.encoder[0] == read("bert").encoder[0]
    jax.tree.map(np.testing.assert_array_equal, found.encoder[1], read("bert").encoder[1])
    same(written(found, tmp_path / "out"), encoder)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_types_come_back(dtype, folder, tmp_path):
    half = {name: array.astype(jnp.dtype(dtype)) for name, array in fixture("gpt2").items()}
    found = hub.read(folder("gpt2", half))
    assert {leaf.dtype for leaf in jax.tree.leaves(found.params)} == {np.dtype(np.float32)}
    same(written(found, tmp_path / "out"), half)


@pytest.fixture
def sharded(folder):
    place = folder("bert")
    (place / "model.safetensors").unlink()
    names = sorted(fixture("bert"))
    index = {}
    for number, part in enumerate((names[::2], names[1::2])):
        file = f"model-{number + 1:05}-of-00002.safetensors"
        safetensors.numpy.save_file({n: fixture("bert")[n] for n in part}, place / file)
        index |= dict.fromkeys(part, file)
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return place


def test_shards_are_one_file(sharded, tmp_path):
    same(written(hub.read(sharded), tmp_path / "out"), fixture("bert"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: m.pop("bert.pooler.dense.bias"), "holds bert.pooler.dense.bias; .* not say so"),
        (lambda m: m.update(more="model-00001-of-00002.safetensors"), "lacks more, which"),
        (lambda m: m.update(more="model-3.safetensors"), "lacks model-3.safetensors, which"),
        (lambda m: m.update(more="../a.safetensors"), "which is not beside it"),
    ],
)
def test_shards_that_do_not_agree_are_refused(sharded, spoil, message):
    place = sharded / "model.safetensors.index.json"
    whole = json.loads(place.read_text())
    spoil(whole["weight_map"])
    place.write_text(json.dumps(whole))
    with pytest.raises(UserError, match=message):
        hub.read(sharded)


def without(name):
    return lambda tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("kind", "spoil", "config", "message"),
    [
        ("gpt2", without("transformer.ln_f.bias"), {}, r"ln_f.bias is lacking \(1 such\)"),
        ("bert", without("cls.seq_relationship.weight"), {}, "cls.seq_relationship.weight is lac"),
        ("gpt2", lambda t: t.update(wte=np.ones(1)), {}, r"nothing here takes the tensor wte"),
        ("gpt2", lambda t: t.update({"lm_head.weight": np.ones((13, 8))}), {}, "differs from wte"),
        ("gpt2", lambda t: t.update({"ln_f.bias": np.ones(8)}), {}, "ln_f.bias twice"),
        ("gpt2", dict, {"n_layer": 3}, r"h.2.attn.c_attn.bias is lacking \(12 such\)"),
        ("gpt2", dict, {"n_layer": 1}, r"takes the tensor h.1.attn.c_attn.bias \(12 such\)"),
        ("bert", dict, {"vocab_size": 17}, r"word_embeddings.weight has the shape \(13, 8\); .*"
         r"asks for \(17, 8\)"),
        ("bert", dict, {"intermediate_size": 20}, r"\(12, 8\); .* asks for \(20, 8\)"),
        ("gpt2", dict, {"n_embd": 6}, r"\(13, 8\); config.json asks for \(13, 6\)"),
        ("bert", dict, {"hidden_act": "relu"}, "hidden_act = 'relu'; only 'gelu' is supported"),
        ("bert", dict, {"layer_norm_eps": 1e-5}, "only 1e-12"),
        ("gpt2", dict, {"n_inner": 24}, "n_inner = 24; only 4 n_embd = 32"),
        ("gpt2", dict, {"tie_word_embeddings": False}, "only True"),
        ("gpt2", dict, {"model_type": "llama"}, "model_type 'llama'; known are bert, distilbert"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(kind, spoil, config, message, folder):
    tensors = dict(fixture(kind))
    spoil(tensors)
    with pytest.raises(UserError, match=message) as caught:
        hub.read(folder(kind, tensors, **config))
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_is_unpickled(tmp_path):
    place = tmp_path / "pytorch_model.bin"
    place.write_bytes(b"\x80\x04")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    for named in (tmp_path, place):
        with pytest.raises(UserError, match=r"is a pickle.*not read") as caught:
            hub.read(named)
        assert "torch.load('pytorch_model.bin', map_location='cpu', weights_only" in str(
            caught.value
        )
        assert len(str(caught.value).splitlines()) == 2


def test_files_that_are_not_there_or_broken(folder, tmp_path):
    with pytest.raises(UsageError, match="There is no folder of weights nowhere"):
        hub.read("nowhere")
    place = folder("gpt2")
    (place / "model.safetensors").write_bytes(b"\0" * 99)
    with pytest.raises(UserError, match=r"model.safetensors is not a whole safetensors file \(Err"):
        hub.read(place)
    (place / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has neither model.safetensors nor model.safetensors.in"):
        hub.read(place)
    (place / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json is not JSON"):
        hub.read(place)
    (place / "config.json").unlink()
    with pytest.raises(UserError, match=r"config.json cannot be read \(No such file"):
        hub.read(place)
    (place / "config.json").write_text('{"model_type": "gpt2"}')
    shutil.copy(FIXTURES / "gpt2" / "model.safetensors", place)
    with pytest.raises(UserError, match=r"config.json lacks vocab_size, n_positions, n_layer, n_h"):
        hub.read(place)


def test_networks_without_a_layout_are_refused(tmp_path):
    model = models.GPT(13, 7, 1, 1, 4, use_bias=False)
    with pytest.raises(UserError, match="Published files have no layout for this GPT"):
        hub.write(tmp_path, hub.Pretrained(model, drawn(model, TOKENS)["params"]))
    with pytest.raises(UserError, match="A GPT has no encoder"):
        _ = read("gpt2").encoder
