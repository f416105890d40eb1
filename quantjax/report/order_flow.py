"""Figures of order flow: what it explains of price changes by horizon, and the changes beside the flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import ImpactByHorizon, OrderFlowImbalance
from quantjax.report.flow_contents import IntegratedImpact
from quantjax.report.horizons import horizon_axis
from quantjax.report.numbers import grouped, percent, significant
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["impact_by_horizon_figure", "integrated_impact_figure", "order_flow_scatter"]


@styled
def impact_by_horizon_figure(impact: ImpactByHorizon, *, size: tuple[float, float] = HALF) -> Figure:
    """R^2 of price changes on order flow by horizon: of the same interval, and of the next one. `size` in inches."""
    figure = new_figure(size, "R² of price changes on order flow by horizon.")
    axes = figure.add_subplot()
    horizons = np.array(sorted(impact.contemporaneous))
    if not horizons.size:
        say(axes, "There are too few intervals for a regression.")
        return figure
    for name, fits, color, marker in (
        ("same interval", impact.contemporaneous, BID, "o"),
        ("next interval", impact.predictive, ASK, "s"),
    ):
        axes.plot(horizons, [float(fits[h].r_squared) for h in horizons], f"{marker}-", color=color, label=name, ms=4)
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("R²")
    horizon_axis(axes, horizons)
    legend(axes)
    readable_ticks(axes.yaxis)
    fewest = min(int(impact.predictive[h].num_observations) for h in horizons)
    figure.set_label(
        "Share of the variance of the mid's change that a regression on the order flow imbalance of the best quotes "
        "explains, in the interval of the flow itself and in the interval after it. The first is impact and foretells "
        f"nothing; the second would be a forecast. Intervals do not overlap; the longest horizon has {grouped(fewest)}."
    )
    return figure


@styled
def integrated_impact_figure(
    integrated: Mapping[float, IntegratedImpact], *, size: tuple[float, float] = HALF
) -> Figure:
    """Out-of-sample R^2 by horizon of the best level's flow and of all levels integrated. `size` in inches."""
    figure = new_figure(size, "Order flow of all levels, out of sample.")
    axes = figure.add_subplot()
    horizons = np.array(sorted(integrated))
    if not horizons.size:
        say(axes, "The halves of the recording are too short to fit to one and judge on the other.")
        return figure
    shown = (
        ("best level", "best_level", MUTED, "o-"),
        ("levels integrated", "integrated", THIRD, "o-"),
        ("best level, next", "best_level_next", MUTED, "s:"),
        ("integrated, next", "integrated_next", THIRD, "s:"),
    )
    lowest = 0.0
    for name, field, color, style in shown:
        values = [getattr(integrated[h], field) for h in horizons]
        lowest = min(lowest, *values)
        axes.plot(horizons, values, style, color=color, label=name, ms=4)
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_ylim(max(lowest - 0.04, -0.5), 1.04)
    axes.set_ylabel("R², second half")
    horizon_axis(axes, horizons)
    legend(axes, columns=2)
    readable_ticks(axes.yaxis)
    levels = len(integrated[horizons[0]].weights)
    beyond = f" Below −0.5 it is cut off; the lowest is {significant(lowest, 3)}." if lowest < -0.5 else ""
    figure.set_label(
        f"Weights of the {levels} levels (first principal component) and regressions are fitted to the first half of "
        "the intervals and judged on the second: above 0 they do better than the first half's mean. Solid, the change "
        f"over the interval of the flow; dotted, over the one after it.{beyond}"
    )
    return figure


@styled
def order_flow_scatter(
    imbalance: OrderFlowImbalance, interval_s: float, *, size: tuple[float, float] = HALF, most: int = 2_000
) -> Figure:
    """Change of the mid against order flow of the best level, interval by interval, and the line of least squares.

    `interval_s`: the length of the intervals, for the caption; `most`: points drawn, evenly taken. The axes take
    in every point, or end beyond the 0.5 % and 99.5 % quantiles where others are far out. `size` in inches.
    """
    figure = new_figure(size, "Change of the mid against order flow.")
    axes = figure.add_subplot()
    flow, change = np.asarray(imbalance.ofi[:, 0], np.float64), np.asarray(imbalance.mid_change, np.float64)
    known = np.isfinite(flow) & np.isfinite(change)
    flow, change = flow[known], change[known]
    if len(flow) < 3 or np.ptp(flow) == 0:
        say(axes, "There are too few intervals for a regression.")
        return figure
    beta, alpha = np.polyfit(flow, change, 1)
    variance = float(np.var(change))
    r_squared = 1 - float(np.mean((change - alpha - beta * flow) ** 2)) / variance if variance else float("nan")
    step = max(1, -(-len(flow) // most))
    axes.plot(flow[::step], change[::step], "o", color=THIRD, markersize=3.8, alpha=0.45, markeredgewidth=0)
    limits = []
    for values in (flow, change):
        low, high = np.quantile(values, (0.005, 0.995))
        # Single points far away would flatten all others; near ones belong into the picture.
        reach = 0.5 * (high - low)
        low = values.min() if values.min() >= low - reach else low
        high = values.max() if values.max() <= high + reach else high
        pad = 0.08 * (high - low) or 1.0
        limits.append((low - pad, high + pad))
    ends = np.array(limits[0])
    axes.plot(ends, alpha + beta * ends, color=INK, linewidth=1.1, label=f"R² {significant(r_squared, 2)}")
    axes.axhline(0.0, color=MUTED, linewidth=0.5)
    axes.axvline(0.0, color=MUTED, linewidth=0.5)
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    axes.set_xlabel("order flow imbalance (base currency)")
    axes.set_ylabel("change of the mid (ticks)")
    legend(axes)
    readable_ticks(axes.xaxis)
    readable_ticks(axes.yaxis)
    outside = (flow < limits[0][0]) | (flow > limits[0][1]) | (change < limits[1][0]) | (change > limits[1][1])
    beyond = f" {percent(float(outside.mean()))} of them lie outside the axes." if outside.any() else ""
    drawn = f", one in {grouped(step)} drawn" if step > 1 else ""
    figure.set_label(
        f"Each point is an interval of {interval_s:g} s ({grouped(len(flow))} in all{drawn}): what came to the bid "
        f"less what came to the ask at the best quotes, and how far the mid moved meanwhile.{beyond} The line is "
        f"fitted to all: {significant(float(beta), 3)} ticks for one unit of base currency."
    )
    return figure
