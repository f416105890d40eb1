"""The tables of a report, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from quantjax.lob import BookAnalysis
from quantjax.report.contents import SymbolReport
from quantjax.report.glossary import STATES, meaning
from quantjax.report.numbers import grouped, percent, significant

__all__ = ["counts_table", "metrics_table", "states_table", "table"]

_STATISTICS = ("mean", "std", "min", "5\u202f%", "median", "95\u202f%", "max")


def table(head: Iterable[str], body: str, kind: str = "") -> str:
    """A table that scrolls sideways where it is wider than the page; `head` is text, `body` rows as HTML."""
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{cells}</tr></thead>{body}</table></div>'


def metrics_table(analysis: BookAnalysis) -> str:
    """Every column of `analysis.to_pandas()`: mean, deviation, quantiles, and how often it is undefined.

    By family; every book counts once, however long it was in force.
    """
    frame = analysis.to_pandas()
    families: dict[str, list[str]] = {}
    for column in frame.columns:
        found = meaning(str(column))
        values = np.asarray(frame[column], np.float64)
        # Prices need all their digits, the others four.
        digits = 7 if found.family == "Prices" or (found.unit == "quote" and str(column).endswith("vwap")) else 4
        numbers = "".join(
            f"<td>{significant(value, 4 if name == 'std' else digits)}</td>"
            for name, value in zip(_STATISTICS, statistics(values), strict=True)
        )
        undefined = int(np.count_nonzero(~np.isfinite(values)))
        families.setdefault(found.family, []).append(
            f'<tr><th scope="row"><code>{escape(str(column))}</code><small>{escape(found.text)}</small></th>'
            f'<td class="unit">{escape(found.unit)}</td>{numbers}{_count(undefined)}</tr>'
        )
    width = len(_STATISTICS) + 3
    body = "".join(
        f'<tbody><tr class="family"><th scope="rowgroup" colspan="{width}">{escape(family)}</th></tr>'
        f"{''.join(rows)}</tbody>"
        for family, rows in families.items()
    )
    return table(("metric", "unit", *_STATISTICS, "undefined"), body, "metrics")


def statistics(values: np.ndarray) -> tuple[float, ...]:
    """Mean, standard deviation, minimum, 5 %, median, 95 % and maximum of the finite values; NaN of none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return (np.nan,) * len(_STATISTICS)
    low, five, median, ninety_five, high = np.quantile(known, (0.0, 0.05, 0.5, 0.95, 1.0))
    return known.mean(), known.std(), low, five, median, ninety_five, high


def counts_table(symbols: Sequence[SymbolReport], counts: Mapping[str, int], explanations: Mapping[str, str]) -> str:
    """What was dropped: a row for each counter, its total, and each symbol's share where that is known.

    A name `reason:symbol` in `counts` is that symbol's share of `reason`.
    """
    totals = {name: number for name, number in counts.items() if ":" not in name}
    shares = {report.symbol: dict(report.counts) for report in symbols}
    for name, number in counts.items():
        reason, colon, symbol = name.partition(":")
        if colon and symbol in shares:
            shares[symbol].setdefault(reason, number)
            totals.setdefault(reason, sum(n for k, n in counts.items() if k.startswith(f"{reason}:")))
    reasons = list(dict.fromkeys((*totals, *(reason for share in shares.values() for reason in share))))
    if not reasons:
        return "<p>The source counts nothing: what it dropped, if anything, is not known here.</p>"
    columns = list(shares) if any(shares.values()) else []
    rows = []
    for reason in reasons:
        known = [shares[symbol].get(reason) for symbol in columns]
        total = totals.get(reason, sum(number or 0 for number in known))
        if total == 0 or any(number is not None for number in known):
            # Counters hold what happened: a symbol that is not named had none.
            known = [number or 0 for number in known]
        cells = "".join(_count(number) for number in (total, *known))
        name = escape(reason.replace("_", " "))
        rows.append(f'<tr><th scope="row">{name}<small>{escape(explanations.get(reason, ""))}</small></th>{cells}</tr>')
    return table(("what", "in all", *columns), f"<tbody>{''.join(rows)}</tbody>", "counts")


def states_table(symbols: Sequence[SymbolReport]) -> str:
    """How many of the books were crossed, locked, one-sided, invalid or out of order, by symbol."""
    rows = []
    for state, explanation in STATES.items():
        cells = []
        for report in symbols:
            books = len(report.series)
            number = 0 if report.analysis is None else report.analysis.counts[state]
            share = f"<small>{percent(number / books)}</small>" if number else ""
            cells.append(f'<td class="{_shade(number)}">{grouped(number)}{share}</td>')
        name = escape(state.replace("_", " "))
        rows.append(f'<tr><th scope="row">{name}<small>{escape(explanation)}</small></th>{"".join(cells)}</tr>')
    return table(
        ("state of the book", *(report.symbol for report in symbols)), f"<tbody>{''.join(rows)}</tbody>", "counts"
    )


def _count(number: int | None) -> str:
    return '<td class="none">–</td>' if number is None else f'<td class="{_shade(number)}">{grouped(number)}</td>'


def _shade(number: int) -> str:
    return "some" if number else "none"
