"""What a translator writes, and where it looks at the source meanwhile."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dlcourse.analysis.draw.attention import draw_attention
from dlcourse.analysis.measure.translations import Translate
from dlcourse.data import Translation
from dlcourse.data.translation import END, PADDING, START
from dlcourse.learner import State


def translated_text(
    translate: Translate, data: Translation, count: int = 8
) -> Callable[[State], str]:
    """A function from a state to validation sentences: source, reference, translation.

    Args:
        translate: from `translator`.
        data: what the state has learned from.
        count: number of sentences.
    """
    numbers = data.splits["validation"][:count]
    sources = data.read(numbers)["source"]

    def write(state: State) -> str:
        found = data.decode(translate(state, sources))
        texts = [(*data.pairs[n], text) for n, text in zip(numbers, found, strict=True)]
        return "\n\n".join(f"  {s}\n= {r}\n> {t}" for s, r, t in texts) + "\n"

    return write


def cross_attention(
    model: nn.Module, translate: Translate, data: Translation, number: int = 0
) -> Callable[[State], Any]:
    """A function from a state to a figure: where each token of a translation looks.

    One picture for each layer of a Transformer's decoder, the mean of its heads, or one for a
    recurrent network with attention. A network without attention has no figure.

    Args:
        model: `models.Transformer` or `models.Seq2Seq`.
        translate: from `translator`, with it.
        data: what it has learned from.
        number: of the sentence in the test split.
    """
    source = data.read(data.splits["test"][number : number + 1])["source"]

    @jax.jit
    def looks(params: Any, tokens: Any) -> Any:
        before = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=START)
        pair = {"source": jnp.asarray(source), "target": before}
        return model.apply({"params": params}, pair, mutable="intermediates")[1]["intermediates"]

    def draw(state: State) -> Any:
        tokens = translate(state, source)
        sown = jax.device_get(looks(state.weights, tokens))
        if "weights" in sown:
            weights = {"attention": sown["weights"][0]}
        else:
            layers = (name for name in sown if name.startswith("decoder_"))
            weights = {
                f"layer {place + 1}, mean of the heads": np.mean(
                    sown[name]["cross_attention"]["weights"][0], axis=1
                )
                for place, name in enumerate(sorted(layers))
            }
        if not any(np.any(each) for each in weights.values()):
            return None
        read = [_shown(data, int(token)) for token in source[0] if token != PADDING]
        ends = np.flatnonzero(tokens[0] == END)
        written = tokens[0, : ends[0] + 1] if len(ends) else tokens[0]
        said = [_shown(data, int(token)) for token in written]
        pictures = np.stack([each[0, : len(said), : len(read)] for each in weights.values()])
        count = len(pictures)
        return draw_attention(pictures, list(weights), [said] * count, [read] * count)

    return draw


def _shown(data: Translation, token: int) -> str:
    """A token as a label; the bytes of half a character and special tokens by their names."""
    text = data.tokenizer.decode(np.array([token])).strip()
    return text if text and "\ufffd" not in text else data.tokenizer.tokens[token]
