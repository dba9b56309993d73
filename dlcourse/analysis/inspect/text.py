"""What a language model writes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from dlcourse.data import Text
from dlcourse.learner import Apply, State


def written_text(
    apply: Apply, text: Text, prompts: Sequence[str], seed: int = 0
) -> Callable[[State], str]:
    """A function from a state to its continuations of prompts, always drawn with the same keys.

    Args:
        apply: that of a language model.
        text: that it learned.
        prompts: texts that fit into its context.
        seed: of the draws.

    Raises:
        UserError: a prompt is empty, too long, or has an unknown character.
    """
    encoded = [text.encode(prompt) for prompt in prompts]
    keys = jax.random.split(jax.random.key(seed), len(prompts))
    run: Any = jax.jit(apply)

    def write(state: State) -> str:
        found = [
            prompt + text.tokenizer.decode(np.asarray(run(state, batch, key))[0])
            for prompt, batch, key in zip(prompts, encoded, keys, strict=True)
        ]
        return f"\n\n{'-' * 20}\n\n".join(found) + "\n"

    return write
