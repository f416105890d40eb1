"""Long series thinned to what a screen shows: minimum, maximum and mean of each of equal bins of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Thinned", "TimeBins", "bin_times", "every_nth", "quantiles", "thin"]

# A step is not drawn across a gap longer than this share of the time shown, and this many usual intervals.
_GAP_SHARE, _GAP_INTERVALS = 0.05, 20


class TimeBins(NamedTuple):
    """Equal bins of time and which books fall into them.

    `order`: row indices in order of time; `starts`: for each bin that holds a book, the position in `order` of its
    first; `time_ns`: its left edge, or the book's own time where books are not binned; `gap_before`: no book for long
    before it; `width_ns`: of a bin, 0 where books are not binned.
    """

    order: np.ndarray
    starts: np.ndarray
    time_ns: np.ndarray
    gap_before: np.ndarray
    width_ns: int

    @property
    def counts(self) -> np.ndarray:
        """Number of books in each bin."""
        return np.diff(np.append(self.starts, len(self.order)))


class Thinned(NamedTuple):
    """A series by bins of time: `minimum`, `maximum` and `mean` over the books of each bin.

    `time` (datetime64) is the middle of the bin, or the book's own where books are not binned. Bins without a book are
    left out; NaN where the series has no number in a bin, and before a long gap.
    """

    time: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    mean: np.ndarray
    width_ns: int

    @property
    def binned(self) -> bool:
        """Whether books were put together; if not, minimum, maximum and mean are the series itself."""
        return self.width_ns > 0


def bin_times(time_ns: np.ndarray, bins: int) -> TimeBins:
    """`bins` equal bins over the span of `time_ns` (in any order, not empty); none for up to two books a bin."""
    if bins < 1:
        raise ValueError(f"expected bins >= 1, got {bins}")
    time_ns = np.asarray(time_ns)
    order = np.argsort(time_ns, kind="stable")
    ordered = time_ns[order]
    first, last = int(ordered[0]), int(ordered[-1])
    if len(ordered) <= 2 * bins or first == last:
        # One bin a time: books of one time are one bin, the others stand alone.
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        return TimeBins(order, starts, ordered[starts], _gaps(ordered, starts), 0)
    width = -(-(last - first + 1) // bins)
    index = (ordered - first) // width
    starts = np.flatnonzero(np.append(True, index[1:] != index[:-1]))
    times = first + index[starts] * width
    return TimeBins(order, starts, times, _gaps(ordered, starts), int(width))


def thin(bins: TimeBins, values: ArrayLike) -> Thinned:
    """Minimum, maximum and mean of `values` `[time]` in each bin, ready to be drawn; NaN is left out.

    A bin that holds only NaN is NaN, and a NaN is put in before a bin that comes after a long gap.
    """
    ordered = np.asarray(values, dtype=np.float64)[bins.order]
    known = np.isfinite(ordered)
    numbers = np.add.reduceat(known.astype(np.int64), bins.starts)
    some = numbers > 0

    def reduced(ufunc: np.ufunc, neutral: float) -> np.ndarray:
        return np.where(some, ufunc.reduceat(np.where(known, ordered, neutral), bins.starts), np.nan)

    mean = reduced(np.add, 0.0) / np.maximum(numbers, 1)
    columns = [reduced(np.minimum, np.inf), reduced(np.maximum, -np.inf), mean]
    times = bins.time_ns + bins.width_ns // 2
    breaks = np.flatnonzero(bins.gap_before)
    # The break stands right after the value before the gap.
    times = np.insert(times, breaks, times[breaks - 1] + 1)
    columns = [np.insert(column, breaks, np.nan) for column in columns]
    return Thinned(times.astype("datetime64[ns]"), columns[0], columns[1], columns[2], bins.width_ns)


def every_nth(count: int, most: int) -> slice:
    """Every n-th of `count` rows with the smallest n that leaves at most `most` of them."""
    return slice(None, None, max(1, -(-count // most)))


def quantiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Quantiles of the numbers among `values`; NaN where there are none."""
    known = values[np.isfinite(values)]
    return np.quantile(known, shares) if known.size else np.full(len(shares), np.nan)


def _gaps(ordered: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Which bins begin long after the book before them."""
    gaps = np.zeros(len(starts), bool)
    steps = np.diff(ordered)
    if (steps > 0).any():
        usual = float(np.median(steps[steps > 0]))
        long = max(_GAP_SHARE * float(ordered[-1] - ordered[0]), _GAP_INTERVALS * usual)
        gaps[1:] = steps[starts[1:] - 1] > long
    return gaps
