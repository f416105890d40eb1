"""A Brownian path from its end inwards, so that the first numbers decide its shape."""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quantjax.numerics.arguments import as_floating, holds

__all__ = ["bridge_levels", "brownian_bridge"]

Steps = Float[jax.Array, "step *batch"]


def brownian_bridge(normals: Steps, times: Float[jax.Array, " step"]) -> Steps:
    """Brownian motion at `times` from independent normals, the first of which gives the end, the next the middle, ...

    W_m = ((t_r - t_m) W_l + (t_m - t_l) W_r + sqrt((t_m - t_l)(t_r - t_m)(t_r - t_l)) z) / (t_r - t_l)

    `normals` `[step, ...]`; `times` `[step]`, increasing from above 0, W_0 = 0. The law is that of running sums; the
    point is that low-discrepancy points, whose first dimensions are the best, then decide what matters most. Returns
    W `[step, ...]`. Per item over the first axis, broadcasting over the others. Raises ValueError for shapes that do
    not fit and for times that do not increase from 0, where they are known; else NaN there. Source: Glasserman (2003),
    Monte Carlo methods in financial engineering, section 3.1.1 and fig. 3.2.

    >>> brownian_bridge(jnp.array([2.0, 0.0]), jnp.array([1.0, 4.0])).tolist()
    [1.0, 4.0]
    """
    normals, times = as_floating(normals, "normals"), as_floating(times, "times")
    if times.ndim != 1 or normals.ndim < 1 or len(normals) != len(times) or len(times) < 1:
        raise ValueError(f"expected normals[step, ...] and times[step], got {normals.shape} and {times.shape}")
    if not holds(lambda t: np.diff(t, prepend=0.0) > 0, times):
        raise ValueError(f"expected times that increase from above 0, got {np.asarray(times)}")
    num_steps = len(times)
    t = jnp.concatenate([jnp.zeros_like(times[:1]), times])
    path = jnp.zeros((num_steps + 1, *normals.shape[1:]), jnp.result_type(normals, times))
    path = path.at[num_steps].set(jnp.sqrt(t[-1]) * normals[0])
    used = 1
    for middle, left, right in bridge_levels(num_steps):
        before, after = t[middle] - t[left], t[right] - t[middle]
        whole = before + after
        weights = [
            weight.reshape(-1, *(1,) * (normals.ndim - 1))
            for weight in (after / whole, before / whole, jnp.sqrt(before * after / whole))
        ]
        z = normals[used : used + len(middle)]
        path = path.at[middle].set(weights[0] * path[left] + weights[1] * path[right] + weights[2] * z)
        used += len(middle)
    return path[1:]


@lru_cache(maxsize=32)
def bridge_levels(num_steps: int) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
    """Bisection of 0 ... num_steps, level by level: numbers of the points set, and of their neighbours set before.

    >>> [[array.tolist() for array in level] for level in bridge_levels(4)]
    [[[2], [0], [4]], [[1, 3], [0, 2], [2, 4]]]
    """
    levels, intervals = [], [(0, num_steps)]
    while intervals := [(left, right) for left, right in intervals if right - left > 1]:
        middles = [(left + right) // 2 for left, right in intervals]
        levels.append((np.array(middles), *(np.array(ends) for ends in zip(*intervals, strict=True))))
        intervals = [
            half
            for middle, (left, right) in zip(middles, intervals, strict=True)
            for half in ((left, middle), (middle, right))
        ]
    return tuple(levels)
