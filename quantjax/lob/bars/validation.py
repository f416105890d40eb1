"""Trades before they are cut into bars: looked at on all cores, and judged by the validator of all trades."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from quantjax.lob.bars.blocks import in_parallel, pieces
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid

__all__ = ["checked_trades"]


def checked_trades(series: Sequence[TradeSeries], time_order: str) -> list[tuple[TradeSeries, int]]:
    """The trades of each symbol as numpy arrays in the order of time, and the number of steps back that they had.

    Raises ValueError that names symbol and row for a bad price, size or side, and where the time goes back unless
    `time_order` is "sort".
    """
    series = [jax.tree.map(np.asarray, one) for one in series]
    parts = [(row, rows) for row, one in enumerate(series) for rows in pieces(len(one))]
    looked = in_parallel(lambda part: _look(series[part[0]], part[1]), parts)
    steps, fine = [0] * len(series), [True] * len(series)
    for (row, _), (back, good) in zip(parts, looked, strict=True):
        steps[row] += back
        fine[row] &= good
    return [_in_order(*found, time_order) for found in zip(series, steps, fine, strict=True)]


def _look(trades: TradeSeries, rows: slice) -> tuple[int, bool]:
    """Steps back in time, and whether all values are good for certain; where not, `require_valid` judges them."""
    price, size, side = np.asarray(trades.price)[rows], np.asarray(trades.size)[rows], np.asarray(trades.side)[rows]
    time_ns = np.asarray(trades.time_ns)[rows.start : rows.stop + 1]
    # The least and the largest tell of every fault: NaN makes both of them NaN.
    fine = price.min() > 0 and size.min() >= 0 and max(price.max(), size.max()) < np.inf
    fine = fine and side.min() >= -1 and side.max() <= 1
    return int(np.count_nonzero(time_ns[1:] < time_ns[:-1])), bool(fine)


def _in_order(trades: TradeSeries, steps: int, fine: bool, time_order: str) -> tuple[TradeSeries, int]:
    if fine and not steps:
        return trades, 0
    advice = ""
    try:
        require_valid(trades)
        if time_order == "raise":
            advice = ", and so does time_order='sort'"
            require_valid(trades, in_order=True)
    except ValueError as error:
        raise ValueError(f"{error}{advice}") from None
    return trades[np.argsort(np.asarray(trades.time_ns), kind="stable")], steps
