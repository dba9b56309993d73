"""How published files of BERT, DistilBERT and GPT-2 name the weights of our modules."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import flax.linen as nn

from dlcourse.errors import UserError
from dlcourse.models import BERT, GPT, BERTPretraining


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One architecture in files of Hugging Face's `transformers`.

    Attributes:
        build: our module, from the content of `config.json` and the names of the tensors.
        describe: the content of `config.json`, from our module.
        names: modules, theirs to ours; `{n}` is the number of a layer. Theirs may hold several of
            ours side by side.
        prefix: which theirs may have before the names of the encoder or decoder.
        tied: tensors that repeat another.
        ignored: a regular expression of tensors that are constants.
        out_in: whether kernels are (out, in), as PyTorch's `Linear` has them, or (in, out).
    """

    build: Callable[[Mapping[str, Any], Collection[str]], nn.Module]
    describe: Callable[[nn.Module], dict[str, Any]]
    names: Mapping[str, str | tuple[str, ...]]
    prefix: str
    tied: Mapping[str, str]
    ignored: str
    out_in: bool = True


def _only(config: Mapping[str, Any], **expected: Any) -> None:
    """Refuses a variant of the architecture that our module does not have."""
    for name, value in expected.items():
        if config.get(name, value) != value:
            raise UserError(
                f"config.json has {name} = {config[name]!r}; only {value!r} is supported."
            )


def _sizes(config: Mapping[str, Any], *names: str) -> list[Any]:
    lacking = [name for name in names if name not in config]
    if lacking:
        raise UserError(f"config.json lacks {', '.join(lacking)}.")
    return [config[name] for name in names]


def bert_of(config: Mapping[str, Any], tensors: Collection[str]) -> nn.Module:
    """BERT, with its tasks if the file has the weights of the first."""
    _only(config, hidden_act="gelu", layer_norm_eps=1e-12, type_vocab_size=2, is_decoder=False,
          position_embedding_type="absolute", tie_word_embeddings=True)  # fmt: skip
    sizes = _sizes(
        config, "vocab_size", "max_position_embeddings", "num_hidden_layers",
        "num_attention_heads", "hidden_size", "intermediate_size",
    )  # fmt: skip
    pools = any(name.startswith("pooler.") for name in tensors)
    bert = BERT(*sizes, pools=pools, dropout=config.get("hidden_dropout_prob", 0.1))
    return BERTPretraining(bert) if "cls.predictions.bias" in tensors else bert


def _describe_bert(model: nn.Module) -> dict[str, Any]:
    bert = model.bert if isinstance(model, BERTPretraining) else model
    kind = "BertModel"
    if bert is not model:
        kind = "BertForPreTraining" if bert.pools else "BertForMaskedLM"
    return {
        "architectures": [kind], "model_type": "bert", "vocab_size": bert.vocabulary,
        "max_position_embeddings": bert.context, "num_hidden_layers": bert.layers,
        "num_attention_heads": bert.heads, "hidden_size": bert.features,
        "intermediate_size": bert.hidden or 4 * bert.features, "type_vocab_size": 2,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": bert.dropout,
        "attention_probs_dropout_prob": 0.0, "pad_token_id": 0,
    }  # fmt: skip


def distilbert_of(config: Mapping[str, Any], tensors: Collection[str]) -> nn.Module:
    """BERT without segments and pooler, with its first task if the file has the weights."""
    _only(config, activation="gelu", tie_word_embeddings=True)
    sizes = _sizes(
        config, "vocab_size", "max_position_embeddings", "n_layers", "n_heads", "dim", "hidden_dim"
    )
    bert = BERT(*sizes, has_segments=False, pools=False, dropout=config.get("dropout", 0.1))
    return BERTPretraining(bert) if "vocab_projector.bias" in tensors else bert


def _describe_distilbert(model: nn.Module) -> dict[str, Any]:
    bert = model.bert if isinstance(model, BERTPretraining) else model
    return {
        "architectures": ["DistilBertModel" if bert is model else "DistilBertForMaskedLM"],
        "model_type": "distilbert", "vocab_size": bert.vocabulary,
        "max_position_embeddings": bert.context, "n_layers": bert.layers, "n_heads": bert.heads,
        "dim": bert.features, "hidden_dim": bert.hidden or 4 * bert.features,
        "activation": "gelu", "dropout": bert.dropout, "attention_dropout": 0.0,
        "pad_token_id": 0,
    }  # fmt: skip


