"""Which tokens of a text are hidden from a masked language model."""

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import streams
from dlcourse.data import SentencePairs


def hidden_tokens(pairs: SentencePairs, number: int) -> list[tuple[str, bool]]:
    """The tokens of an example, and whether each is hidden, as in evaluation.

    Args:
        pairs: the set.
        number: of the example.
    """
    batch = pairs.read(np.array([number]))
    keys = streams.of_examples("masked tokens", jnp.asarray(batch["index"]))
    found = jax.jit(jax.vmap(pairs.masking))(keys, batch["tokens"], batch["units"])
    hidden = set(found["places"][0][found["weights"][0] > 0].tolist())
    length = int((batch["tokens"][0] > 0).sum())
    names = pairs.tokenizer.tokens
    return [(names[batch["tokens"][0, t]], t in hidden) for t in range(length)]
