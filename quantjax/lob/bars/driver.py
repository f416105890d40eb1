"""The way from trades to bars: check, cut, aggregate, and put the symbols side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Literal

import jax
import numpy as np

from quantjax.lob.bars.aggregate import BarValues
from quantjax.lob.bars.blocks import aggregate_blocks
from quantjax.lob.bars.cuts import BarKind, Cuts
from quantjax.lob.bars.result import NO_TIME, Bars
from quantjax.lob.bars.validation import checked_trades
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_trades

__all__ = ["make_bars"]


def make_bars(
    trades: TradeSeries | Iterable[TradeSeries],
    kind: BarKind,
    *,
    fill: Literal["nan", "previous"] = "nan",
    partial: Literal["keep", "drop"] = "keep",
    time_order: Literal["raise", "sort"] = "raise",
) -> Bars:
    """Bars of the trades of one symbol, or of several side by side.

    Arguments: `trades`: a TradeSeries, or several, of different symbols and one dtype; `kind`: TimeBars, TickBars,
    VolumeBars, NotionalBars or ImbalanceBars; `fill`: open, high, low and close of a bar without trades, NaN or the
    close of the bar before ("previous", still NaN before the first trade); `partial`: keep bars that are not
    `complete`, or drop them and count their trades; `time_order`: what to do where the time goes back, "raise" or
    "sort" (stable).

    Returns Bars: `[bar]` for a TradeSeries, `[symbol, bar]` for several, padded at the end where the numbers of bars
    differ. Sums are those of a loop over the trades of the bar in their order, to the last digit of the dtype of the
    trades (on a GPU, to rounding: `aggregate_bars`). The kernels are compiled for a few lengths, powers of two, and not
    for each number of trades.

    Where JAX's default device is a GPU the cut, which goes from trade to trade, runs on the CPU all the same.

    Raises ValueError that names the row for a price that is not positive and finite, a size that is negative, NaN or
    infinite, a side that is not +1, -1 or 0, and for times that go back (`lob.clean_trades` mends them all); ValueError
    for repeated symbols and unknown options; TypeError for trades that are no TradeSeries. Driver.

    >>> trades = TradeSeries(
    ...     np.array([0, 400, 1_000, 2_500]) * 1_000_000, np.array([10.0, 12.0, 11.0, 9.0]), np.ones(4),
    ...     np.array([1, -1, 1, 1]), "XYZ",
    ... )
    >>> from quantjax.lob.bars import TimeBars
    >>> bars = make_bars(trades, TimeBars("1s"))
    >>> bars.close.tolist(), bars.count.tolist(), bars.complete.tolist()
    ([12.0, 11.0, 9.0], [2, 1, 1], [True, True, False])
    """
    for name, value, known in (
        ("fill", fill, ("nan", "previous")),
        ("partial", partial, ("keep", "drop")),
        ("time_order", time_order, ("raise", "sort")),
    ):
        if value not in known:
            raise ValueError(f"expected {name} as '{known[0]}' or '{known[1]}', got {value!r}")
    if not isinstance(kind, BarKind):
        raise TypeError(f"expected kind as TimeBars, TickBars, VolumeBars, NotionalBars or ImbalanceBars, got {kind!r}")
    series = _listed(trades)
    symbols = [one.symbol for one in series]
    if not series or len(set(symbols)) < len(symbols):
        raise ValueError(
            f"expected one or more TradeSeries of different symbols, got {symbols}; join those of a symbol"
        )
    checked = checked_trades(series, time_order)
    cuts = kind.cut([one for one, _ in checked])
    values = aggregate_blocks(
        [(one.price, one.size, one.side, cut.first, cut.stop) for (one, _), cut in zip(checked, cuts, strict=True)]
    )
    made = [
        _bars(one.symbol, steps, cut, value, fill=fill, partial=partial)
        for (one, steps), cut, value in zip(checked, cuts, values, strict=True)
    ]
    return made[0] if isinstance(trades, TradeSeries) else _side_by_side(made)


def _listed(trades: TradeSeries | Iterable[TradeSeries]) -> list[TradeSeries]:
    """The TradeSeries given; TypeError that names what was given instead, a table as a whole and not its columns."""
    if isinstance(trades, TradeSeries):
        return [trades]
    if not isinstance(trades, Iterable):
        require_trades(trades)
    series = list(trades)
    for one in series:
        if not isinstance(one, TradeSeries):
            require_trades(one if isinstance(trades, list | tuple) else trades)
    return series


def _bars(symbol: str, clock_went_back: int, cuts: Cuts, values: BarValues, *, fill: str, partial: str) -> Bars:
    bars = Bars(
        start_ns=cuts.start_ns,
        end_ns=cuts.end_ns,
        **{field.name: getattr(values, field.name) for field in fields(BarValues)},
        first_trade=cuts.first,
        complete=cuts.complete,
        valid=np.ones(len(cuts.first), bool),
        trades_outside=cuts.outside,
        trades_in_dropped=0,
        clock_went_back=clock_went_back,
        symbol=symbol,
    )
    if fill == "previous":
        bars = _filled(bars)
    if partial == "drop":
        dropped = int(bars.count[~bars.complete].sum())
        kept = bars.complete
        bars = jax.tree.map(lambda array: array[kept] if isinstance(array, np.ndarray) else array, bars)
        bars = replace(bars, trades_in_dropped=dropped)
    return bars


def _filled(bars: Bars) -> Bars:
    """Prices of empty bars are the close of the last bar before that has trades."""
    traded = bars.count > 0
    last = np.maximum.accumulate(np.where(traded, np.arange(len(traded)), -1))
    previous = np.where(last >= 0, bars.close[last], np.nan).astype(bars.close.dtype) if len(last) else bars.close
    prices = {name: np.where(traded, getattr(bars, name), previous) for name in ("open", "high", "low", "close")}
    return replace(bars, **prices)


def _side_by_side(made: list[Bars]) -> Bars:
    longest = max(len(bars.valid) for bars in made)
    padding = dict.fromkeys(("open", "high", "low", "close", "vwap"), np.nan)
    padding |= {"start_ns": NO_TIME, "end_ns": NO_TIME}
    joined = {}
    for field in fields(Bars):
        columns = [getattr(bars, field.name) for bars in made]
        if isinstance(columns[0], np.ndarray):
            dtypes = {column.dtype for column in columns}
            if len(dtypes) > 1:
                raise ValueError(
                    f"expected trades of one dtype, got {', '.join(sorted(map(str, dtypes)))}; convert them"
                )
            joined[field.name] = np.full((len(made), longest), padding.get(field.name, 0), columns[0].dtype)
            for row, column in zip(joined[field.name], columns, strict=True):
                row[: len(column)] = column
        elif field.name == "symbol":
            joined[field.name] = tuple(columns)
        else:
            joined[field.name] = np.array(columns)
    return Bars(**joined)
