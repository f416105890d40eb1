"""What taking liquidity would have cost, by size of the order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from quantjax.lob import Book, BookSeries, fill_notional
from quantjax.report.grid import one_in, sampled
from quantjax.report.numbers import compact, grouped, percent
from quantjax.report.style import ASK, BID, HALF, legend, new_figure, readable_ticks, say, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cost_to_fill"]

_ROWS = 1000


@styled
def cost_to_fill(
    series: BookSeries,
    notionals: Sequence[float] | None = None,
    *,
    size: tuple[float, float] = HALF,
    most: int = 4_000,
) -> Figure:
    """Impact in basis points of the mid against the notional of a taking order, and how many books could fill it whole.

    Median and 10 to 90 % over all books, to buy and to sell; a book that cannot fill the order counts as dearer than
    any that can, so the median ends where half of them cannot, and the band where a tenth cannot. `notionals` in quote
    currency, by default 40 from a fifth of the usual best level to more than the usual side holds. `size` in inches;
    from at most `most` books, evenly taken.
    """
    figure = new_figure(size, "Cost to fill by notional.")
    books, every = sampled(series, most)
    book = books.book
    both = (np.asarray(book.bid_size)[:, 0] > 0) & (np.asarray(book.ask_size)[:, 0] > 0)
    book = book[np.flatnonzero(both)]
    count = int(np.count_nonzero(both))
    if not count:
        say(figure.add_subplot(), "No book had both a bid and an ask: there is no mid to measure a cost from.")
        return figure
    orders = np.asarray(_usual_notionals(book) if notionals is None else sorted(notionals), np.float64)
    if not orders.size or not (orders > 0).all():
        raise ValueError(f"expected notionals > 0, got {notionals}")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 0.4))
    for name, color, side, marker in (("buy (takes asks)", ASK, +1, "o"), ("sell (takes bids)", BID, -1, "s")):
        impact, share = impact_by_notional(book, orders, side)
        low, median, high = impact
        upper.fill_between(orders, low, high, color=color, alpha=0.16, linewidth=0)
        sparse = len(orders) <= 12
        upper.plot(orders, median, marker=marker if sparse else "", color=color, label=name, markersize=3.5)
        lower.plot(orders, share, color=color)
    upper.set_xscale("log")
    upper.set_ylabel("impact (bps)")
    upper.set_ylim(bottom=min(0.0, upper.get_ylim()[0]))
    lower.set_ylim(-0.04, 1.08)
    lower.set_ylabel("filled")
    lower.set_xlabel("notional (quote currency)")
    legend(upper)
    readable_ticks(upper.yaxis, count=4)
    _share_ticks(lower)
    _notional_ticks(lower, orders)
    upper.tick_params(bottom=False)
    figure.set_label(
        "Average price of an order less the mid, in basis points of the mid: median, and band from 10 to 90 % of the "
        "books; below, the share of books whose recorded levels could fill it whole. One that could not counts as "
        "dearer than all that could: the median ends where half could not, the band where a tenth could not. "
        f"From {grouped(count)} books{one_in(every)}."
    )
    return figure


def impact_by_notional(book: Book, notionals: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """10 %, 50 % and 90 % quantiles of the impact in bps `[3, notional]`, and the share of books that can fill.

    Over all books, of which those that cannot fill the whole notional count as infinitely dear: leaving them out would
    make large orders look cheap, since only deep books fill them. NaN where the quantile is among those.
    """
    arrays = [np.asarray(a)[:, None, :] for a in (book.bid_price, book.bid_size, book.ask_price, book.ask_size)]
    count = len(arrays[0])
    impact, filled = np.empty((count, len(notionals))), np.empty((count, len(notionals)), bool)
    for start in range(0, count, _ROWS):
        # Blocks of one size, the last one filled up: JAX compiles anew for every size it meets.
        rows = np.minimum(np.arange(start, start + _ROWS), count - 1)
        fill = fill_notional(Book(*(array[rows] for array in arrays)), notionals, side)
        impact[start : start + _ROWS] = np.asarray(fill.impact_bps)[: count - start]
        filled[start : start + _ROWS] = np.asarray(fill.unfilled)[: count - start] == 0
    # Quantiles that are one of the values: between a number and infinity there is nothing to interpolate.
    dear = np.where(filled, impact, np.inf)
    quantiles = np.quantile(dear, (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
    return np.where(np.isfinite(quantiles), quantiles, np.nan), filled.mean(axis=0)


def _usual_notionals(book: Book) -> np.ndarray:
    """40 notionals from a fifth of the median best level to 1.5 times the 75 % quantile of a whole side."""
    sides = [
        np.where(np.asarray(size) > 0, np.nan_to_num(np.asarray(price, np.float64)) * np.asarray(size, np.float64), 0.0)
        for price, size in ((book.bid_price, book.bid_size), (book.ask_price, book.ask_size))
    ]
    best = np.median(np.concatenate([side[:, 0] for side in sides]))
    whole = np.quantile(np.concatenate([side.sum(axis=1) for side in sides]), 0.75)
    return np.geomspace(0.2 * best, max(1.5 * whole, best), 40)


def _share_ticks(axes) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_yticks([0.0, 0.5, 1.0])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))


def _notional_ticks(axes, orders: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    decades = np.log10(orders[-1] / orders[0])
    subs = (1.0,) if decades > 4 else (1.0, 3.0) if decades > 1.7 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value, 2)))
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = (orders[0], orders[-1]) if len(orders) > 1 else (orders[0] / 2, orders[0] * 2)
    axes.set_xlim(low, high)
