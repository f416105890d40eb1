"""The way from trades to bars: check, cut, aggregate, and put the symbols side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Literal

import jax
import numpy as np

from quantjax.lob.bars.aggregate import BarValues
from quantjax.lob.bars.blocks import aggregate_blocks, in_parallel, pieces
from quantjax.lob.bars.cuts import BarKind, Cuts
from quantjax.lob.bars.result import NO_TIME, Bars
from quantjax.lob.trades import TradeSeries

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

    Raises ValueError that names the row for a price or size that is negative, NaN or infinite, for a side that is not
    +1, -1 or 0, and for times that go back; ValueError for repeated symbols and unknown options. Driver.

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
    series = [trades] if isinstance(trades, TradeSeries) else list(trades)
    symbols = [one.symbol for one in series]
    if not series or len(set(symbols)) < len(symbols):
        raise ValueError(
            f"expected one or more TradeSeries of different symbols, got {symbols}; join those of a symbol"
        )
    checked = in_parallel(lambda one: _checked(one, time_order), series)
    cuts = kind.cut([one for one, _ in checked])

    def bars_of(row: int) -> Bars:
        one, times_back = checked[row]
        return _bars(one, times_back, cuts[row], fill=fill, partial=partial)

    made = in_parallel(bars_of, range(len(series)))
    return made[0] if isinstance(trades, TradeSeries) else _side_by_side(made)


def _checked(trades: TradeSeries, time_order: str) -> tuple[TradeSeries, int]:
    """The trades as numpy arrays in the order of time, and the number of steps back in time."""
    trades = jax.tree.map(np.asarray, trades)
    time_ns, price, size, side = trades.time_ns, trades.price, trades.size, trades.side
    before, after = time_ns[:-1], time_ns[1:]

    def look(rows: slice) -> tuple[int, bool]:
        # The least and the largest tell of every fault: NaN makes both of them NaN.
        amounts = all(array[rows].min() >= 0 and array[rows].max() < np.inf for array in (price, size))
        fine = amounts and side[rows].min() >= -1 and side[rows].max() <= 1
        return int(np.count_nonzero(after[rows] < before[rows])), bool(fine)

    looked = in_parallel(look, pieces(len(trades)))
    if not all(fine for _, fine in looked):
        _raise_for_values(trades)
    steps = sum(back for back, _ in looked)
    if not steps:
        return trades, 0
    back = after < before
    if time_order == "raise":
        raise ValueError(
            f"expected times of {trades.symbol} that never decrease, got {steps} steps back, the first after row "
            f"{int(np.argmax(back))}; time_order='sort' sorts them"
        )
    return trades[np.argsort(time_ns, kind="stable")], steps


def _raise_for_values(trades: TradeSeries) -> None:
    for name in ("price", "size"):
        array = getattr(trades, name)
        good = (array >= 0) & (array < np.inf)
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(
                f"expected every {name} of {trades.symbol} finite and >= 0, got {array[row]} in row {row}; leave such "
                "rows out"
            )
    side = trades.side
    bad = (side < -1) | (side > 1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"expected every side of {trades.symbol} as +1, -1 or 0, got {side[row]} in row {row}")


def _bars(trades: TradeSeries, times_back: int, cuts: Cuts, *, fill: str, partial: str) -> Bars:
    price, size, side = np.asarray(trades.price), np.asarray(trades.size), np.asarray(trades.side)
    values = aggregate_blocks(price, size, side, cuts.first, cuts.stop)
    bars = Bars(
        start_ns=cuts.start_ns,
        end_ns=cuts.end_ns,
        **{field.name: getattr(values, field.name) for field in fields(BarValues)},
        first_trade=cuts.first,
        complete=cuts.complete,
        valid=np.ones(len(cuts.first), bool),
        trades_outside=cuts.outside,
        trades_in_dropped=0,
        times_back=times_back,
        symbol=trades.symbol,
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
