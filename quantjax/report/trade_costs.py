"""Figures of trades: what takers paid and who kept it, and how one-sided trading was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import TradeCosts, Vpin
from quantjax.report.horizons import horizon_axis
from quantjax.report.numbers import grouped, significant
from quantjax.report.style import (
    ASK,
    BID,
    HALF,
    INK,
    MUTED,
    THIRD,
    legend,
    new_figure,
    readable_ticks,
    say,
    styled,
)
from quantjax.report.time_axis import time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["spread_split_by_horizon", "vpin_over_time"]


@styled
def spread_split_by_horizon(costs: TradeCosts, *, size: tuple[float, float] = HALF) -> Figure:
    """Effective spread and its parts, realised spread and price impact, by horizon; volume-weighted, in basis points.

    `size` in inches.
    """
    figure = new_figure(size, "Effective spread, realised spread and price impact by horizon.")
    axes = figure.add_subplot()
    found = costs.summary()
    horizons = np.array(sorted(h for h, count in found.trades_at.items() if count and h > 0))
    if not horizons.size:
        say(axes, "No trade has a book before it and another one after the horizon.")
        return figure
    for name, values, color, style in (
        ("effective", found.effective_at_bps, INK, "--"),
        ("realised (kept by makers)", found.realised_bps, BID, "o-"),
        ("impact (lost to the move)", found.impact_bps, ASK, "s-"),
    ):
        axes.plot(horizons, [values[h] for h in horizons], style, color=color, label=name, ms=4)
    axes.axhline(0.0, color=INK, linewidth=0.5)
    axes.set_ylabel("spread (bps of the mid)")
    horizon_axis(axes, horizons)
    axes.margins(y=0.08)
    legend(axes, columns=3 if size[0] > 6 else 2)
    readable_ticks(axes.yaxis)
    figure.set_label(
        "Twice what takers paid beyond the mid (effective spread), split at each horizon into what the maker kept and "
        f"what the mid moved by then; means of {grouped(found.trades)} trades weighted by volume, of those whose "
        "horizon is within the recording. Over all trades the effective spread is "
        f"{significant(found.effective_bps, 3)} bps."
    )
    return figure


@styled
def vpin_over_time(vpin: Vpin, *, size: tuple[float, float] = HALF) -> Figure:
    """VPIN at the end of each bucket, and the imbalance of each bucket by itself, over time. `size` in inches."""
    figure = new_figure(size, "VPIN over time.")
    axes = figure.add_subplot()
    if not np.isfinite(vpin.vpin).any():
        say(axes, "Too few buckets of volume were filled.")
        return figure
    time = vpin.end_ns.astype("datetime64[ns]")
    axes.plot(time, vpin.imbalance, "o", color=MUTED, markersize=3.2, alpha=0.6, markeredgewidth=0, label="a bucket")
    axes.plot(time, vpin.vpin, color=THIRD, label=f"VPIN, {vpin.window} buckets", drawstyle="steps-post")
    axes.set_ylim(-0.04, 1.06)
    axes.set_ylabel("|bought − sold| / volume")
    legend(axes)
    readable_ticks(axes.yaxis)
    time_axis(axes, vpin.end_ns, ticks=5)
    volume = significant(vpin.bucket_lots * vpin.lot_size, 4)
    figure.set_label(
        f"How one-sided trading was: |bought − sold| over the volume of each of {grouped(len(vpin))} buckets of "
        f"{volume} (base currency), by the sides of the takers, and VPIN, the mean over {vpin.window} of them, at the "
        "time that the last was filled."
    )
    return figure
