"""Figures of fair prices: Stoikov's adjustment of the mid, and how well fair prices foresee the mid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import PredictorErrors, StoikovMicroprice
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["microprice_adjustment", "predictor_gains"]

_SEEN = 30  # transitions from a cell for its adjustment to be drawn


@styled
def microprice_adjustment(model: StoikovMicroprice, *, size: tuple[float, float] = HALF, curves: int = 4) -> Figure:
    """Stoikov's adjustment of the mid in ticks by imbalance of the best queues, a curve a spread.

    The `curves` spreads seen most, from cells with 30 transitions or more, counted with their mirror image; dashed,
    the weighted mid of the narrowest of them. `size` in inches.
    """
    figure = new_figure(size, "Micro-price adjustment by imbalance and spread.")
    axes = figure.add_subplot()
    count = np.asarray(model.count)
    both = count + count[:, ::-1]
    adjustment = np.where(both >= _SEEN, np.asarray(model.adjustment, np.float64), np.nan)
    usual = np.argsort(-count.sum(1), kind="stable")[:curves]
    spreads = [int(row) for row in np.sort(usual) if np.isfinite(adjustment[row]).sum() > 1]
    if not spreads:
        say(axes, "No spread was seen often enough.")
        return figure
    x, last = model.imbalance, len(count) - 1
    narrow = spreads[0] + 1
    axes.plot(x, (x - 0.5) * narrow, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)), label="weighted mid")
    for row, color, marker in zip(spreads, (BID, ASK, THIRD, INK), "os^D", strict=False):
        wide = " or more" if row == last and last > 0 else ""
        name = f"{row + 1} tick{'s' * (row > 0)}{wide}"
        shown = np.isfinite(adjustment[row])
        axes.plot(x[shown], adjustment[row][shown], f"{marker}-", color=color, label=name, ms=3.2)
    axes.axhline(0.0, color=INK, linewidth=0.5)
    axes.set_xlim(-0.03, 1.03)
    # By the curves: where the spread is wide the weighted mid, drawn to compare, is far outside.
    tallest = 1.3 * max(float(np.nanmax(np.abs(adjustment[spreads]))), 0.02)
    axes.set_ylim(-tallest, tallest)
    axes.set_xlabel("bid size / (bid size + ask size)")
    axes.set_ylabel("micro-price − mid (ticks)")
    legend(axes, columns=5 if size[0] > 6 else 3)
    readable_ticks(axes.xaxis)
    readable_ticks(axes.yaxis)
    figure.set_label(
        "Where the mid is expected to end up, less the mid, by the imbalance of the best queues and the spread "
        f"(Stoikov's micro-price, fitted to {grouped(int(count.sum()))} transitions of the first half of the books). "
        f"Dashed, the weighted mid at a spread of {narrow} tick{'s' * (narrow > 1)}. Cells that were seen fewer than "
        f"{_SEEN} times, with their mirror image, are left out."
    )
    return figure


@styled
def predictor_gains(
    predictors: Mapping[str, Mapping[float, PredictorErrors]], *, size: tuple[float, float] = HALF
) -> Figure:
    """What fair prices gain on the mid as forecasts of the mid: 1 - MSE / MSE of the mid, by horizon.

    `predictors`: errors by name and horizon in seconds; horizon 0, the next change of the mid, is drawn to the left of
    the others. `size` in inches.
    """
    figure = new_figure(size, "Gain of fair prices on the mid by horizon.")
    axes = figure.add_subplot()
    horizons = np.array(sorted({h for errors in predictors.values() for h in errors if h > 0}))
    if not horizons.size:
        say(axes, "There are too few books to judge forecasts on.")
        return figure
    apart = horizons[0] / max((horizons[-1] / horizons[0]) ** 0.12, 1.6)
    values = []
    for (name, errors), color, marker in zip(predictors.items(), (MUTED, BID, THIRD, ASK), "osD^", strict=False):
        own = [h for h in horizons if h in errors]
        gains = [float(errors[h].r_squared) for h in own]
        axes.plot(own, gains, f"{marker}-", color=color, label=name, ms=4)
        if 0.0 in errors:
            gains.append(float(errors[0.0].r_squared))
            axes.plot([apart], gains[-1:], marker, color=color, ms=4)
        values += [gain for gain in gains if np.isfinite(gain)]
    axes.axhline(0.0, color=INK, linewidth=0.6)
    horizon_axis(axes, np.append(horizons, apart))
    labels = [label.get_text() for label in axes.get_xticklabels()]
    axes.set_xticks(axes.get_xticks(), ["next\nmove", *labels[1:]])
    low, high = min([0.0, *values]), max([0.0, *values])
    # A forecast far worse than the mid would flatten all others.
    cut = max(low, -max(4.0 * high, 0.05))
    pad = 0.08 * (high - cut) or 0.01
    axes.set_ylim(cut - pad, high + pad)
    axes.set_ylabel("gain on the mid (R²)")
    legend(axes, columns=3 if size[0] > 6 else 2)
    readable_ticks(axes.yaxis)
    books = max(int(errors[h].num_observations) for errors in predictors.values() for h in errors)
    best = max(predictors, key=lambda name: float(predictors[name][min(predictors[name])].r_squared))
    figure.set_label(
        "1 − (root mean square error / that of the mid)² as a forecast of the mid at the horizon, and of its next "
        f"change (left), on the second half of the books (up to {grouped(books)}, each counted once however long it "
        "stood; neighbours share their future). Above 0 the forecast is better than the mid itself; "
        f"the best gains {significant(float(predictors[best][min(predictors[best])].r_squared), 2)} at the nearest."
        + (f" What is below the axis reaches down to {significant(low, 3)}." if cut > low else "")
    )
    return figure
