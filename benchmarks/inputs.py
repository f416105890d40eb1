"""Inputs of the workloads, from a seed."""

from __future__ import annotations

import numpy as np

from quantjax import lob

__all__ = ["TICK_SIZE", "random_books"]

TICK_SIZE = 0.01


def random_books(count: int = 100_000, levels: int = 20, *, seed: int = 0, dtype: type = np.float64) -> lob.Book:
    """`[count, levels]` numpy books around 100 on ticks of 0.01; a third of them thin, some of those one-sided."""
    rng = np.random.default_rng(seed)
    mid = np.rint(10_000 + np.cumsum(rng.normal(size=count)))[:, None]
    gaps = rng.geometric(0.6, (2, count, levels)).cumsum(axis=-1)
    price = np.stack([mid - gaps[0], mid + gaps[1]]) * TICK_SIZE
    size = np.round(rng.gamma(1.5, 10.0, (2, count, levels)), 3) + 0.001
    thin = rng.random((2, count)) < 1 / 3
    present = np.where(thin, rng.integers(0, levels, (2, count)), levels)
    absent = np.arange(levels) >= present[..., None]
    price[absent], size[absent] = np.nan, 0.0
    return lob.Book(*(array.astype(dtype) for array in (price[0], size[0], price[1], size[1])))
