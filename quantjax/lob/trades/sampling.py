"""Prices at the times one wants: the last one known at each point of a grid."""

from __future__ import annotations

from decimal import Decimal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quantjax.lob.intervals import interval_ns
from quantjax.lob.trades.intervals import require_few
from quantjax.lob.trades.join import as_of_rows

__all__ = ["SampledPrices", "log_returns", "observed", "sample_prices"]


class SampledPrices(eqx.Module):
    """Prices on a calendar grid: numpy arrays `[point]`.

    `time_ns`: int64, multiples of the step; `price`: the last one at or before each; `age_s`: seconds since it was
    made; `counts`: points, and `points_without_news`, those whose price is that of the point before for want of another
    observation.
    """

    time_ns: np.ndarray
    price: np.ndarray
    age_s: np.ndarray
    counts: dict[str, int]


def sample_prices(time_ns: np.ndarray, price: np.ndarray, interval: str | float | Decimal) -> SampledPrices:
    """Previous-tick sampling: at each multiple of `interval`, the last price at or before it. Driver.

    `time_ns`, int64 nanoseconds that never decrease, and `price`, `[observation]`: of trades, or mids of books. NaN
    prices (a book with an empty side) are no observations. `interval`: seconds, or "1s", "5min" (`interval_ns`). The
    grid runs from the first multiple at or after the first observation to the last multiple at or before the last one,
    so every point has a price and none is made up. Raises ValueError for times that go back, shapes that differ, an
    interval that is no whole number of nanoseconds, and for more than ten million points.

    >>> sampled = sample_prices(np.array([500_000_000, 1_200_000_000, 3_000_000_000]), np.array([7.0, 8.0, 9.0]), 1.0)
    >>> sampled.price, sampled.counts["points_without_news"]
    (array([7., 8., 9.]), 0)
    """
    step_ns = interval_ns(interval)
    time_ns, price = np.asarray(time_ns), np.asarray(price)
    if time_ns.shape != price.shape or time_ns.ndim != 1:
        raise ValueError(f"expected a price at each time, got time_ns{list(time_ns.shape)}, price{list(price.shape)}")
    if (back := time_ns[1:] < time_ns[:-1]).any():
        raise ValueError(
            f"expected times that never decrease, got {int(back.sum())} steps back, the first after row "
            f"{int(np.argmax(back))}; lob.clean and lob.clean_trades sort"
        )
    time_ns, price = observed(time_ns, price)
    if len(time_ns) == 0:
        nothing = np.empty(0, np.int64)
        return SampledPrices(nothing, price, np.empty(0), {"points": 0, "points_without_news": 0})
    first, last = -(-int(time_ns[0]) // step_ns), int(time_ns[-1]) // step_ns
    require_few(last - first + 1, "intervals", f"{1e-9 * step_ns:g} s")
    grid_ns = np.arange(first, last + 1, dtype=np.int64) * step_ns
    row = as_of_rows(time_ns, grid_ns, allow_equal=True)
    counts = {"points": len(grid_ns), "points_without_news": int(np.count_nonzero(np.diff(row) == 0))}
    return SampledPrices(grid_ns, price[row], 1e-9 * (grid_ns - time_ns[row]), counts)


def observed(time_ns: np.ndarray, price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times and prices without those whose price is NaN; the arrays themselves where there are none. Driver."""
    missing = np.isnan(price)
    return (time_ns[~missing], price[~missing]) if missing.any() else (time_ns, price)


def log_returns(price: Float[jax.Array, "*batch time"]) -> Float[jax.Array, "*batch return"]:
    """ln(p_i / p_{i-1}) along the last axis, one fewer than the prices. Broadcasting.

    As ln(1 + dp / p): the difference of two float32 prices is exact, a difference of their logarithms is not. NaN for
    prices that are not positive. Raises ValueError for no prices at all.

    >>> log_returns(jnp.array([1.0, 1.0])).tolist()
    [0.0]
    """
    price = jnp.asarray(price)
    if price.ndim == 0 or price.shape[-1] == 0:
        raise ValueError(f"expected price [..., time] of at least one time, got shape {list(price.shape)}")
    price = jnp.where(price > 0, price, jnp.nan)
    return jnp.log1p((price[..., 1:] - price[..., :-1]) / price[..., :-1])
