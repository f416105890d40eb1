"""A figure of bars: candles, and under them the volume that was bought and sold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import Bars
from quantjax.report.numbers import duration, grouped
from quantjax.report.style import ASK, BID, FULL, MUTED, legend, new_figure, readable_ticks, say, styled
from quantjax.report.time_axis import time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["candles"]


@styled
def candles(bars: Bars, *, size: tuple[float, float] = FULL, most: int = 240) -> Figure:
    """Open, high, low and close of the last `most` bars that hold trades, and their bought and sold volume.

    Of one symbol (`bars.of(symbol)`). Bars are as wide as they last: time bars all the same, others as long as they
    took. `size` in inches. Raises ValueError for bars of several symbols.
    """
    if not isinstance(bars.symbol, str):
        raise ValueError(f"expected bars of one symbol, got {', '.join(bars.symbol)}; bars.of(symbol) takes one")
    figure = new_figure(size, "Candles and volume.")
    rows = np.flatnonzero((bars.count > 0) & np.isfinite(bars.close))
    if not rows.size:
        say(figure.add_subplot(), "No bar holds a trade.")
        return figure
    left_out = max(0, len(rows) - most)
    rows = rows[left_out:]
    from matplotlib.dates import date2num

    start, end = (np.asarray(date2num(edge[rows].astype("datetime64[ns]"))) for edge in (bars.start_ns, bars.end_ns))
    low, high, opened, closed = (
        np.asarray(getattr(bars, name), float)[rows] for name in ("low", "high", "open", "close")
    )
    first_ns, last_ns = int(bars.start_ns[rows[0]]), int(bars.end_ns[rows[-1]])
    # A bar of a single trade lasts no time: as thin as can still be seen.
    span = max(float(end[-1] - start[0]), 1e-12)
    width = np.maximum(0.72 * (end - start), span / (4.0 * most))
    middle = 0.5 * (start + end)
    body_low, body = np.minimum(opened, closed), np.abs(closed - opened)
    range_shown = max(float(high.max() - low.min()), 1e-12)
    body = np.maximum(body, 0.004 * range_shown)

    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 0.36))
    for name, color, which in (("close ≥ open", BID, closed >= opened), ("close < open", ASK, closed < opened)):
        upper.vlines(middle[which], low[which], high[which], color=color, linewidth=0.9)
        upper.bar(middle[which], body[which], width[which], body_low[which], color=color, label=name)
    bought, sold, rest = (np.asarray(getattr(bars, f"{s}_volume"), float)[rows] for s in ("buy", "sell", "unknown"))
    lower.bar(middle, bought, width, color=BID, label="bought")
    lower.bar(middle, sold, width, bought, color=ASK, label="sold")
    if rest.any():
        lower.bar(middle, rest, width, bought + sold, color=MUTED, label="side unknown")
    upper.set_ylim(low.min() - 0.05 * range_shown, high.max() + 0.05 * range_shown)
    upper.set_ylabel("price (quote currency)")
    lower.set_ylabel("volume (base)")
    legend(upper)
    readable_ticks(upper.yaxis)
    readable_ticks(lower.yaxis, count=3)
    upper.tick_params(bottom=False)
    time_axis(lower, np.array([first_ns, last_ns]), ticks=max(4, round(size[0] * 0.9)))
    seconds = (last_ns - first_ns) / 1e9
    earlier = f" The {grouped(left_out)} bars with trades before them are not drawn." if left_out else ""
    figure.set_label(
        f"The {'last ' if left_out else ''}{grouped(len(rows))} bars with trades, over {duration(seconds)}: a body "
        "from open to close, a line from low to high; below, the volume that takers bought (lower part of a bar) and "
        f"sold.{earlier}"
    )
    return figure
