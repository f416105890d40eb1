"""A time axis in UTC, and series drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from quantjax.report.numbers import duration, grouped
from quantjax.report.thinning import Thinned, TimeBins

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_series", "how_thinned", "span_text", "time_axis"]

_SECOND = 1_000_000_000
_DAY = 86400 * _SECOND
_STEPS = (
    *(scale * 10**power for power in range(9) for scale in (1, 2, 5)),
    *(scale * _SECOND for scale in (1, 2, 5, 10, 15, 30)),
    *(scale * 60 * _SECOND for scale in (1, 2, 5, 10, 15, 30)),
    *(scale * 3600 * _SECOND for scale in (1, 2, 3, 6, 12)),
    *(scale * _DAY for scale in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)


def time_axis(axes: Axes, time_ns: np.ndarray, *, ticks: int = 7) -> None:
    """The x axis as UTC time from the first to the last of `time_ns`, at most `ticks` ticks, the day named under it."""
    from matplotlib.dates import date2num
    from matplotlib.ticker import FixedFormatter, FixedLocator

    first, last = int(np.min(time_ns)), int(np.max(time_ns))
    if first == last:
        first, last = first - _SECOND // 2, last + _SECOND // 2
    # Not matplotlib's date locator: it warns, and crowds, where none of its steps fits.
    step = next((step for step in _STEPS if (last - first) // step < ticks), _STEPS[-1])
    at = np.arange(-(-first // step) * step, last + 1, step)
    axes.set_xlim(*(float(date2num(np.datetime64(edge, "ns"))) for edge in (first, last)))
    axes.xaxis.set_major_locator(FixedLocator([float(date2num(tick)) for tick in at.astype("datetime64[ns]")]))
    axes.xaxis.set_major_formatter(FixedFormatter([_clock(int(tick), step) for tick in at]))
    axes.set_xlabel(f"UTC, {_days(first, last)}")


def _clock(time_ns: int, step: int) -> str:
    """A tick as far as its step needs: 06-21, 13:30, 13:30:05, 13:30:05.25."""
    day, clock = str(np.datetime64(time_ns, "ns")).split("T")
    if step >= _DAY:
        return day[5:]
    if step >= 60 * _SECOND:
        return clock[:5]
    return clock[:8] if step >= _SECOND else clock.rstrip("0")


def draw_series(axes: Axes, series: Thinned, color: str, label: str, *, band: bool = True, **options: Any) -> None:
    """Books that are binned as a line through their means before a band from minimum to maximum, others as steps."""
    if band and series.binned:
        axes.fill_between(series.time, series.minimum, series.maximum, color=color, alpha=0.22, linewidth=0)
    style = "default" if series.binned else "steps-post"
    axes.plot(series.time, series.mean, color=color, label=label, drawstyle=style, **options)
    if len(series.time) == 1:
        axes.plot(series.time, series.mean, "o", color=color, markersize=4)


def how_thinned(bins: TimeBins, what: str = "the line is their mean, the band their minimum to maximum") -> str:
    """The sentence of a caption that says how books were put together, and where lines break."""
    sentence = "Every book is drawn."
    if bins.width_ns:
        width = duration(bins.width_ns / _SECOND)
        sentence = f"The {grouped(len(bins.order))} books are put together in bins of {width}: {what}."
    if bins.gap_before.any():
        sentence += " The line breaks where no book came for long."
    return sentence


def span_text(time_ns: ArrayLike) -> str:
    """From when to when, in UTC: `2012-06-21 13:30:00 to 19:59:59 UTC`."""
    first, last = (np.datetime64(int(edge), "s") for edge in _edges(time_ns))
    start, stop = str(first).replace("T", " "), str(last).replace("T", " ")
    return f"{start} to {stop[11:] if stop[:10] == start[:10] else stop} UTC"


def _edges(time_ns: ArrayLike) -> tuple[int, int]:
    return int(np.min(time_ns)) // _SECOND, int(np.max(time_ns)) // _SECOND


def _days(first: int, last: int) -> str:
    start, stop = (str(np.datetime64(edge, "ns").astype("datetime64[D]")) for edge in (first, last))
    return start if start == stop else f"{start} to {stop}"
