"""A symbol in a few numbers: the facts of the header, the cards, and the table that compares symbols."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from quantjax.lob import BookAnalysis
from quantjax.report.contents import SymbolReport
from quantjax.report.numbers import compact, duration, grouped, percent, significant
from quantjax.report.tables import table
from quantjax.report.time_axis import span_text

__all__ = ["cards", "facts", "symbols_table"]

_BAND_BPS, _NOTIONAL = 10.0, 1e4


def facts(symbols: Sequence[SymbolReport], source: str) -> str:
    """What was measured: source, span of time, number of books, levels and symbols, as a list of facts."""
    some = [report.series for report in symbols if len(report.series)]
    listed = {"Symbols": ", ".join(report.symbol for report in symbols)}
    listed["Books"] = grouped(sum(len(series) for series in some))
    if some:
        times = np.array([edge for series in some for edge in (np.min(series.time_ns), np.max(series.time_ns))])
        listed["Levels a side"] = ", ".join(sorted({str(series.book.levels) for series in some}, key=int))
        listed["Time"] = f"{span_text(times)} ({duration(float(np.ptp(times)) / 1e9)})"
    listed["Source"] = source
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in listed.items() if text)
    return f'<dl class="facts">{items}</dl>'


def cards(analysis: BookAnalysis) -> str:
    """The headline numbers of a symbol."""
    counts, books = analysis.counts, len(analysis)
    band, notional = _parameters([analysis])
    seconds = float(np.ptp(analysis.time_ns)) / 1e9
    shown = [
        _card("Books", grouped(books), f"{significant(books / seconds, 3)} a second" if seconds > 0 else "at one time"),
        _card(
            "Median spread",
            f"{significant(_median(analysis.spread_bps), 3)}<span>bps</span>",
            f"{significant(_median(analysis.spread_ticks), 3)} ticks",
        ),
    ]
    if band is not None:
        bid, ask = (compact(_median(depth[band])) for depth in (analysis.bid_depth_quote, analysis.ask_depth_quote))
        shown.append(
            _card(
                f"Median depth in {band:g} bps",
                f'<b class="bid">{bid}</b><i>|</i><b class="ask">{ask}</b>',
                "bids | asks, quote currency",
            )
        )
    if notional is not None:
        cost = analysis.round_trip_cost_bps[notional]
        able = float(np.isfinite(np.asarray(cost)).mean())
        shown.append(
            _card(
                f"Round trip of {compact(notional)}",
                f"{significant(_median(cost), 3)}<span>bps</span>",
                f"median; {percent(able)} of books can fill it",
            )
        )
    mids = np.asarray(analysis.mid, np.float64)[np.argsort(analysis.time_ns, kind="stable")]
    mids = mids[np.isfinite(mids)]
    if mids.size:
        change = significant(1e4 * float(mids[-1] / mids[0] - 1), 3)
        shown.append(_card("Mid, last", significant(float(mids[-1]), 7), f"{change} bps since the first"))
    states = ", ".join(f"{name} {grouped(counts[name])}" for name in ("crossed", "locked", "invalid"))
    shown.append(_card("One-sided", percent(counts["one_sided"] / books), states))
    return f'<div class="cards">{"".join(shown)}</div>'


def symbols_table(symbols: Sequence[SymbolReport]) -> str:
    """The same headline numbers of all symbols, one to a row."""
    band, notional = _parameters([report.analysis for report in symbols if report.analysis is not None])
    head = ["symbol", "books", "spread, bps", "spread, ticks", "queue imbalance"]
    if band is not None:
        head += [f"bids in {band:g} bps", f"asks in {band:g} bps"]
    if notional is not None:
        head += [f"round trip of {compact(notional)}, bps"]
    head += ["one-sided"]
    rows = []
    for report in symbols:
        analysis = report.analysis
        cells = ["–"] * (len(head) - 2)
        if analysis is not None and len(analysis):
            cells = [significant(_median(values), 3) for values in (analysis.spread_bps, analysis.spread_ticks)]
            cells.append(significant(_mean(analysis.queue_imbalance), 2))
            if band is not None:
                cells += [compact(_median(d[band])) for d in (analysis.bid_depth_quote, analysis.ask_depth_quote)]
            if notional is not None:
                cells.append(significant(_median(analysis.round_trip_cost_bps[notional]), 3))
            cells.append(percent(analysis.counts["one_sided"] / len(analysis)))
        row = "".join(f"<td>{cell}</td>" for cell in (grouped(len(report.series)), *cells))
        rows.append(f'<tr><th scope="row">{escape(report.symbol)}</th>{row}</tr>')
    note = "Medians over the books; the imbalance is a mean. Bids and asks in quote currency."
    return table(head, f"<tbody>{''.join(rows)}</tbody>", "symbols") + f'<p class="note">{note}</p>'


def _card(name: str, value: str, below: str) -> str:
    """`value` is HTML, the others are text."""
    return f'<div class="card"><h4>{escape(name)}</h4><div class="value">{value}</div><p>{escape(below)}</p></div>'


def _parameters(analyses: Sequence[BookAnalysis]) -> tuple[float | None, float | None]:
    """The band nearest to 10 bps and the notional nearest to 10 000, by ratio, that all of them were measured at."""
    wanted = []
    for name, goal in (("bid_depth_quote", _BAND_BPS), ("round_trip_cost_bps", _NOTIONAL)):
        sets = [set(getattr(analysis, name)) for analysis in analyses]
        shared = sorted(set.intersection(*sets)) if sets else []
        wanted.append(min(shared, key=lambda value, goal=goal: abs(np.log(value / goal)), default=None))
    return wanted[0], wanted[1]


def _median(values) -> float:
    known = _known(values)
    return float(np.median(known)) if known.size else float("nan")


def _mean(values) -> float:
    known = _known(values)
    return float(known.mean()) if known.size else float("nan")


def _known(values) -> np.ndarray:
    numbers = np.asarray(values, np.float64)
    return numbers[np.isfinite(numbers)]
