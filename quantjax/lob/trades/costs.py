"""`trade_costs`: the spread of every trade of a recording, split at several horizons, and its volume-weighted means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np

from quantjax.lob.book import BookSeries
from quantjax.lob.padding import cut_to, padded
from quantjax.lob.trades.join import JoinedTrades, future_mids, join_trades
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.spreads import effective_spread_bps, split_spread_bps
from quantjax.lob.trades.validation import require_valid

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CostSummary", "TradeCosts", "trade_costs"]


class CostSummary(eqx.Module):
    """Volume-weighted mean costs in basis points of the mid.

    `effective_bps`: over all trades that have one; `trades` and `volume`: how many and how much those are. By horizon
    in seconds, over the trades that have a mid there: `effective_at_bps`, `realised_bps`, `impact_bps`
    (effective_at_bps = realised_bps + impact_bps up to rounding), `trades_at` and `volume_at`.
    """

    effective_bps: float
    trades: int
    volume: float
    effective_at_bps: dict[float, float]
    realised_bps: dict[float, float]
    impact_bps: dict[float, float]
    trades_at: dict[float, int]
    volume_at: dict[float, float]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each horizon in seconds; the means over all trades, with a horizon or without, are in `attrs`."""
        import pandas as pd

        columns = {
            "effective_bps": self.effective_at_bps,
            "realised_bps": self.realised_bps,
            "impact_bps": self.impact_bps,
            "trades": self.trades_at,
            "volume": self.volume_at,
        }
        index = pd.Index(list(self.realised_bps), dtype=float, name="horizon_s")
        frame = pd.DataFrame({name: list(values.values()) for name, values in columns.items()}, index=index)
        frame.attrs |= {"effective_bps": self.effective_bps, "trades": self.trades, "volume": self.volume}
        return frame


class TradeCosts(eqx.Module):
    """The spread of each trade: numpy arrays `[trade]`, dicts of them by horizon in seconds.

    `joined`: the book before each trade; `price`, `size`, `side`: the trade's; `effective_bps`; `realised_bps[5.0]`,
    `impact_bps[5.0]`: see `split_spread_bps`, effective = realised + impact to the last bit; `future_mid[5.0]`. All
    three are NaN where the side is unknown or `joined` has no mid or says `after_last_book`.
    """

    joined: JoinedTrades
    price: np.ndarray
    size: np.ndarray
    side: np.ndarray
    effective_bps: np.ndarray
    realised_bps: dict[float, np.ndarray]
    impact_bps: dict[float, np.ndarray]
    future_mid: dict[float, np.ndarray]
    horizon_counts: dict[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """The counts of the join, trades of unknown side, and by horizon (`beyond_last_book_5s`) those whose mid is
        beyond the last book, before the first, or of a book that is too old or has an empty side."""
        return {**self.joined.counts, "unknown_side": int(np.count_nonzero(self.side == 0)), **self.horizon_counts}

    def __len__(self) -> int:
        return len(self.price)

    def summary(self) -> CostSummary:
        """Volume-weighted means, and over how many trades."""
        horizons = tuple(self.realised_bps)
        known = ~np.isnan(self.effective_bps)
        there = {h: ~np.isnan(self.realised_bps[h]) for h in horizons}

        def mean(values: np.ndarray, used: np.ndarray) -> float:
            """`volume_weighted_mean` on the host, where no kernel is compiled for each number of trades."""
            weight = self.size[used].astype(np.float64)
            volume = weight.sum()
            return float((weight * values[used]).sum() / volume) if volume else math.nan

        return CostSummary(
            effective_bps=mean(self.effective_bps, known),
            trades=int(known.sum()),
            volume=float(self.size[known].sum(dtype=np.float64)),
            effective_at_bps={h: mean(self.effective_bps, there[h]) for h in horizons},
            realised_bps={h: mean(self.realised_bps[h], there[h]) for h in horizons},
            impact_bps={h: mean(self.impact_bps[h], there[h]) for h in horizons},
            trades_at={h: int(there[h].sum()) for h in horizons},
            volume_at={h: float(self.size[there[h]].sum(dtype=np.float64)) for h in horizons},
        )

    def to_pandas(self) -> pd.DataFrame:
        """The columns of the join, the trade, and a column for each measure and horizon (`impact_5s_bps`)."""
        frame = self.joined.to_pandas()
        columns = {"price": self.price, "size": self.size, "side": self.side, "effective_bps": self.effective_bps}
        for horizon in self.realised_bps:
            columns[f"future_mid_{horizon:g}s"] = self.future_mid[horizon]
            columns[f"realised_{horizon:g}s_bps"] = self.realised_bps[horizon]
            columns[f"impact_{horizon:g}s_bps"] = self.impact_bps[horizon]
        return frame.assign(**columns)


def trade_costs(
    trades: TradeSeries,
    series: BookSeries,
    *,
    horizons_s: Sequence[float] = (1.0, 5.0, 30.0),
    allow_equal: bool = False,
    max_age_s: str | float | Decimal | None = None,
) -> TradeCosts:
    """Effective spread of every trade, and its realised spread and price impact after each horizon. Driver.

    Arguments: `trades` with their sides (`sign_trades` guesses unknown ones; side 0 gives NaN and is counted) and
    `series`, of one symbol on one clock, see `join_trades`, as for `allow_equal` and `max_age_s`, which holds for the
    mid before the trade and for those after it; `horizons_s`, seconds >= 0, each once and different in six digits, by
    which columns and counts are named. The mid after tau is that of the last book at or before t + tau, NaN beyond the
    last book. Trades after the last book have no costs: nothing says how long that book stood.

    Raises ValueError as `join_trades`, for bad prices, sizes or sides (`lob.clean_trades` drops them), and for
    horizons given twice or of one name.
    """
    horizons = [float(horizon) for horizon in horizons_s]
    if len({f"{horizon:g}" for horizon in horizons}) < len(horizons):
        raise ValueError(f"expected each horizon once, different in six digits, got {list(horizons_s)}")
    require_valid(trades)
    joined = join_trades(trades, series, allow_equal=allow_equal, max_age_s=max_age_s)
    price, size, side = np.asarray(trades.price), np.asarray(trades.size), np.asarray(trades.side)
    mid = np.where(joined.after_last_book, np.nan, joined.mid).astype(price.dtype, copy=False)
    realised, impact, future, counts = {}, {}, {}, {}
    count = len(trades)
    arguments = padded([price, side, mid], [1, 0, 1])
    effective = cut_to(count, _effective(*arguments))
    for horizon in horizons:
        found = future_mids(joined.time_ns, series, horizon, max_age_s=max_age_s)
        future[horizon] = found.mid
        counts |= {f"{name}_{horizon:g}s": number for name, number in found.counts.items()}
        split = _split(*arguments, *padded([found.mid.astype(price.dtype, copy=False)], [1]))
        realised[horizon], impact[horizon] = cut_to(count, split.realised), cut_to(count, split.impact)
    return TradeCosts(joined, price, size, side, effective, realised, impact, future, counts)


_effective = jax.jit(effective_spread_bps)
_split = jax.jit(split_spread_bps)
