"""The depth heatmap: size by distance from the mid and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import BookSeries
from quantjax.report.grid import DepthGrid, depth_grid, offsets, one_in, sampled
from quantjax.report.numbers import compact, duration, grouped, significant
from quantjax.report.style import ASK, BID, FULL, INK, new_figure, readable_ticks, say, styled
from quantjax.report.thinning import TimeBins, bin_times
from quantjax.report.time_axis import time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["depth_heatmap"]

# The faintest size is still seen; the colours are transparent so that they work on a light and on a dark page.
_FAINTEST = 0.07


@styled
def depth_heatmap(
    series: BookSeries, *, size: tuple[float, float] = FULL, bins: int = 480, rows: int = 50, most: int = 200_000
) -> Figure:
    """Size by distance from the mid (up: asks, down: bids) and time; the stronger the colour, the larger, by logarithm.

    `size` in inches; the mean over the books in each of `bins` bins of time and about `rows` bins of distance a side,
    up to the 90 % quantile of the distance of a side's last level; from at most `most` books, evenly taken.
    """
    figure = new_figure(size, "Depth by distance from the mid and time.")
    books, every = sampled(series, most)
    levels = offsets(books)
    if levels is None:
        say(figure.add_subplot(), "No book had both a bid and an ask: there is no distance from a mid.")
        return figure
    time_ns = np.asarray(books.time_ns)[levels.rows]
    times = bin_times(time_ns, bins)
    grid = depth_grid(levels, times, rows, levels.reach(0.9))
    columns = _columns(times, time_ns, bins)
    low, high = _scale(grid)

    axes = figure.add_subplot()
    time_axis(axes, time_ns, ticks=max(4, round(size[0] * 0.9)))
    left, right = axes.get_xlim()
    for sign, color, values in ((+1, ASK, grid.ask), (-1, BID, grid.bid)):
        image = np.where(columns[None, :] >= 0, values.T[:, columns], 0.0)
        extent = (left, right, sign * grid.edges[0], sign * grid.edges[-1])
        axes.imshow(_shade(image, color, low, high), extent=extent, origin="lower", aspect="auto", interpolation="none")
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_xlim(left, right)
    axes.set_ylim(-grid.edges[-1], grid.edges[-1])
    axes.grid(visible=False)
    axes.set_ylabel(f"bids ↓   {levels.unit} from mid   ↑ asks")
    readable_ticks(axes.yaxis, count=7)
    _color_bar(axes, low, high, width=1.6 / size[0])
    width = f"bins of {duration(times.width_ns / 1e9)}" if times.width_ns else "books as they came"
    step = float(grid.edges[-1] - grid.edges[-2])
    row = "1 tick" if levels.unit == "ticks" and step == 1 else f"{significant(step, 3)} {levels.unit}"
    figure.set_label(
        "Mean size at each distance from the mid (the line), in base currency on a logarithmic scale: "
        f"{grouped(len(books))} books{one_in(every)}, {width}, {row} to a row. A bin without a book shows the last "
        "one, but not for long; levels beyond the axis are not drawn."
    )
    return figure


def _columns(times: TimeBins, time_ns: np.ndarray, bins: int) -> np.ndarray:
    """For each of `bins` equal columns over the time shown the bin whose book is in force, -1 in a long gap."""
    first, last = int(time_ns.min()), int(time_ns.max())
    width = max(1, (last - first) // bins)
    begins = first + np.arange(bins) * max(last - first, 1) // bins
    # Half a column on: both sets of edges are rounded.
    column = np.searchsorted(times.time_ns, begins + width // 2, side="right") - 1
    before_gap = np.append(times.gap_before[1:], False)[column]
    stale = begins - times.time_ns[column] > 2 * max(width, times.width_ns)
    return np.where(before_gap & stale, -1, column)


def _scale(grid: DepthGrid) -> tuple[float, float]:
    """Sizes of the faintest and the strongest colour."""
    positive = np.concatenate([side[side > 0] for side in (grid.bid, grid.ask)])
    if not positive.size:
        return 1.0, 10.0
    low, high = (float(edge) for edge in np.quantile(positive, (0.02, 0.998)))
    return (low, high) if high > 1.5 * low else (low / 2, high * 2)


def _shade(values: np.ndarray, color: str, low: float, high: float) -> np.ndarray:
    """RGBA bytes `[..., 4]` of `color`, the more opaque the larger the value; nothing where the value is 0."""
    from matplotlib.colors import to_rgb

    some = values > 0
    strength = np.log(np.where(some, values, low) / low) / np.log(high / low)
    alpha = np.where(some, _FAINTEST + (1 - _FAINTEST) * np.clip(strength, 0, 1), 0.0)
    rgb = np.broadcast_to(np.array(to_rgb(color)), (*values.shape, 3))
    # 64 steps: the eye sees no more, and the picture packs smaller.
    alpha = np.round(alpha * 63) / 63
    return np.round(255 * np.concatenate([rgb, alpha[..., None]], axis=-1)).astype(np.uint8)


def _color_bar(axes: Axes, low: float, high: float, width: float) -> None:
    """Both ramps over one scale of sizes, above the plot, where a legend would stand; `width` as a share of it."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    bar = axes.inset_axes((0.0, 1.035, width, 0.055))
    ramp = np.geomspace(low, high, 64)[None, :]
    for index, color in enumerate((BID, ASK)):
        extent = (np.log10(low), np.log10(high), index, index + 1)
        bar.imshow(_shade(ramp, color, low, high), extent=extent, origin="lower", aspect="auto", interpolation="none")
    bar.set_ylim(0, 2)
    bar.grid(visible=False)
    bar.set_yticks([])
    ticks = np.asarray(LogLocator(subs=(1.0, 3.0) if high < 50 * low else (1.0,)).tick_values(low, high))
    bar.set_xticks(np.log10(ticks[(ticks >= low) & (ticks <= high)]))
    bar.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(10.0**value, 2)))
    bar.xaxis.tick_top()
    bar.tick_params(length=0.0, pad=1.5)
    bar.spines[:].set_visible(False)
    bar.text(1.03, 0.5, "size (base)", transform=bar.transAxes, va="center", fontsize=7.5)
