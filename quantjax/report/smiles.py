"""Figures of smiles: the market's bids and asks of each expiry, and what a model and SVI make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.typing import ArrayLike

from quantjax.pricing import OptionQuotes, Svi, SviFit
from quantjax.report.numbers import duration, grouped, plain
from quantjax.report.style import ASK, BID, MUTED, THIRD, new_figure, readable_ticks, say, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["maturity_names", "smiles"]

_COLORS = (ASK, BID, "#8a4fbf")
_COLUMNS = 3
_YEAR_S = 365 * 86_400


@styled
def smiles(
    quotes: OptionQuotes,
    fits: Mapping[str, ArrayLike] | None = None,
    *,
    svi: SviFit | None = None,
    names: Sequence[str] | None = None,
    most: int = 9,
    width: float = 10.4,
) -> Figure:
    """Implied volatility against ln(K / F), one panel an expiry: bars from bid to ask, a line for each fit, and SVI.

    `fits`: implied vols `[maturity, strike]` at the strikes of the quotes by the name of what made them (`quotes.vols +
    calibration.errors / 100`); `svi`: of `pricing.fit_svi_slices(quotes)`, drawn dotted; `names`: of the expiries, else
    their maturities; `most`: panels, evenly taken from first to last; `width` in inches.
    """
    vols, k = np.asarray(quotes.vols), np.asarray(quotes.log_moneyness)
    quoted = np.isfinite(vols).any(axis=1)
    rows = np.flatnonzero(quoted)
    if not rows.size:
        figure = new_figure((width, 3.3), "Implied volatilities by expiry.")
        say(figure.add_subplot(), "There is no quote.")
        return figure
    shown = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))]
    columns = min(_COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure = new_figure((width, 0.4 + 2.3 * lines), "Implied volatilities by expiry.")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    names = maturity_names(quotes) if names is None else names
    for axes, row in zip(panels, shown, strict=False):
        here = np.isfinite(vols[row])
        order = np.argsort(k[row][here])
        x, mid = k[row][here][order], 100 * vols[row][here][order]
        bid, ask = (100 * np.asarray(side)[row][here][order] for side in (quotes.bid_vols, quotes.ask_vols))
        both = np.isfinite(bid) & np.isfinite(ask)
        axes.vlines(x[both], bid[both], ask[both], color=MUTED, linewidth=1.6, alpha=0.7, label="bid to ask")
        axes.plot(x[~both], mid[~both], ".", color=MUTED, ms=3)
        if svi is not None:
            points = np.linspace(x[0], x[-1], 101)
            slice_ = jax.tree.map(lambda leaf, row=row: np.asarray(leaf)[row], svi.svi)
            curve = 100 * np.asarray(Svi.implied_vol(slice_, points, float(quotes.maturities[row])))
            axes.plot(points, curve, ":", color=THIRD, linewidth=1.4, label="SVI")
        for (name, fit), color in zip((fits or {}).items(), _COLORS, strict=False):
            axes.plot(x, 100 * np.asarray(fit)[row][here][order], color=color, linewidth=1.1, label=name)
        axes.set_title(names[row])
        axes.set_xmargin(0.03)
        readable_ticks(axes.xaxis, count=4)
        readable_ticks(axes.yaxis, count=4)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes in panels[: len(shown) : columns]:
        axes.set_ylabel("implied vol (%)")
    for axes in panels[max(len(shown) - columns, 0) : len(shown)]:
        axes.set_xlabel("ln(strike / forward)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=5)
    some = "" if len(shown) == len(rows) else f" {grouped(len(shown))} of {grouped(len(rows))} expiries are shown."
    figure.set_label(
        "Black's implied volatility of the out-of-the-money options of each expiry: bars reach from the bid to the "
        f"ask, lines are what was fitted to them.{some} A line within the bars cannot be told from the market."
    )
    return figure


def maturity_names(quotes: OptionQuotes) -> list[str]:
    """Maturities in words."""
    found = []
    for maturity in np.asarray(quotes.maturities):
        days = 365 * float(maturity)
        found.append(duration(_YEAR_S * float(maturity)) if days < 2 else f"{plain(round(days, 1))} days")
    return found
