"""Figures of imbalances: over time, and beside what the mid did next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import BookAnalysis
from quantjax.report.numbers import grouped
from quantjax.report.style import (
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
from quantjax.report.thinning import bin_times, thin
from quantjax.report.time_axis import draw_series, how_thinned, time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["imbalances", "microprice_against_next_move", "next_mid_change_bps"]


@styled
def imbalances(analysis: BookAnalysis, *, size: tuple[float, float] = HALF, bins: int = 120) -> Figure:
    """Imbalance of the best queues and of the deepest levels measured, over time, and beside it their distribution.

    `size` in inches; series of more than `bins` books are drawn as means over `bins` bins of time.
    """
    figure = new_figure(size, "Imbalances over time.")
    shown = {"best queues": (np.asarray(analysis.queue_imbalance, np.float64), MUTED)}
    if analysis.depth_imbalance:
        deepest = max(analysis.depth_imbalance)
        levels = min(deepest, int(max(np.max(analysis.bid_levels, initial=1), np.max(analysis.ask_levels, initial=1))))
        name = "level" if levels == 1 else "levels"
        shown[f"{levels} {name} a side"] = np.asarray(analysis.depth_imbalance[deepest], np.float64), THIRD
    if not any(np.isfinite(values).any() for values, _ in shown.values()):
        say(figure.add_subplot(), "No book had a size on either side: there is no imbalance.")
        return figure
    times = bin_times(analysis.time_ns, bins)
    main, side = beside(figure)
    for name, (values, color) in shown.items():
        draw_series(main, thin(times, values), color, name, band=False)
        known = values[np.isfinite(values)]
        shares, edges = np.histogram(known, bins=20, range=(-1.0, 1.0))
        side.stairs(shares / max(len(known), 1), edges, orientation="horizontal", color=color, linewidth=1.2)
    for axes in (main, side):
        axes.axhline(0.0, color=INK, linewidth=0.6)
    main.set_ylim(-1.05, 1.05)
    main.set_ylabel("(bid − ask) / (bid + ask)")
    side.set_title("share")
    legend(main)
    readable_ticks(main.yaxis)
    share_axis(side)
    time_axis(main, analysis.time_ns, ticks=5)
    figure.set_label(
        "Imbalance of sizes, +1 where all is bid and −1 where all is offered; right, the share of books by imbalance. "
        + how_thinned(times, "the lines are their means")
    )
    return figure


@styled
def microprice_against_next_move(
    analysis: BookAnalysis, *, size: tuple[float, float] = HALF, buckets: int = 12
) -> Figure:
    """Mean of the next change of the mid against where the microprice stood before it, both in basis points.

    Books are put into `buckets` of equal number by microprice − mid. On the dashed diagonal the microprice would have
    been the mean of the next mid. A description of the recording: neighbouring books share their next change, so that
    the points are far less certain than the number of books suggests.
    """
    figure = new_figure(size, "Next change of the mid against the microprice.")
    axes = figure.add_subplot()
    mid = np.asarray(analysis.mid, np.float64)
    offset = 1e4 * (np.asarray(analysis.microprice, np.float64) - mid) / mid
    change = next_mid_change_bps(analysis.time_ns, mid)
    known = np.isfinite(offset) & np.isfinite(change)
    if np.count_nonzero(known) < 2 or np.ptp(offset[known]) == 0:
        say(axes, "The mid changed too rarely to say what followed which microprice.")
        return figure
    x, y = offset[known], change[known]
    inner = np.unique(np.quantile(x, np.linspace(0, 1, buckets + 1)[1:-1]))
    bucket = np.searchsorted(inner, x, side="right")
    numbers = np.bincount(bucket, minlength=len(inner) + 1)
    some = numbers > 0
    mean_x, mean_y = (np.bincount(bucket, of, len(inner) + 1)[some] / numbers[some] for of in (x, y))
    reach = 1.08 * float(np.max(np.abs(mean_x)))
    axes.axline((0.0, 0.0), slope=1.0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)), label="next mid = microprice")
    axes.plot(mean_x, mean_y, "o-", color=THIRD, markersize=4, label="mean next change of the mid")
    for line in (axes.axhline, axes.axvline):
        line(0.0, color=INK, linewidth=0.6)
    axes.set_xlim(-reach, reach)
    # By the means, not by the diagonal: where it is steep, the microprice overstates what followed.
    tallest = 1.25 * max(float(np.max(np.abs(mean_y))), 0.05 * reach)
    axes.set_ylim(-tallest, tallest)
    axes.set_xlabel("microprice − mid (bps)")
    axes.set_ylabel("next change of the mid (bps)")
    legend(axes)
    readable_ticks(axes.xaxis)
    readable_ticks(axes.yaxis)
    figure.set_label(
        f"What followed, in this recording: {grouped(len(x))} books in {np.count_nonzero(some)} groups of about equal "
        "number by microprice − mid, each drawn at its mean, against the mean of the first change of the mid after "
        "them, however long it took. It describes the recording and is no forecast; books that share a change are "
        "counted each."
    )
    return figure


def next_mid_change_bps(time_ns: np.ndarray, mid: np.ndarray) -> np.ndarray:
    """For each book the next other mid less its own, in basis points of its own, `[time]`.

    In order of `time_ns`; books without a mid are passed over. NaN for those, and after the last change.
    """
    order = np.argsort(time_ns, kind="stable")
    rows = order[np.isfinite(mid[order])]
    own = mid[rows]
    change = np.full(len(mid), np.nan)
    if len(rows) < 2:
        return change
    # The first row after each at which the mid is another: from the back, the last change seen so far.
    changes = np.append(own[1:] != own[:-1], False)
    row = np.where(changes, np.arange(1, len(own) + 1), len(own))
    following = np.minimum.accumulate(row[::-1])[::-1]
    some = following < len(own)
    change[rows[some]] = 1e4 * (own[following[some]] - own[some]) / own[some]
    return change
