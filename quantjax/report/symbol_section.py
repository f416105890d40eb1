"""The part of a page that belongs to one symbol: its cards, its figures and the table of its metrics."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from quantjax.lob import BookAnalysis, BookSeries
from quantjax.report.contents import SymbolReport
from quantjax.report.depth import average_book_shape, band_depth_over_time
from quantjax.report.execution import cost_to_fill
from quantjax.report.heatmap import depth_heatmap
from quantjax.report.imbalance import imbalances, microprice_against_next_move
from quantjax.report.numbers import duration, grouped
from quantjax.report.prices import mid_and_microprice, spread_over_time
from quantjax.report.style import HALF
from quantjax.report.svg import inline_svg
from quantjax.report.symbol_summary import cards
from quantjax.report.tables import metrics_table
from quantjax.report.time_axis import span_text
from quantjax.report.verdict import verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["anchor", "symbol_section"]

_NARROW_BINS = 320


def anchor(index: int) -> str:
    """The identifier of the section of the symbol with this number: symbols' names are not to be trusted in one."""
    return f"symbol-{index}"


def symbol_section(report: SymbolReport, key: str, *, unfolded: bool = True) -> str:
    """The content of a symbol's section as HTML; `key` makes the identifiers within its figures unique.

    `unfolded`: whether the table of metrics is open when the page is.
    """
    series, analysis = report.series, report.analysis
    head = f"<h2>{escape(report.symbol)}</h2>"
    note = f"<p>{escape(report.note)}</p>" if report.note else ""
    agreement = "" if report.truth is None else verdict(report.truth)
    if analysis is None or not len(analysis):
        return f"{head}{note}{agreement}<p>No books of this symbol were recorded: there is nothing to measure.</p>"
    seconds = float(series.time_ns.max() - series.time_ns.min()) / 1e9
    levels = series.book.levels
    about = f"{span_text(series.time_ns)}, {duration(seconds)}, {levels} level{'s' * (levels > 1)} a side"
    columns = analysis.to_pandas().shape[1]
    what = (
        f"{grouped(columns)} columns over {grouped(len(analysis))} books; undefined where a side is empty or too thin"
    )
    return (
        f'{head}<p class="muted">{escape(about)}</p>{note}{agreement}{cards(analysis)}'
        f'<div class="figures">{_figures(series, analysis, key)}</div>'
        f'<details class="card panel"{" open" if unfolded else ""}><summary>All metrics <span>{what}</span></summary>'
        f"<div>{metrics_table(analysis)}</div></details>"
    )


def _figures(series: BookSeries, analysis: BookAnalysis, key: str) -> str:
    wide = [
        ("Price", lambda **options: mid_and_microprice(analysis, **options)),
        ("Depth over time", lambda **options: depth_heatmap(series, **options)),
    ]
    half = [
        ("Spread", lambda: spread_over_time(analysis)),
        ("Imbalance", lambda: imbalances(analysis)),
        ("Depth near the mid", lambda: band_depth_over_time(analysis)),
        ("Average shape of the book", lambda: average_book_shape(series)),
        ("Cost to fill", lambda: cost_to_fill(series)),
        ("Microprice and what came next", lambda: microprice_against_next_move(analysis)),
    ]
    drawn = [_full(title, draw, f"{key}-full-{i}") for i, (title, draw) in enumerate(wide)]
    drawn += [_half(title, draw(), f"{key}-half-{i}") for i, (title, draw) in enumerate(half)]
    return "".join(drawn)


def _full(title: str, draw: Callable[..., Figure], name: str) -> str:
    """A figure over the whole page, drawn once for wide screens and once for narrow ones, each with its own caption."""
    versions = []
    for kind, figure in (("wide", draw()), ("narrow", draw(size=HALF, bins=_NARROW_BINS))):
        caption = escape(str(figure.get_label()))
        versions.append(
            f'<div class="{kind}">{inline_svg(figure, f"{name}-{kind}")}<figcaption>{caption}</figcaption></div>'
        )
    return f'<figure class="card full"><h3>{title}</h3>{"".join(versions)}</figure>'


def _half(title: str, figure: Figure, name: str) -> str:
    caption = escape(str(figure.get_label()))
    return f'<figure class="card"><h3>{title}</h3>{inline_svg(figure, name)}<figcaption>{caption}</figcaption></figure>'
