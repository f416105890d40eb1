"""Figures of depth: within bands of the mid over time, and how it grows with distance on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import BookAnalysis, BookSeries
from quantjax.report.grid import offsets, one_in, sampled
from quantjax.report.numbers import compact, grouped
from quantjax.report.style import ASK, BID, HALF, INK, legend, new_figure, readable_ticks, say, styled
from quantjax.report.thinning import bin_times, thin
from quantjax.report.time_axis import how_thinned, time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["average_book_shape", "band_depth_over_time"]


@styled
def band_depth_over_time(analysis: BookAnalysis, *, size: tuple[float, float] = HALF, bins: int = 200) -> Figure:
    """Depth within each band around the mid over time, in quote currency: asks upwards, bids downwards.

    `size` in inches; series of more than `bins` books are drawn as means over `bins` bins of time. The axis ends at
    1.15 times the 99 % quantile of the widest band, and the caption says so where something lies beyond.
    """
    figure = new_figure(size, "Depth within bands of the mid over time.")
    axes = figure.add_subplot()
    bands = sorted(analysis.bid_depth_quote)
    if not any(np.isfinite(analysis.bid_depth_quote[band]).any() for band in bands):
        say(axes, "No book had both a bid and an ask: there is no depth around a mid.")
        return figure
    times = bin_times(analysis.time_ns, bins)
    alphas = np.linspace(0.85, 0.3, len(bands)) if len(bands) > 1 else [0.7]
    highest = []
    for sign, color, name, depth in (
        (+1, ASK, "ask", analysis.ask_depth_quote),
        (-1, BID, "bid", analysis.bid_depth_quote),
    ):
        # The widest first and palest, the narrower over it: each band holds those inside it.
        for band, alpha in reversed(list(zip(bands, alphas, strict=True))):
            series = thin(times, depth[band])
            axes.fill_between(
                series.time, 0.0, sign * series.mean, step=None if series.binned else "post", color=color, alpha=alpha,
                linewidth=0, label=f"{name} {band:g} bps",
            )  # fmt: skip
            if band == bands[-1]:
                highest.append(series.mean[np.isfinite(series.mean)])
    axes.axhline(0.0, color=INK, linewidth=0.6)
    means = np.concatenate(highest)
    top = 1.15 * float(np.quantile(means, 0.99)) or 1.0
    axes.set_ylim(-top, top)
    axes.set_ylabel("bids ↓   depth (quote)   ↑ asks")
    handles, labels = axes.get_legend_handles_labels()
    by_rows = [i for pair in zip(range(len(bands)), range(len(bands), 2 * len(bands)), strict=True) for i in pair]
    axes.legend(
        [handles[i] for i in by_rows], [labels[i] for i in by_rows], loc="lower left", bbox_to_anchor=(0.0, 1.0),
        ncols=min(3, len(bands)),
    )  # fmt: skip
    _compact_ticks(axes)
    time_axis(axes, analysis.time_ns, ticks=6)
    beyond = " Bins that reach beyond the axis are cut." if (means > top).any() else ""
    figure.set_label(
        "Size within so many basis points of the mid, in quote currency; each band holds the narrower ones. A band "
        "wider than the recorded levels shows what was recorded. "
        f"{how_thinned(times, 'the areas are their means')}{beyond}"
    )
    return figure


@styled
def average_book_shape(
    series: BookSeries, *, size: tuple[float, float] = HALF, points: int = 60, most: int = 20_000
) -> Figure:
    """Cumulative size by distance from the mid, mean and 10 to 90 % of the books, both sides.

    `size` in inches; at `points` distances up to the 75 % quantile of the distance of a side's last level; from at most
    `most` books, evenly taken.
    """
    figure = new_figure(size, "Average shape of the book.")
    axes = figure.add_subplot()
    books, every = sampled(series, most)
    sides = offsets(books)
    if sides is None:
        say(axes, "No book had both a bid and an ask: there is no distance from a mid.")
        return figure
    distances = np.linspace(0.0, sides.reach(0.75), points)
    for name, color, sign, distance, sizes in sides.each():
        depth = cumulative_depth(distance, sizes, distances)
        low, high = np.quantile(depth, (0.1, 0.9), axis=0)
        axes.fill_between(sign * distances, low, high, color=color, alpha=0.22, linewidth=0)
        axes.plot(sign * distances, depth.mean(axis=0), color=color, label=name)
    axes.axvline(0.0, color=INK, linewidth=0.6)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(f"distance from the mid ({sides.unit})")
    axes.set_ylabel("cumulative size (base)")
    legend(axes)
    readable_ticks(axes.xaxis, count=7)
    _compact_ticks(axes)
    figure.set_label(
        f"Size within a distance of the mid, in base currency: mean of {grouped(len(sides.rows))} books"
        f"{one_in(every)}, the band from the 10 % to the 90 % quantile. Beyond its "
        "last recorded level a book counts what it showed."
    )
    return figure


def cumulative_depth(distance: np.ndarray, sizes: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Size within each of `distances`, `[book, point]`, of levels at `distance` with `sizes`, `[book, level]`.

    A level at a distance counts, up to a rounding of 1e-9 of it.
    """
    depth = np.zeros((len(distance), len(distances)))
    for level in range(distance.shape[1]):
        inside = distance[:, level, None] <= distances * (1 + 1e-9)
        depth += np.where(inside, sizes[:, level, None], 0.0)
    return depth


def _compact_ticks(axes) -> None:
    from matplotlib.ticker import FuncFormatter

    readable_ticks(axes.yaxis)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(abs(value))))
