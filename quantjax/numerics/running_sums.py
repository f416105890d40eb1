"""Running sums, and sums over rolling windows, along the last axis."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.arguments import whole_number

__all__ = ["rolling_sum", "running_sum"]

_BLOCK = 64


def rolling_sum(values: Float[jax.Array, "*batch item"], window: int) -> Float[jax.Array, "*batch item"]:
    """Sum of the last `window` values: y_i = x_{i-w+1} + ... + x_i along the last axis, NaN for the first w - 1.

    `[..., item]`. Broadcasting. Built from sums over 1, 2, 4, ... items, so that rounding grows with log2(w) and a NaN
    touches its own windows only, which differences of a cumulative sum would not keep. Raises ValueError for a window
    below 1.

    >>> rolling_sum(jnp.array([1.0, 2.0, 3.0, 4.0]), 3).tolist()
    [nan, nan, 6.0, 9.0]
    """
    window = whole_number(window, "window")
    values = jnp.asarray(values)
    if window > values.shape[-1]:
        return jnp.full_like(values, jnp.nan)
    # `power` sums `width` = 1, 2, 4, ... items up to each; `total` sums `length` of them, the bits so far.
    power, width, total, length = values, 1, jnp.zeros_like(values), 0
    while True:
        if window & width:
            total, length = total + _later(power, length), length + width
        if 2 * width > window:
            break
        power, width = power + _later(power, width), 2 * width
    return jnp.where(jnp.arange(values.shape[-1]) >= window - 1, total, jnp.nan)


def running_sum(values: Float[jax.Array, "*batch item"]) -> Float[jax.Array, "*batch item"]:
    """Cumulative sum along the last axis, `[..., item]`. Broadcasting.

    In blocks, each times a triangular matrix of ones: XLA's own takes ten times as long on a CPU.

    >>> running_sum(jnp.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 3.0, 6.0]
    """
    values = jnp.asarray(values)
    count = values.shape[-1]
    if count <= _BLOCK:
        return jnp.matmul(values, jnp.triu(jnp.ones((count, count), values.dtype)), precision="highest")
    padding = [(0, 0)] * (values.ndim - 1) + [(0, -count % _BLOCK)]
    blocks = jnp.pad(values, padding).reshape(*values.shape[:-1], -1, _BLOCK)
    within = jnp.matmul(blocks, jnp.triu(jnp.ones((_BLOCK, _BLOCK), values.dtype)), precision="highest")
    totals = within[..., -1]
    before = running_sum(totals) - totals
    return (within + before[..., None]).reshape(*values.shape[:-1], -1)[..., :count]


def _later(values: jax.Array, items: int) -> jax.Array:
    """The values so many items later, 0 before them."""
    if items == 0:
        return values
    zeros = jnp.zeros((*values.shape[:-1], items), values.dtype)
    return jnp.concatenate([zeros, values[..., :-items]], axis=-1)
