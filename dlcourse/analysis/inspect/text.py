"""What a language model writes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from dlcourse.data import Tokenizer
from dlcourse.learner import Apply, State


def written_text(
    apply: Apply, tokenizer: Tokenizer, prompts: Sequence[str], seed: int = 0
) -> Callable[[State], str]:
    """A function from a state to its continuations of prompts, always drawn with the same keys.

    Args:
        apply: that of a language model.
        tokenizer: of the text that it learned.
        prompts: texts of any lengths.
        seed: of the draws.

    Raises:
        UserError: a prompt has a character that the tokenizer lacks.
    """
    encoded = [tokenizer.encode(prompt, strict=True).astype(np.int32)[None] for prompt in prompts]
    keys = jax.random.split(jax.random.key(seed), len(prompts))
    run: Any = jax.jit(apply)

    def write(state: State) -> str:
        found = [
            prompt + tokenizer.decode(np.asarray(run(state, {"prompt": tokens}, key))[0])
            for prompt, tokens, key in zip(prompts, encoded, keys, strict=True)
        ]
        return f"\n\n{'-' * 20}\n\n".join(found) + "\n"

    return write
