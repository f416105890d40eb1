"""Time bars: equal intervals of the clock, empty ones among them."""

from __future__ import annotations

from decimal import Decimal

import equinox as eqx
import numpy as np

from quantjax.lob.bars.cuts import BarKind, Cuts
from quantjax.lob.intervals import interval_ns
from quantjax.lob.trades.series import TradeSeries
from quantjax.numerics.arguments import is_integer, plain

__all__ = ["TimeBars"]

# More bars than this are a wrong interval or a wrong time stamp, not a wish.
_MOST_BARS = 100_000_000


class TimeBars(BarKind):
    """Bars of equal time: bar k holds the trades with origin_ns + k dt <= t < origin_ns + (k + 1) dt.

    A trade exactly on a boundary belongs to the bar that begins there. Intervals without trades are bars with count 0.

    Arguments: `interval` dt: "100ms", "1s", "5min", "1h", or seconds (`interval_ns`); `origin_ns`: a time at which a
    bar begins, 0 (1970 UTC) unless told; `start_ns`, `end_ns`: the time that the data cover, int ns UTC, `end_ns`
    exclusive. Bars reach from the one that holds `start_ns` to the one that holds the last nanosecond before `end_ns`;
    trades outside are left out and counted. Where None, the data cover the time from the first trade to the last: of
    all symbols together, which get the same bars. A bar that is not inside that time whole is not `complete`.

    Raises ValueError for an interval that is no whole number of nanoseconds, and for end_ns <= start_ns.

    >>> TimeBars("1s").interval_ns
    1000000000
    """

    interval: str | float | Decimal = eqx.field(static=True, converter=plain)
    origin_ns: int = eqx.field(static=True, default=0, kw_only=True, converter=plain)
    start_ns: int | None = eqx.field(static=True, default=None, kw_only=True, converter=plain)
    end_ns: int | None = eqx.field(static=True, default=None, kw_only=True, converter=plain)

    def __check_init__(self):
        interval_ns(self.interval)
        for name in ("origin_ns", "start_ns", "end_ns"):
            value = getattr(self, name)
            if not is_integer(value) and (value is not None or name == "origin_ns"):
                raise TypeError(f"expected {name} as an integer of nanoseconds, got {value!r}")
        if self.start_ns is not None and self.end_ns is not None and self.end_ns <= self.start_ns:
            raise ValueError(f"expected end_ns > start_ns, got {self.end_ns} and {self.start_ns}")

    @property
    def interval_ns(self) -> int:
        """The interval in nanoseconds."""
        return interval_ns(self.interval)

    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        times = [np.asarray(one.time_ns) for one in trades]
        edges, complete = self._grid([time for time in times if len(time)])
        return [self._cut(time, edges, complete) for time in times]

    def _grid(self, times: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Boundaries `[bar + 1]`, and which bars are complete."""
        # Python's integers: no overflow however far the times are apart.
        start = int(self.start_ns) if self.start_ns is not None else min((int(t[0]) for t in times), default=None)
        end = int(self.end_ns) if self.end_ns is not None else max((int(t[-1]) for t in times), default=None)
        if start is None or end is None:
            return np.zeros(1, np.int64), np.zeros(0, bool)
        # The last trade itself is in a bar; a given end is not.
        last = end - 1 if self.end_ns is not None else end
        if last < start:
            return np.zeros(1, np.int64), np.zeros(0, bool)
        dt, origin = self.interval_ns, int(self.origin_ns)
        first_bar, last_bar = (start - origin) // dt, (last - origin) // dt
        count = last_bar - first_bar + 1
        if count > _MOST_BARS:
            raise ValueError(
                f"expected at most {_MOST_BARS:,} time bars, got {count:,} of {self.interval!r} from {start} to {end}; "
                "take a longer interval, or start_ns and end_ns without the stray times"
            )
        edges = origin + first_bar * dt + np.arange(count + 1, dtype=np.int64) * dt
        return edges, (edges[:-1] >= start) & (edges[1:] <= end)

    def _cut(self, time_ns: np.ndarray, edges: np.ndarray, complete: np.ndarray) -> Cuts:
        position = np.searchsorted(time_ns, edges)
        if len(complete) and self.start_ns is not None:
            # A bar may begin before the time asked for.
            position[0] = np.searchsorted(time_ns, self.start_ns)
        if len(complete) and self.end_ns is not None:
            position[-1] = np.searchsorted(time_ns, self.end_ns)
        first, stop = position[:-1], position[1:]
        outside = len(time_ns) - int(stop[-1] - first[0] if len(first) else 0)
        return Cuts(first, stop, edges[:-1], edges[1:], complete, outside)
