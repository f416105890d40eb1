"""What the formats of finished rows (LOBSTER, JSON lines, Parquet) share: unusable books left out, then sampling."""

from __future__ import annotations

import jax
import numpy as np

from quantjax import lob
from quantjax.io.counts import Counts

__all__ = ["RowSampler", "screen"]


def screen(series: lob.BookSeries, counts: Counts) -> tuple[lob.BookSeries, np.ndarray]:
    """The series without books that hold no usable numbers, and which rows were kept, bool `[time]`.

    Books that are not finite or negative are skipped; crossed, unsorted and one-sided ones are kept: `lob.check` finds
    them again and `lob.clean` mends. Each is counted (a skipped book at its first reason).
    """
    found = lob.check(series)
    kept = ~(found.not_finite | found.negative)
    counts["not_finite"] += int(np.count_nonzero(found.not_finite))
    counts["negative"] += int(np.count_nonzero(found.negative & ~found.not_finite))
    for name, flags in (("crossed", found.crossed), ("unsorted", found.unsorted), ("empty_side", found.empty)):
        counts[f"{name}_kept"] += int(np.count_nonzero(flags & kept))
    return (series if kept.all() else series[kept]), kept


class RowSampler:
    """Books at every multiple of an interval, from rows that come in pieces.

    As `feeds.recording.sampler` does it for raw inputs: at each boundary the book as the rows before it left it, given
    once a row at or past the boundary has come. If several boundaries pass between two rows only the first is given,
    and the others are counted (`samples_missed`). Rows that step back in time are taken at the latest time there was.
    """

    def __init__(self, interval_ns: int, counts: Counts) -> None:
        self._interval_ns = interval_ns
        self._counts = counts
        self._last: lob.BookSeries | None = None

    def __call__(self, series: lob.BookSeries) -> lob.BookSeries:
        """The samples that this piece completes."""
        if not len(series):
            return series
        if self._last is not None:
            time_ns = np.concatenate([self._last.time_ns, series.time_ns])
            book = jax.tree.map(lambda *pieces: np.concatenate(pieces), self._last.book, series.book)
            series = lob.BookSeries(time_ns, book, series.symbol, series.tick_size)
        time_ns = np.maximum.accumulate(np.asarray(series.time_ns))
        boundary = time_ns // self._interval_ns + 1
        passed = np.diff(boundary)
        rows = np.flatnonzero(passed)
        self._counts["samples_missed"] += int(passed.sum()) - len(rows)
        self._last = lob.BookSeries(time_ns[-1:], series.book[-1:], series.symbol, series.tick_size)
        return lob.BookSeries(boundary[rows] * self._interval_ns, series.book[rows], series.symbol, series.tick_size)
