"""Trade imbalance: bought against sold volume, over all trades, rolling, or by interval of time."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from quantjax.lob.metrics.sides import ratio
from quantjax.lob.trades.intervals import cut_intervals
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid
from quantjax.numerics.arguments import whole_number
from quantjax.numerics.running_sums import rolling_sum

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "IntervalImbalance",
    "TradeImbalance",
    "binned_trade_imbalance",
    "rolling_trade_imbalance",
    "trade_imbalance",
    "trade_imbalance_by_interval",
]

Value = Float[jax.Array, "*batch"]


class TradeImbalance(eqx.Module):
    """Bought against sold volume.

    `imbalance`: (V_buy - V_sell) / (V_buy + V_sell) in [-1, 1], NaN where neither was traded; `buy`, `sell`: V, in base
    currency; `unknown`: the volume of trades of side 0, which is in neither.
    """

    imbalance: Value
    buy: Value
    sell: Value
    unknown: Value


def trade_imbalance(size: Float[jax.Array, "*batch trade"], side: Int[jax.Array, "*batch trade"]) -> TradeImbalance:
    """Imbalance of the trades along the last axis: (V_buy - V_sell) / (V_buy + V_sell), `[...]`.

    `size` in base currency and `side` +1, -1 or 0, `[..., trade]`. NaN for no volume of known side, and for a negative
    or NaN size. Broadcasting.

    >>> found = trade_imbalance(jnp.array([3.0, 1.0, 7.0]), jnp.array([1, -1, 0]))
    >>> float(found.imbalance), float(found.unknown)
    (0.5, 7.0)
    """
    return _imbalance(*(volume.sum(axis=-1) for volume in _volumes(size, side)))


def rolling_trade_imbalance(
    size: Float[jax.Array, "*batch trade"], side: Int[jax.Array, "*batch trade"], window: int
) -> TradeImbalance:
    """Imbalance of the last `window` trades, `[..., trade]`; NaN for the first window - 1.

    Arguments as in `trade_imbalance`; trades of unknown side take their place in the window. Broadcasting. Raises
    ValueError for a window below 1.

    >>> rolling_trade_imbalance(jnp.array([3.0, 1.0, 1.0]), jnp.array([1, -1, 1]), 2).imbalance.tolist()
    [nan, 0.5, 0.0]
    """
    return _imbalance(*(rolling_sum(volume, window) for volume in _volumes(size, side)))


def binned_trade_imbalance(
    size: Float[jax.Array, " trade"], side: Int[jax.Array, " trade"], bin: Int[jax.Array, " trade"], bins: int
) -> TradeImbalance:
    """Imbalance of the trades of each bin, `[bin]`.

    `bin`, integer `[trade]`, which of the `bins` each trade is in; trades outside [0, bins) are in none. NaN where a
    bin has no volume of known side. Per item. Raises ValueError for bins that are no integer >= 0.
    """
    bins = whole_number(bins, "bins", 0)
    sums = (jax.ops.segment_sum(volume, jnp.asarray(bin), num_segments=bins) for volume in _volumes(size, side))
    return _imbalance(*sums)


class IntervalImbalance(eqx.Module):
    """Trade imbalance by interval of time: numpy arrays `[interval]`, the intervals without trades among them.

    `start_ns`, `end_ns`: int64, the interval's first time, and the first one after it; `imbalance`, as in
    `TradeImbalance`; `buy_volume`, `sell_volume`, `unknown_volume`, base currency; `count`: trades.
    """

    start_ns: np.ndarray
    end_ns: np.ndarray
    imbalance: np.ndarray
    buy_volume: np.ndarray
    sell_volume: np.ndarray
    unknown_volume: np.ndarray
    count: np.ndarray
    symbol: str = eqx.field(static=True)

    def to_pandas(self) -> pd.DataFrame:
        """A row an interval, indexed by the UTC time at which it ends: no row holds anything that came later.

        The columns are the fields, and `start`, the time at which the interval begins; the symbol is in `attrs`.
        """
        import pandas as pd

        names = ("imbalance", "buy_volume", "sell_volume", "unknown_volume", "count")
        columns = {"start": pd.DatetimeIndex(self.start_ns, tz="UTC")}
        columns |= {name: getattr(self, name) for name in names}
        frame = pd.DataFrame(columns, index=pd.DatetimeIndex(self.end_ns, tz="UTC", name="end"))
        frame.attrs["symbol"] = self.symbol
        return frame


def trade_imbalance_by_interval(trades: TradeSeries, interval: str | float | Decimal) -> IntervalImbalance:
    """Trade imbalance of each interval [k s, (k + 1) s) since 1970 UTC, from the first trade's to the last's. Driver.

    `interval`: seconds, or "1s", "5min" (`interval_ns`). Intervals without volume of known side have imbalance NaN.
    Trades may come in any order. Raises ValueError for bad prices, sizes or sides (`lob.clean_trades` drops them) and
    for an interval that is no whole number of nanoseconds.

    >>> times, sides = np.array([1, 2_000_000_000]), np.array([1, -1])
    >>> trades = TradeSeries(times, np.full(2, 9.0), np.array([2.0, 3.0]), sides, "XYZ")
    >>> trade_imbalance_by_interval(trades, 1.0).imbalance
    array([ 1., nan, -1.])
    """
    require_valid(trades)
    cut = cut_intervals(np.asarray(trades.time_ns), interval)
    size, bins = np.asarray(trades.size), len(cut.start_ns)
    # By numpy, which is not compiled for each number of trades and of intervals; one pass for the three sides.
    sums = np.bincount(3 * cut.row + np.asarray(trades.side) + 1, size, 3 * bins).reshape(bins, 3).T
    sell, unknown, buy = sums.astype(size.dtype)
    known = buy + sell > 0
    imbalance = np.where(known, (buy - sell) / np.where(known, buy + sell, 1), np.nan).astype(size.dtype)
    counts = np.bincount(cut.row, minlength=bins)
    return IntervalImbalance(
        cut.start_ns, cut.start_ns + cut.step_ns, imbalance, buy, sell, unknown, counts, symbol=trades.symbol
    )


def _volumes(size, side) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Bought, sold and unknown size of each trade; a negative size is NaN on all three."""
    size, side = jnp.asarray(size), jnp.asarray(side)
    size = jnp.where(size >= 0, size, jnp.nan)
    # A NaN size must not vanish from the sums of the other sides.
    nothing = jnp.where(jnp.isnan(size), jnp.nan, 0.0).astype(size.dtype)
    return tuple(jnp.where(wanted, size, nothing) for wanted in (side > 0, side < 0, side == 0))  # pyright: ignore[reportReturnType]


def _imbalance(buy: jax.Array, sell: jax.Array, unknown: jax.Array) -> TradeImbalance:
    return TradeImbalance(ratio(buy - sell, buy + sell), buy, sell, unknown)
