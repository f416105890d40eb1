"""How far prices move for what is traded: Amihud's ratio, Kyle's lambda, Hasbrouck's variant."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from quantjax.lob.metrics.sides import ratio
from quantjax.lob.padding import padded
from quantjax.lob.trades.intervals import cut_intervals
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid
from quantjax.numerics import Regression, ols

__all__ = ["Amihud", "Illiquidity", "amihud", "illiquidity", "kyle_lambda"]

Value = Float[jax.Array, "*batch"]
Sample = Float[jax.Array, "*batch interval"]


class Amihud(eqx.Module):
    """Amihud's ratio: `value`, per unit of quote currency, often quoted times 1e6; `intervals`, how many it is the mean
    of."""

    value: Value
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


def kyle_lambda(price_change: Sample, signed_volume: Sample, *, intercept: bool = True) -> Regression:
    """Kyle's lambda: the slope of price changes on signed volume, dP = a + lambda x + e, `[...]`.

    `price_change` in quote currency and `signed_volume` x = sum D q in base currency, `[..., interval]`: first what
    moves, then what moves it, unlike `ols(x, y)`. Any y and x will do: Hasbrouck's variant takes log returns and x =
    sum D sqrt(notional) with `intercept=False`. Returns the `Regression` of `quantjax.numerics.ols`, whose errors and
    rules these are: lambda is `coefficients[..., 0]`, its standard error, of equal variances, `std_error[..., 0]`;
    pairs with a number that is not finite are left out and counted; NaN where x does not vary or too few pairs are
    left. Broadcasting. Source: Kyle (1985), Continuous auctions and insider trading, Econometrica 53(6); Hasbrouck
    (2009), Trading costs and returns for U.S. equities, Journal of Finance 64(3), section I.

    >>> found = kyle_lambda(jnp.array([0.1, -0.2, 0.3]), jnp.array([1.0, -2.0, 3.0]))
    >>> round(float(found.coefficients[0]), 8), round(float(found.r_squared), 8)
    (0.1, 1.0)
    """
    return ols(jnp.asarray(signed_volume)[..., None], price_change, intercept=intercept)


class Illiquidity(eqx.Module):
    """Illiquidity of a recording, by intervals of `interval_s` seconds.

    `amihud`; `kyle`: price changes in quote currency on signed volume in base currency; `hasbrouck`: log returns on
    sum D sqrt(notional), no intercept: the slopes are `kyle.coefficients[0]` and `hasbrouck.coefficients[0]`; `counts`:
    intervals, those without a trade (left out of all three), trades, and trades of unknown side (0 in signed volume).
    """

    amihud: Amihud
    kyle: Regression
    hasbrouck: Regression
    interval_s: float = eqx.field(static=True)
    counts: dict[str, int]


def illiquidity(trades: TradeSeries, interval: str | float | Decimal) -> Illiquidity:
    """Amihud's ratio, Kyle's lambda and Hasbrouck's variant from the trades of each interval. Driver.

    Intervals are [k s, (k + 1) s) since 1970 UTC; `interval`: seconds, or "1s", "5min" (`interval_ns`). Price changes
    and returns run from the last price of an interval to that of the next one that has trades; the first interval has
    none. Compiled for a few numbers of intervals. Raises ValueError for bad prices, sizes or sides and for times that
    go back (`lob.clean_trades` mends both), for an interval that is no whole number of nanoseconds, and for no trades.
    """
    require_valid(trades, in_order=True)
    if len(trades) == 0:
        raise ValueError("expected at least one trade, got none")
    cut = cut_intervals(np.asarray(trades.time_ns), interval)
    first = np.flatnonzero(np.diff(cut.row, prepend=-1))
    price, size, side = np.asarray(trades.price), np.asarray(trades.size), np.asarray(trades.side)
    last_price = price[np.append(first[1:], len(price)) - 1]
    notional = price * size
    sums = (side * size, side * np.sqrt(notional), notional)
    # [1:]: the first interval has no price before it.
    volume, root, value = (np.add.reduceat(each, first)[1:].astype(price.dtype) for each in sums)
    # Pairs of NaN, which take no part, up to the length that is compiled for.
    arguments = padded([np.diff(last_price), last_price[:-1], volume, root, value], [np.nan] * 5)
    found = _measures(*arguments)
    padding = len(arguments[0]) - len(volume)
    kyle, hasbrouck = (replace(fit, num_dropped=fit.num_dropped - padding) for fit in found[1:])
    counts = {
        "intervals": len(cut.start_ns),
        "intervals_without_trades": len(cut.start_ns) - len(first),
        "trades": len(trades),
        "unknown_side": int(np.count_nonzero(side == 0)),
    }
    return Illiquidity(found[0], kyle, hasbrouck, 1e-9 * cut.step_ns, counts)


@jax.jit
def _measures(change, price, volume, root, notional) -> tuple[Amihud, Regression, Regression]:
    returns = change / price
    hasbrouck = kyle_lambda(jnp.log1p(returns), root, intercept=False)
    return amihud(returns, notional), kyle_lambda(change, volume), hasbrouck
