"""Continuing a sequence of tokens: sampling from a truncated distribution, in one compiled loop."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from dlcourse.errors import UserError
from dlcourse.models.sequence.attention import Cache
from dlcourse.models.sequence.gpt import Logits, Tokens

# (tokens, cache, position) -> (logits, cache)
Step = Callable[[Tokens, Any, Any], tuple[Logits, Any]]


def truncated(
    logits: Float[Array, "*batch vocabulary"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> Float[Array, "*batch vocabulary"]:
    """Logits of the distribution to sample from; -inf for tokens that are ruled out.

        p = softmax(logits / temperature)

    restricted to the `top_k` most probable tokens, then to the smallest set of the most probable
    ones whose probabilities, of those left, sum to at least `top_p` (Holtzman et al., 2020). At
    least one remains. Tokens as probable as the last that is kept are kept too. At temperature 0
    only the most probable ones remain.

    Raises:
        UserError: a value that means nothing.
    """
    if not (temperature >= 0 and 0 < top_p <= 1 and (top_k is None or top_k >= 1)):
        raise UserError(
            "The temperature must be at least 0, top_k at least 1, top_p above 0 and at most 1; "
            f"they are {temperature}, {top_k} and {top_p}."
        )
    logits = logits.astype(jnp.float32)
    if temperature == 0:
        return jnp.where(logits == jnp.max(logits, axis=-1, keepdims=True), 0.0, -jnp.inf)
    logits = logits / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        least = jax.lax.top_k(logits, top_k)[0][..., -1:]
        logits = jnp.where(logits >= least, logits, -jnp.inf)
    if top_p < 1:
        ordered = -jnp.sort(-logits, axis=-1)
        p = nn.softmax(ordered, axis=-1)
        before = jnp.cumsum(p, axis=-1) - p  # of more probable tokens
        least = jnp.min(jnp.where(before < top_p, ordered, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits >= least, logits, -jnp.inf)
    return logits


def generate(
    step: Step,
    cache: Any,
    prompt: Int[Array, "batch prompt"],
    length: int,
    key: Key[Array, ""],
    **truncation: Any,
) -> Int[Array, "batch length"]:
    """Continues each prompt by `length` tokens; every token is drawn given all before it.

    Args:
        step: of a language model: `decode` with its weights.
        cache: its empty cache, with room for prompt and continuation.
        prompt: at least one token each.
        length: number of tokens to draw.
        key: of the draws.
        truncation: of the distribution; see `truncated`.

    Raises:
        UserError: an empty prompt, or a cache that is too short.
    """
    if not prompt.shape[1]:
        raise UserError("A prompt needs at least one token.")
    whole = prompt.shape[1] + length - 1  # the last token is not read again
    parts = jax.tree.leaves(cache, is_leaf=lambda each: isinstance(each, Cache))
    for room in (each.key.shape[2] for each in parts if isinstance(each, Cache)):
        if room < whole:  # `dynamic_update_slice` would write all others onto the last place
            raise UserError(
                f"A cache of {room} places has no room for a prompt of {prompt.shape[1]} tokens "
                f"and {length} more."
            )

    def draw(key: Key[Array, ""], logits: Array) -> Array:
        return jax.random.categorical(key, truncated(logits, **truncation)).astype(prompt.dtype)

    def body(carry: Any, inputs: Any) -> Any:
        token, cache, position = carry
        logits, cache = step(token[:, None], cache, position)
        new = draw(inputs, logits[:, -1])
        return (new, cache, position + 1), new

    keys = jax.random.split(key, length)
    logits, cache = step(prompt, cache, 0)
    first = draw(keys[0], logits[:, -1])
    start = (first, cache, jnp.asarray(prompt.shape[1]))
    _, rest = jax.lax.scan(body, start, keys[1:])
    return jnp.concatenate([first[:, None], jnp.swapaxes(rest, 0, 1)], axis=1)


def generate_within(
    context: int,
    step: Step,
    start: Callable[[int, int], Any],
    prompt: Int[Array, "batch prompt"],
    length: int,
    key: Key[Array, ""],
    **truncation: Any,
) -> Int[Array, "batch length"]:
    """`generate`, also beyond the context.

    When the context is full, its last half becomes the prompt of the next part. So every token is
    drawn given at least the last half of a context, and the cache is never longer than that.

    Args:
        context: number of tokens that the model may see, at least 2.
        step, prompt, length, key, truncation: as in `generate`.
        start: `(batch, length) -> cache`, an empty one: `start` of a model.

    Raises:
        UserError: the prompt leaves no room in the context, or is empty.
    """
    batch, given = prompt.shape
    room, kept = context - given, context // 2
    if room < 1:
        raise UserError(
            f"A prompt of {given} tokens leaves no room in a context of {context}. Shorten it."
        )
    keys = jax.random.split(key)
    if length <= room:
        return generate(step, start(batch, given + length), prompt, length, keys[0], **truncation)
    first = generate(step, start(batch, context), prompt, room, keys[0], **truncation)

    def part(last: Array, key: Key[Array, ""]) -> tuple[Array, Array]:
        cache = start(batch, context)
        new = generate(step, cache, last, context - kept, key, **truncation)
        return jnp.concatenate([last, new], axis=1)[:, -kept:], new

    parts = -(-(length - room) // (context - kept))
    full = jnp.concatenate([prompt, first], axis=1)
    _, rest = jax.lax.scan(part, full[:, -kept:], jax.random.split(keys[1], parts))
    rest = jnp.swapaxes(rest, 0, 1).reshape(batch, -1)
    return jnp.concatenate([first, rest], axis=1)[:, :length]
