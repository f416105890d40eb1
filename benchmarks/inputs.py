"""Inputs of the workloads, from a seed."""

from __future__ import annotations

import numpy as np

from quantjax import lob

__all__ = ["TICK_SIZE", "random_books", "random_updates"]

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


def random_updates(count: int = 1_000_000, reach: float = 28.0, *, seed: int = 0) -> lob.LevelUpdates:
    """Updates of a book that starts empty and never crosses: `reach`, mean distance from the mid in ticks; half delete.

    The mid moves by a tick at every fiftieth update or so, which deletes what stood there. A reach of 28 makes books of
    some 150 levels a side, one of 1,900 some 5,000.
    """
    rng = np.random.default_rng(seed)
    moves = rng.random(count) < 0.02
    step = np.where(moves, rng.choice([-1, 1], count), 0)
    mid = 100_000 + np.cumsum(step)
    side = rng.choice(np.array([-1, 1], np.int8), count)
    tick = mid - side * (1 + np.floor(rng.exponential(reach, count)).astype(np.int64))
    size = np.where(rng.random(count) < 0.5, 0.0, np.round(rng.gamma(1.5, 10.0, count), 3) + 0.001)
    side = np.where(moves, -step, side).astype(np.int8)
    tick, size = np.where(moves, mid, tick), np.where(moves, 0.0, size)
    return lob.LevelUpdates(np.arange(count, dtype=np.int64) * 10**6, side, tick, size, TICK_SIZE, "BENCH")
