"""Random trades and books for the tests."""

from __future__ import annotations

import jax
import numpy as np

from quantjax import lob
from quantjax.lob.trades import TradeSeries

TICK = 0.01
COUNT = 120


def random_trades(seed: int, count: int = COUNT, *, dtype=np.float64, unknown: float = 0.1) -> TradeSeries:
    """Trades on ticks of 0.01 and lots of 0.001 at times between 0 and 1000 ns, many of them equal."""
    rng = np.random.default_rng(seed)
    price = (10_000 + np.cumsum(rng.integers(-2, 3, count) * (rng.random(count) < 0.6))) * TICK
    side = np.where(rng.random(count) < unknown, 0, rng.choice([-1, 1], count))
    size = rng.integers(1, 5000, count) * 0.001
    return TradeSeries(np.sort(rng.integers(0, 1000, count)), price.astype(dtype), size.astype(dtype), side, "XYZ")


def random_series(seed: int, count: int = 80, *, dtype=np.float64) -> lob.BookSeries:
    """Books around 100 at times between 100 and 900 ns, some one-sided, some crossed, some at one time."""
    rng = np.random.default_rng(seed)
    ticks = 10_000 + np.cumsum(rng.integers(-2, 3, count))
    width = rng.integers(1, 4, count) - 3 * (rng.random(count) < 0.1)
    price = np.stack([ticks, ticks + width])[:, :, None] * TICK
    size = rng.integers(1, 9, (2, count, 1)).astype(float) * (rng.random((2, count, 1)) < 0.9)
    price[size == 0] = np.nan
    arrays = (array.astype(dtype) for array in (price[0], size[0], price[1], size[1]))
    return lob.BookSeries(np.sort(rng.integers(100, 900, count)), lob.Book(*arrays), "XYZ", TICK)


def slopes(function, point, *, step: float = 1e-6) -> tuple[float, float]:
    """Slope of a function along a fixed direction: by its gradient, and by central difference. One compilation."""
    point = np.asarray(point, float)
    direction = np.cos(np.arange(point.size)).reshape(point.shape)
    value_and_gradient = jax.jit(jax.value_and_grad(function))
    _, gradient = value_and_gradient(point)
    above, below = (float(value_and_gradient(point + h * direction)[0]) for h in (step, -step))
    return float(np.vdot(gradient, direction)), (above - below) / (2 * step)
