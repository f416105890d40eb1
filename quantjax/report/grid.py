"""Books as sizes over distance from the mid: the grid behind the heatmap and the average shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from quantjax.lob import BookSeries
from quantjax.report.numbers import grouped
from quantjax.report.thinning import TimeBins, every_nth

__all__ = ["DepthGrid", "Offsets", "depth_grid", "offsets", "one_in", "sampled"]

# With at most so many ticks to a side a distance is told in ticks, else in basis points.
_TICKS_AT_MOST = 400


class Offsets(NamedTuple):
    """Distances of the levels from the mid, `[book, level]`, in `unit`; NaN, with size 0, where a level is absent.

    Of the books that have a mid; `rows` are their row numbers. `step`: one tick in `unit` (its median).
    """

    rows: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    bid_size: np.ndarray
    ask_size: np.ndarray
    unit: str
    step: float

    def each(self) -> Iterator[tuple[str, str, int, np.ndarray, np.ndarray]]:
        """(name, colour, sign of its half of the axis, distance, size) of the bids and of the asks."""
        from quantjax.report.style import ASK, BID

        yield "bid", BID, -1, self.bid, self.bid_size
        yield "ask", ASK, +1, self.ask, self.ask_size

    def reach(self, share: float) -> float:
        """The quantile `share` of the distance of a side's last level, and at least one tick."""
        last = np.concatenate([np.fmax.reduce(side, axis=1) for side in (self.bid, self.ask)])
        return max(float(np.quantile(last[np.isfinite(last)], share)), self.step)


class DepthGrid(NamedTuple):
    """Mean size by bin of time and bin of distance: `bid` and `ask` `[time bin, distance bin]`, in base currency.

    `edges`: of the distance bins, `[distance bin + 1]`; row i is the i-th bin of `TimeBins` with books.
    """

    bid: np.ndarray
    ask: np.ndarray
    edges: np.ndarray


def sampled(series: BookSeries, most: int) -> tuple[BookSeries, int]:
    """Every n-th book, at most `most` of them, and n."""
    rows = every_nth(len(series), most)
    return series[rows], rows.step


def one_in(every: int) -> str:
    """The words of a caption for books of which every n-th was taken; none for all."""
    return f" (one in {grouped(every)})" if every > 1 else ""


def offsets(series: BookSeries) -> Offsets | None:
    """Distances of all levels from the mid, in ticks where the book spans few of them and else in basis points.

    None where no book has both sides.
    """
    book = series.book
    prices = [np.asarray(array, np.float64) for array in (book.bid_price, book.ask_price)]
    sizes = [np.asarray(array, np.float64) for array in (book.bid_size, book.ask_size)]
    present = [(size > 0) & np.isfinite(price) for price, size in zip(prices, sizes, strict=True)]
    rows = np.flatnonzero(present[0][:, 0] & present[1][:, 0])
    if not rows.size:
        return None
    mid = 0.5 * (prices[0][rows, :1] + prices[1][rows, :1])
    tick = float(np.median(np.asarray(series.tick_size, np.float64)))
    far = [
        np.where(there[rows], np.abs(price[rows] - mid), np.nan) for price, there in zip(prices, present, strict=True)
    ]
    in_ticks = np.nanmedian(np.fmax(*far)) / tick <= _TICKS_AT_MOST
    scale = 1.0 / tick if in_ticks else 1e4 / mid
    bid_size, ask_size = (np.where(there, size, 0.0)[rows] for size, there in zip(sizes, present, strict=True))
    unit, step = ("ticks", 1.0) if in_ticks else ("bps", float(1e4 * tick / np.median(mid)))
    return Offsets(rows, far[0] * scale, far[1] * scale, bid_size, ask_size, unit, step)


def depth_grid(levels: Offsets, times: TimeBins, bins: int, reach: float) -> DepthGrid:
    """Mean size in each bin of time, in at most `bins` bins of distance up to `reach`, each of whole ticks.

    `times` are the bins of the books of `levels`. A level further than `reach` is left out. The mean is over all books
    of the bin of time, whether they have a level there or not. The mid lies on a tick or half way between two: with one
    tick to a bin, bin k holds the distances of k and k + 1/2 ticks.
    """
    ticks = max(1, -(-int(np.ceil(reach / levels.step)) // bins))
    width = ticks * levels.step
    number = int(np.ceil(reach / width)) + 1
    edges = np.maximum((np.arange(number + 1) - 0.25 / ticks) * width, 0.0)
    row = np.empty(len(levels.rows), np.int64)
    row[times.order] = np.repeat(np.arange(len(times.starts)), times.counts)

    def mean(distance: np.ndarray, size: np.ndarray) -> np.ndarray:
        inside = distance < edges[-1]
        column = np.floor(np.where(inside, distance, 0.0) / width + 0.25 / ticks).astype(np.int64)
        cell = row[:, None] * number + np.minimum(column, number - 1)
        total = np.bincount(cell[inside], size[inside], len(times.starts) * number)
        return total.reshape(len(times.starts), number) / times.counts[:, None]

    return DepthGrid(mean(levels.bid, levels.bid_size), mean(levels.ask, levels.ask_size), edges)
