"""Figures of what a calibration leaves over: by maturity, and over the strikes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jax.typing import ArrayLike

from quantjax.pricing import OptionQuotes
from quantjax.report.numbers import grouped, plain, significant
from quantjax.report.style import ASK, BID, HALF, INK, MUTED, THIRD, legend, new_figure, readable_ticks, say, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["error_by_maturity", "residuals"]

_COLORS = (ASK, BID, THIRD)
_DAYS = (0.1, 0.25, 0.5, 1, 2, 4, 7, 14, 30, 60, 120, 240, 365, 730, 1460, 3650)
_NONE = "There is no error to show."


@styled
def error_by_maturity(
    quotes: OptionQuotes, errors: Mapping[str, ArrayLike], *, size: tuple[float, float] = HALF
) -> Figure:
    """Root mean square error of each expiry in vol points, and the mean half-spread of its quotes beside it.

    `errors`: fitted less quoted vols `[maturity, strike]` in vol points, NaN where there is none, by the name of what
    was fitted (`calibration.errors`). `size` in inches.
    """
    figure = new_figure(size, "Errors of the fit by maturity.")
    axes = figure.add_subplot()
    days = 365 * np.asarray(quotes.maturities)
    drawn = np.zeros(len(days), bool)
    for (name, error), color in zip(errors.items(), _COLORS, strict=False):
        rmse = np.sqrt(_row_mean(np.asarray(error) ** 2))
        known = np.isfinite(rmse)
        drawn |= known
        axes.plot(days[known], rmse[known], "o-", color=color, ms=3.5, label=name)
    if not drawn.any():
        axes.clear()
        say(axes, _NONE)
        return figure
    half_spread = _row_mean(50 * (np.asarray(quotes.ask_vols) - np.asarray(quotes.bid_vols)))
    known = np.isfinite(half_spread)
    axes.plot(days[known], half_spread[known], "--", color=MUTED, label="half the bid-ask spread")
    _days_axis(axes, days[drawn])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error (vol points)")
    readable_ticks(axes.yaxis)
    legend(axes, columns=3)
    figure.set_label(
        "Root mean square of fitted less quoted implied volatility, expiry by expiry, in vol points; the dashed line "
        "is the mean distance from mid to bid or ask. Where an error lies below it, the fit lies within the market."
    )
    return figure


@styled
def residuals(
    quotes: OptionQuotes, errors: ArrayLike, *, name: str = "model", size: tuple[float, float] = HALF
) -> Figure:
    """Fitted less quoted vols against the standardised strike ln(K / F) / (vol_F sqrt T), coloured by maturity.

    `errors` `[maturity, strike]` in vol points, NaN where there is none; vol_F is the quoted vol nearest to the
    forward. `size` in inches.
    """
    figure = new_figure(size, "Errors of the fit over the strikes.")
    axes = figure.add_subplot()
    error, k, vols = np.asarray(errors), np.asarray(quotes.log_moneyness), np.asarray(quotes.vols)
    known = np.isfinite(error) & np.isfinite(vols)
    if not known.any():
        say(axes, _NONE)
        return figure
    nearest = np.where(np.isfinite(vols), np.abs(k), np.inf).argmin(axis=1)[:, None]
    at_the_money = np.take_along_axis(vols, nearest, axis=1)
    maturity = np.asarray(quotes.maturities)[:, None]
    x = k / (at_the_money * np.sqrt(maturity))
    days = np.broadcast_to(365 * maturity, x.shape)
    points = axes.scatter(x[known], error[known], c=np.log10(days[known]), s=7, cmap="viridis", linewidths=0)
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_xlabel("ln(strike / forward) in standard deviations")
    axes.set_ylabel("error (vol points)")
    axes.set_xmargin(0.03)
    readable_ticks(axes.xaxis)
    readable_ticks(axes.yaxis)
    bar = figure.colorbar(points, ax=axes, label="days to expiry", aspect=30)
    ticks = _day_ticks(days[known])
    bar.set_ticks([math.log10(tick) for tick in ticks], labels=[plain(tick) for tick in ticks])
    rmse = significant(float(np.sqrt(np.mean(error[known] ** 2))), 3)
    figure.set_label(
        f"Implied volatility of the {name} less the quoted one, option by option ({grouped(int(known.sum()))} of them, "
        f"root mean square {rmse} vol points), over the distance of the strike from the forward in standard "
        "deviations. A pattern is what the model cannot bend to; the short expiries show it most."
    )
    return figure


def _days_axis(axes: Axes, days: np.ndarray) -> None:
    """The x axis by the logarithm of the days to expiry."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ticks = _day_ticks(days)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([plain(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(0.9 * days.min(), days.max() / 0.9)
    axes.set_xlabel("days to expiry")


def _day_ticks(days: np.ndarray) -> list[float]:
    """Lengths of time that people know, within the range; its ends where there are none."""
    low, high = float(days.min()), float(days.max())
    return [tick for tick in _DAYS if low <= tick <= high] or sorted({round(low, 2), round(high, 2)})


def _row_mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
