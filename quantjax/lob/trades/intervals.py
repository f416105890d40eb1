"""Intervals of the clock that trades fall into, and grids of times to sample at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quantjax.lob.trades.join import seconds_to_ns

__all__ = ["Intervals", "cut_intervals"]

_MOST = 10_000_000


class Intervals(NamedTuple):
    """`start_ns`, int64 `[interval]`, every interval from that of the first trade to that of the last; `row`, int64
    `[trade]`, which one each trade is in."""

    start_ns: np.ndarray
    row: np.ndarray


def cut_intervals(time_ns: np.ndarray, interval_s: float) -> Intervals:
    """Intervals [k s, (k + 1) s) since 1970 UTC, the empty ones among them. Driver.

    Raises ValueError for an interval that is not positive, and for more than ten million of them (times that are not
    nanoseconds, or one that is far from the others).

    >>> cut = cut_intervals(np.array([1_500_000_000, 3_100_000_000]), 1.0)
    >>> cut.start_ns, cut.row
    (array([1000000000, 2000000000, 3000000000]), array([0, 2]))
    """
    step_ns = seconds_to_ns(interval_s, "interval_s")
    if step_ns == 0:
        raise ValueError(f"expected interval_s of a nanosecond or more, got {interval_s!r}")
    time_ns = np.asarray(time_ns)
    if len(time_ns) == 0:
        return Intervals(np.empty(0, np.int64), np.empty(0, np.int64))
    first, last = int(time_ns.min()) // step_ns, int(time_ns.max()) // step_ns
    if last - first >= _MOST:
        raise ValueError(
            f"expected at most {_MOST:,} intervals, got {last - first + 1:,} of {interval_s} s; take longer ones, or "
            "look for a time that is far from the others"
        )
    return Intervals(np.arange(first, last + 1, dtype=np.int64) * step_ns, time_ns // step_ns - first)
