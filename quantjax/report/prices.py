"""Figures of prices: mid and microprice, and the spread, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import BookAnalysis
from quantjax.report.numbers import percent, significant
from quantjax.report.style import (
    FULL,
    HALF,
    INK,
    MUTED,
    THIRD,
    beside,
    legend,
    new_figure,
    readable_ticks,
    say,
    share_axis,
    styled,
)
from quantjax.report.thinning import bin_times, quantiles, thin
from quantjax.report.time_axis import draw_series, how_thinned, time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["mid_and_microprice", "spread_over_time"]


@styled
def mid_and_microprice(analysis: BookAnalysis, *, size: tuple[float, float] = FULL, bins: int = 900) -> Figure:
    """Mid price over time, and under it how far the microprice stands from it, in basis points of the mid.

    `size` in inches; series of more than `bins` books are drawn as mean, minimum and maximum of `bins` bins of time.
    """
    figure = new_figure(size, "Mid price and microprice over time.")
    if not np.isfinite(analysis.mid).any():
        say(figure.add_subplot(), "No book had both a bid and an ask: there is no mid price.")
        return figure
    times = bin_times(analysis.time_ns, bins)
    mid = np.asarray(analysis.mid, np.float64)
    offset = 1e4 * (np.asarray(analysis.microprice, np.float64) - mid) / mid
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 0.62))
    draw_series(upper, thin(times, mid), INK, "mid")
    draw_series(upper, thin(times, analysis.microprice), THIRD, "microprice", band=False, linewidth=0.8)
    draw_series(lower, thin(times, offset), THIRD, "microprice − mid", linewidth=0.8)
    lower.axhline(0.0, color=INK, linewidth=0.6)
    upper.set_ylabel("price (quote currency)")
    lower.set_ylabel("micro − mid (bps)")
    legend(upper)
    readable_ticks(upper.yaxis)
    readable_ticks(lower.yaxis, count=3)
    upper.tick_params(bottom=False)
    time_axis(lower, analysis.time_ns, ticks=_ticks(size))
    figure.set_label(
        "Mid price (half way between best bid and best ask) and microprice (weighted by the size on the other side), "
        f"in quote currency; below, their difference in basis points of the mid. {how_thinned(times)}"
    )
    return figure


@styled
def spread_over_time(analysis: BookAnalysis, *, size: tuple[float, float] = HALF, bins: int = 400) -> Figure:
    """Quoted spread in basis points of the mid over time, and beside it how often which spread was quoted.

    `size` in inches; `bins` as in `mid_and_microprice`. The axis ends at the 0.1 % and 99.9 % quantiles, and the
    caption names the extremes beyond.
    """
    figure = new_figure(size, "Quoted spread over time.")
    spread = np.asarray(analysis.spread_bps, np.float64)
    known = spread[np.isfinite(spread)]
    if not known.size:
        say(figure.add_subplot(), "No book had both a bid and an ask: there is no spread.")
        return figure
    times = bin_times(analysis.time_ns, bins)
    main, side = beside(figure)
    draw_series(main, thin(times, spread), INK, "spread")
    low, median, high = quantiles(spread, (0.001, 0.5, 0.999))
    bottom, top = min(0.0, float(low)), max(0.0, float(high)) * 1.08
    top = top if top > bottom else bottom + 1.0
    shares, edges = np.histogram(known, bins=40, range=(bottom, top))
    side.barh(edges[:-1], shares / len(known), height=np.diff(edges), align="edge", color=MUTED, alpha=0.55)
    for axes in (main, side):
        axes.axhline(median, color=THIRD, linewidth=1.0, linestyle=(0, (4, 2)))
    main.set_ylim(bottom, top)
    main.set_ylabel("spread (bps)")
    main.set_title(f"median {significant(float(median), 3)} bps")
    side.set_title("share")
    readable_ticks(main.yaxis)
    share_axis(side)
    time_axis(main, analysis.time_ns, ticks=5)
    outside = np.count_nonzero((known < bottom) | (known > top)) / len(known)
    beyond = f" {percent(outside)} of the books lie outside the axis, the extreme being {_extreme(known, top)} bps."
    figure.set_label(
        "Quoted spread (best ask less best bid) in basis points of the mid; right, the share of books by spread; "
        f"dashed, the median. {how_thinned(times)}{beyond if outside else ''}"
    )
    return figure


def _extreme(known: np.ndarray, top: float) -> str:
    return significant(float(known.max() if known.max() > top else known.min()), 4)


def _ticks(size: tuple[float, float]) -> int:
    return max(4, round(size[0] * 0.9))
