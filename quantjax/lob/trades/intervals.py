"""Intervals of the clock that trades fall into, and how many of anything a driver makes."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np

from quantjax.lob.intervals import interval_ns

__all__ = ["Intervals", "cut_intervals", "require_few"]

_MOST = 10_000_000


class Intervals(NamedTuple):
    """`start_ns`, int64 `[interval]`, every interval from that of the first trade to that of the last; `row`, int64
    `[trade]`, which one each trade is in; `step_ns`, how long each is."""

    start_ns: np.ndarray
    row: np.ndarray
    step_ns: int


def cut_intervals(time_ns: np.ndarray, interval: str | float | Decimal) -> Intervals:
    """Intervals [k s, (k + 1) s) since 1970 UTC, the empty ones among them. Driver.

    `interval` as in `interval_ns`, whose errors these are. Raises ValueError for more than ten million intervals (times
    that are not nanoseconds, or one that is far from the others).

    >>> cut = cut_intervals(np.array([1_500_000_000, 3_100_000_000]), 1.0)
    >>> cut.start_ns, cut.row
    (array([1000000000, 2000000000, 3000000000]), array([0, 2]))
    """
    step_ns = interval_ns(interval)
    time_ns = np.asarray(time_ns)
    if len(time_ns) == 0:
        return Intervals(np.empty(0, np.int64), np.empty(0, np.int64), step_ns)
    first, last = int(time_ns.min()) // step_ns, int(time_ns.max()) // step_ns
    require_few(last - first + 1, "intervals", f"{1e-9 * step_ns:g} s")
    return Intervals(np.arange(first, last + 1, dtype=np.int64) * step_ns, time_ns // step_ns - first, step_ns)


def require_few(count: int, what: str, of: str, advice: str = "look for a time that is far from the others") -> None:
    """Raise ValueError for more than ten million of anything: a wrong step, not a wish."""
    if count > _MOST:
        raise ValueError(f"expected at most {_MOST:,} {what}, got {count:,} of {of}; take larger ones, or {advice}")
