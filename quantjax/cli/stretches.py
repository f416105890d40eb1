"""Stretches in sync: the books of each, and their trades; nothing crosses a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quantjax import io, lob

__all__ = ["Stretch", "books_of", "cut_stretches", "pooled_imbalance"]

MIN_BOOKS = 10


@dataclass(frozen=True)
class Stretch:
    """The books of one stretch in sync and the trades from its first book's time to its last book's."""

    books: lob.BookSeries
    trades: lob.TradeSeries | None


def books_of(stream: io.UpdateStream, levels: int, every_ns: int | None = None) -> lob.BookSeries:
    """The best levels of a stream's book: after each message, or at each multiple of `every_ns`. Driver.

    The snapshot is the first book; messages of one time are a book each. Levels that no book has are cut off.
    """
    from quantjax import lob

    at = None
    if every_ns is not None:
        at = np.arange(-(-stream.start_ns // every_ns), stream.end_ns // every_ns + 1, dtype=np.int64) * every_ns
    series = stream.books(at, levels)
    sizes = np.asarray(series.book.bid_size), np.asarray(series.book.ask_size)
    deepest = max((int(np.max(np.flatnonzero((side > 0).any(0)), initial=0)) for side in sizes if len(side)), default=0)
    return lob.BookSeries(series.time_ns, series.book.top(deepest + 1), series.symbol, series.tick_size)


def cut_stretches(
    series: Sequence[lob.BookSeries], trades: lob.TradeSeries | None
) -> tuple[list[Stretch], dict[str, int]]:
    """Stretches that are long enough, with their trades, and what was left out by name. Driver.

    Left out: crossed books and ones that are invalid, stretches of fewer than 10 books or of no time at all, trades
    that cannot be right, and trades outside every stretch that is measured.
    """
    from quantjax import lob

    counts: dict[str, int] = dict.fromkeys(
        ("stretches_too_short", "books_invalid", "books_crossed", "trades_invalid"), 0
    )
    if trades is not None:
        cleaned_trades = lob.clean_trades(trades)
        trades = cleaned_trades.trades
        counts["trades_invalid"] = cleaned_trades.counts["invalid_dropped"]
        counts["trades_clock_went_back"] = cleaned_trades.counts["clock_went_back"]
    found: list[Stretch] = []
    for one in series:
        cleaned = lob.clean(one, time_order="raise")
        counts["books_invalid"] += cleaned.counts["invalid_dropped"]
        counts["books_crossed"] += cleaned.counts["crossed_dropped"]
        books = cleaned.books
        assert isinstance(books, lob.BookSeries)
        if len(books) < MIN_BOOKS or books.time_ns[-1] == books.time_ns[0]:
            counts["stretches_too_short"] += 1
            continue
        within = None
        if trades is not None:
            # A trade at the very time of the first book is within: the join says that no book stood before it.
            first, last = (int(books.time_ns[row]) for row in (0, -1))
            time_ns = np.asarray(trades.time_ns)
            rows = slice(*np.searchsorted(time_ns, [first, last + 1]).tolist())
            within = trades[rows]
        found.append(Stretch(books, within))
    if trades is not None:
        counts["trades_out_of_sync"] = len(trades) - sum(len(one.trades) for one in found if one.trades is not None)
    return found, counts


def pooled_imbalance(stretches: Sequence[Stretch], interval_ns: int, levels: int) -> lob.OrderFlowImbalance | None:
    """Order flow over intervals of every stretch, one after another, and between two of them one of NaN; None for none.

    That interval is the gap: a regression leaves it out, and those of its neighbours as the interval before or after.
    """
    from quantjax import lob
    from quantjax.lob.trades.intervals import require_few

    parts = []
    for stretch in stretches:
        first, last = (int(stretch.books.time_ns[row]) for row in (0, -1))
        if count := (last - first) // interval_ns:
            require_few(count, "intervals", f"{1e-9 * interval_ns:g} s")
            edges = first + interval_ns * np.arange(count + 1, dtype=np.int64)
            parts.append(lob.order_flow_imbalance(stretch.books, edges, levels=min(levels, stretch.books.book.levels)))
    if not parts:
        return None

    def joined(name: str, gap: float) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        between = np.full((1, *arrays[0].shape[1:]), gap, arrays[0].dtype)
        return np.concatenate([piece for array in arrays for piece in (between, array)][1:])

    return lob.OrderFlowImbalance(
        edges_ns=np.concatenate([part.edges_ns for part in parts]),
        mid=np.concatenate([part.mid for part in parts]),
        mid_change=joined("mid_change", np.nan),
        ofi=joined("ofi", np.nan),
        depth=joined("depth", np.nan),
        num_events=joined("num_events", 0),
        num_left_out=sum(part.num_left_out for part in parts),
        symbol=parts[0].symbol,
    )
