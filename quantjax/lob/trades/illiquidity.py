"""How far prices move for what is traded: Amihud's ratio, Kyle's lambda, Hasbrouck's variant."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from quantjax.lob.metrics.sides import ratio
from quantjax.lob.trades.intervals import cut_intervals
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid

__all__ = ["Amihud", "Illiquidity", "PriceImpact", "amihud", "illiquidity", "kyle_lambda"]

Value = Float[jax.Array, "*batch"]
Sample = Float[jax.Array, "*batch interval"]


class Amihud(eqx.Module):
    """Amihud's ratio: `value`, per unit of quote currency, often quoted times 1e6; `intervals`, how many it is the mean
    of."""

    value: Value
    intervals: Int[jax.Array, "*batch"]


class PriceImpact(eqx.Module):
    """A regression of price changes on signed volume: y = a + lambda x + e by least squares.

    `impact`: lambda; `intercept`: a; `std_error`: of lambda, NaN without a degree of freedom left; `r_squared` (around
    0 instead of the mean where there is no intercept); `intervals`: how many pairs.
    """

    impact: Value
    intercept: Value
    std_error: Value
    r_squared: Value
    intervals: Int[jax.Array, "*batch"]


def amihud(returns: Sample, notional: Sample) -> Amihud:
    """Amihud's illiquidity: mean of |r| / notional over the intervals, `[...]`.

    `returns` as decimals and `notional` in quote currency, `[..., interval]`; intervals of notional 0 or below or NaN,
    and NaN returns, take no part; NaN where none is left. Broadcasting. Source: Amihud (2002), Illiquidity and stock
    returns, Journal of Financial Markets 5(1), eq. 1.

    >>> float(amihud(jnp.array([0.01, -0.02, 0.0]), jnp.array([1e4, 1e4, 0.0])).value)
    1.5e-06
    """
    returns, notional = jnp.asarray(returns), jnp.asarray(notional)
    used = (notional > 0) & ~jnp.isnan(returns)
    each = jnp.where(used, jnp.abs(jnp.where(used, returns, 0.0)) / jnp.where(used, notional, 1.0), 0.0)
    count = used.sum(axis=-1)
    return Amihud(ratio(each.sum(axis=-1), count.astype(each.dtype)), count)


def kyle_lambda(price_change: Sample, signed_volume: Sample, *, intercept: bool = True) -> PriceImpact:
    """Kyle's lambda: the slope of price changes on signed volume, dP = a + lambda x + e, `[...]`.

    `price_change` in quote currency, `signed_volume` x = sum D q in base currency, `[..., interval]`. Any y and x will
    do: Hasbrouck's variant takes log returns and x = sum D sqrt(notional) with `intercept=False`. Pairs with a NaN take
    no part; NaN where x does not vary, or fewer pairs are left than coefficients. Standard errors are those of equal
    variances. Broadcasting. Source: Kyle (1985), Continuous auctions and insider trading, Econometrica 53(6); Hasbrouck
    (2009), Trading costs and returns for U.S. equities, Journal of Finance 64(3), section I.

    >>> found = kyle_lambda(jnp.array([0.1, -0.2, 0.3]), jnp.array([1.0, -2.0, 3.0]))
    >>> round(float(found.impact), 8), round(float(found.r_squared), 8)
    (0.1, 1.0)
    """
    y, x = jnp.broadcast_arrays(jnp.asarray(price_change), jnp.asarray(signed_volume))
    used = ~(jnp.isnan(y) | jnp.isnan(x))
    y, x = jnp.where(used, y, 0.0), jnp.where(used, x, 0.0)
    count = used.sum(axis=-1)
    n = count.astype(y.dtype)
    mean = lambda values: ratio(values.sum(axis=-1), n) * intercept  # noqa: E731
    y_mean, x_mean = mean(y), mean(x)
    # Moments around the means: products of raw prices or volumes would lose the digits of their differences.
    dy = jnp.where(used, y - y_mean[..., None], 0.0)
    dx = jnp.where(used, x - x_mean[..., None], 0.0)
    xx, xy, yy = ((a * b).sum(axis=-1) for a, b in ((dx, dx), (dx, dy), (dy, dy)))
    coefficients = 2 if intercept else 1
    impact = jnp.where(count >= coefficients, ratio(xy, xx), jnp.nan)
    rest = dy - impact[..., None] * dx
    unexplained = jnp.where(used, rest * rest, 0.0).sum(axis=-1)
    free = n - coefficients
    variance = ratio(jnp.where(free > 0, unexplained, jnp.nan), jnp.where(free > 0, free, 1.0) * xx)
    positive = variance > 0
    # The inner where keeps the gradient of the root finite for a perfect fit.
    std_error = jnp.where(
        positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), jnp.where(variance == 0, 0.0, jnp.nan)
    )
    return PriceImpact(impact, y_mean - impact * x_mean, std_error, 1 - ratio(unexplained, yy), count)


class Illiquidity(eqx.Module):
    """Illiquidity of a recording, by intervals of `interval_s` seconds.

    `amihud`; `kyle`: price changes in quote currency on signed volume in base currency; `hasbrouck`: log returns on
    sum D sqrt(notional), no intercept; `counts`: intervals, those without a trade (left out of all three), trades, and
    trades of unknown side (0 in signed volume).
    """

    amihud: Amihud
    kyle: PriceImpact
    hasbrouck: PriceImpact
    interval_s: float = eqx.field(static=True)
    counts: dict[str, int]


def illiquidity(trades: TradeSeries, interval_s: float) -> Illiquidity:
    """Amihud's ratio, Kyle's lambda and Hasbrouck's variant from the trades of each interval. Driver.

    Intervals are [k s, (k + 1) s) since 1970 UTC. Price changes and returns run from the last price of an interval to
    that of the next one that has trades; the first interval has none. Raises ValueError for bad prices, sizes or sides
    and for times that go back (`lob.clean_trades` mends both), for intervals that are not positive, and for no trades.
    """
    require_valid(trades, in_order=True)
    if len(trades) == 0:
        raise ValueError("expected at least one trade, got none")
    cut = cut_intervals(np.asarray(trades.time_ns), interval_s)
    first = np.flatnonzero(np.diff(cut.row, prepend=-1))
    price, size, side = np.asarray(trades.price), np.asarray(trades.size), np.asarray(trades.side)
    last_price = price[np.append(first[1:], len(price)) - 1]
    notional = price * size
    sums = {"volume": side * size, "root": side * np.sqrt(notional), "notional": notional}
    # [1:]: the first interval has no price before it.
    by_interval = {
        name: jnp.asarray(np.add.reduceat(each, first)[1:].astype(price.dtype)) for name, each in sums.items()
    }
    change = jnp.asarray(np.diff(last_price))
    returns = change / last_price[:-1]
    counts = {
        "intervals": len(cut.start_ns),
        "intervals_without_trades": len(cut.start_ns) - len(first),
        "trades": len(trades),
        "unknown_side": int(np.count_nonzero(side == 0)),
    }
    return Illiquidity(
        amihud(returns, by_interval["notional"]),
        kyle_lambda(change, by_interval["volume"]),
        kyle_lambda(jnp.log1p(returns), by_interval["root"], intercept=False),
        float(interval_s),
        counts,
    )
