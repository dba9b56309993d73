"""How the losses prepare their arguments: precision, shapes and ignored labels."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num


def at_least_float32(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Raises half precision to float32 and keeps float64."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def check_same_shape(predictions: Num[Array, "..."], targets: Num[Array, "..."]) -> None:
    """Refuses to broadcast: `[batch, 1]` against `[batch]` would compare every pair.

    Raises:
        ValueError: the shapes differ.
    """
    if predictions.shape != targets.shape:
        raise ValueError(f"predictions {predictions.shape} and targets {targets.shape} differ")


def replace_ignored(
    logits: Float[Array, "*logits"], labels: Int[Array, "*labels"], ignore: int | None
) -> tuple[Float[Array, "*logits"], Int[Array, "*labels"], Bool[Array, "*labels"]]:
    """Puts zero logits and class 0 wherever the label is `ignore`.

    The ignored label need not be a class, and the ignored logits need not be finite: neither
    reaches the loss, and the gradient there is exactly 0.

    Args:
        logits: `[batch, *rest, classes]`.
        labels: `[batch, *rest]`.
        ignore: the label that does not count; None to count all.

    Returns:
        The logits, the labels, and a mask that is True where the label counts.

    Raises:
        ValueError: the shapes do not match.
    """
    if logits.shape[:-1] != labels.shape:
        raise ValueError(f"logits {logits.shape} and labels {labels.shape} do not match")
    if ignore is None:
        return logits, labels, jnp.ones(labels.shape, bool)
    counted = labels != ignore
    return jnp.where(counted[..., None], logits, 0.0), jnp.where(counted, labels, 0), counted