def gpt2_of(config: Mapping[str, Any], tensors: Collection[str]) -> nn.Module:
    """GPT-2; the output layer is the embedding, whether or not the file repeats it."""
    del tensors
    _only(config, activation_function="gelu_new", layer_norm_epsilon=1e-5, scale_attn_weights=True,
          scale_attn_by_inverse_layer_idx=False, tie_word_embeddings=True,
          add_cross_attention=False)  # fmt: skip
    *sizes, width = _sizes(config, "vocab_size", "n_positions", "n_layer", "n_head", "n_embd")
    if config.get("n_inner") not in (None, 4 * width):
        raise UserError(
            f"config.json has n_inner = {config['n_inner']}; only 4 n_embd = {4 * width} is "
            "supported."
        )
    return GPT(*sizes, width, dropout=config.get("resid_pdrop", 0.1))


def _describe_gpt2(model: nn.Module) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": model.vocabulary,
        "n_positions": model.context, "n_layer": model.layers, "n_head": model.heads,
        "n_embd": model.features, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
        "resid_pdrop": model.dropout, "embd_pdrop": model.dropout, "attn_pdrop": 0.0,
    }  # fmt: skip


ARCHITECTURES = {
    "bert": Architecture(
        bert_of,
        _describe_bert,
        {
            "embeddings.word_embeddings": "token",
            "embeddings.position_embeddings": "place",
            "embeddings.token_type_embeddings": "segment",
            "embeddings.LayerNorm": "norm",
            "encoder.layer.{n}.attention.self.query": "encoder_{n}/attention/query",
            "encoder.layer.{n}.attention.self.key": "encoder_{n}/attention/key",
            "encoder.layer.{n}.attention.self.value": "encoder_{n}/attention/value",
            "encoder.layer.{n}.attention.output.dense": "encoder_{n}/attention/out",
            "encoder.layer.{n}.attention.output.LayerNorm": "encoder_{n}/attention_norm",
            "encoder.layer.{n}.intermediate.dense": "encoder_{n}/into",
            "encoder.layer.{n}.output.dense": "encoder_{n}/out",
            "encoder.layer.{n}.output.LayerNorm": "encoder_{n}/dense_norm",
            "pooler.dense": "pooler",
            "cls.predictions.transform.dense": "transform",
            "cls.predictions.transform.LayerNorm": "transform_norm",
            "cls.predictions": "",
            "cls.seq_relationship": "follows",
        },
        prefix="bert.",
        tied={
            "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        ignored=r"embeddings\.(position_ids|token_type_ids)",
    ),
    "distilbert": Architecture(
        distilbert_of,
        _describe_distilbert,
        {
            "embeddings.word_embeddings": "token",
            "embeddings.position_embeddings": "place",
            "embeddings.LayerNorm": "norm",
            "transformer.layer.{n}.attention.q_lin": "encoder_{n}/attention/query",
            "transformer.layer.{n}.attention.k_lin": "encoder_{n}/attention/key",
            "transformer.layer.{n}.attention.v_lin": "encoder_{n}/attention/value",
            "transformer.layer.{n}.attention.out_lin": "encoder_{n}/attention/out",
            "transformer.layer.{n}.sa_layer_norm": "encoder_{n}/attention_norm",
            "transformer.layer.{n}.ffn.lin1": "encoder_{n}/into",
            "transformer.layer.{n}.ffn.lin2": "encoder_{n}/out",
            "transformer.layer.{n}.output_layer_norm": "encoder_{n}/dense_norm",
            "vocab_transform": "transform",
            "vocab_layer_norm": "transform_norm",
            "vocab_projector": "",
        },
        prefix="distilbert.",
        tied={"vocab_projector.weight": "embeddings.word_embeddings.weight"},
        ignored=r"embeddings\.position_ids",
    ),
    "gpt2": Architecture(
        gpt2_of,
        _describe_gpt2,
        {
            "wte": "token",
            "wpe": "place",
            "h.{n}.ln_1": "blocks_{n}/attention_norm",
            "h.{n}.attn.c_attn": (
                "blocks_{n}/attention/query",
                "blocks_{n}/attention/key",
                "blocks_{n}/attention/value",
            ),
            "h.{n}.attn.c_proj": "blocks_{n}/attention/out",
            "h.{n}.ln_2": "blocks_{n}/dense_norm",
            "h.{n}.mlp.c_fc": "blocks_{n}/into",
            "h.{n}.mlp.c_proj": "blocks_{n}/out",
            "ln_f": "norm",
        },
        prefix="transformer.",
        tied={"lm_head.weight": "wte.weight"},
        ignored=r"h\.\d+\.attn\.(bias|masked_bias)",
        out_in=False,
    ),
}


def of_model(model: nn.Module) -> str:
    """The name of the architecture that a module of ours has.

    Raises:
        UserError: it has none of these.
    """
    bert = model.bert if isinstance(model, BERTPretraining) else model
    if isinstance(bert, BERT) and bert.has_segments:
        return "bert"
    if isinstance(bert, BERT) and not bert.pools:
        return "distilbert"
    if isinstance(model, GPT) and model.use_bias:
        return "gpt2"
    raise UserError(f"Published files have no layout for this {type(model).__name__}.")
