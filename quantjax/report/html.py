"""The report on order books: one self-contained HTML page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TypedDict, Unpack

from quantjax.report.contents import SymbolReport, Throughput, TruthCheck
from quantjax.report.numbers import compact, significant
from quantjax.report.page_style import SCRIPT, STYLE
from quantjax.report.symbol_section import anchor, symbol_section
from quantjax.report.symbol_summary import facts, symbols_table
from quantjax.report.tables import counts_table, states_table
from quantjax.report.verdict import verdict

__all__ = ["ReportParts", "book_report", "write_book_report"]


class ReportParts(TypedDict, total=False):
    """What a report may hold besides its symbols; see `book_report`."""

    source: str
    counts: Mapping[str, int]
    explanations: Mapping[str, str]
    truth: TruthCheck | None
    throughput: Throughput | None
    notes: Sequence[str]


def book_report(title: str, symbols: Sequence[SymbolReport], **parts: Unpack[ReportParts]) -> str:
    """One HTML page with the figures, tables and counts of each symbol; it needs no other file and no network.

    Args:
        title: of the page.
        symbols: one or more `SymbolReport`, in the order of the page. Symbols without a book are said to have none.
        source: where the books come from, in words.
        counts: what was dropped, repeated or skipped, by name; a name `reason:symbol` is that symbol's share.
        explanations: what a counter of `counts` means, by name.
        truth: the comparison with the source's own record, over all symbols.
        throughput: the measured speed beside plain numpy.
        notes: sentences under the title.

    Returns the page as text, the same for the same arguments. Raises ValueError for no symbols or for one that is there
    twice, ImportError where matplotlib is missing. Driver.
    """
    names = [report.symbol for report in symbols]
    if not names:
        raise ValueError("expected at least one symbol, got none")
    if len(set(names)) < len(names):
        raise ValueError(f"expected each symbol once, got {', '.join(names)}")
    truth, throughput = parts.get("truth"), parts.get("throughput")
    sections = [
        ("Overview", "overview", _overview(symbols, truth, throughput)),
        *(
            (report.symbol, anchor(i), symbol_section(report, anchor(i), unfolded=len(symbols) == 1))
            for i, report in enumerate(symbols)
        ),
        ("What was dropped", "dropped", _dropped(symbols, parts.get("counts", {}), parts.get("explanations", {}))),
        ("Throughput", "throughput", "" if throughput is None else _speed(throughput)),
    ]
    sections = [(name, key, content) for name, key, content in sections if content]
    links = "".join(
        f'<li><a href="#{key}"{_class("symbol", key.startswith("symbol"))}>{escape(name)}</a></li>'
        for name, key, _ in sections
    )
    body = "".join(f'<section id="{key}">{content}</section>' for _, key, content in sections)
    notes = "".join(f"<p>{escape(note)}</p>" for note in parts.get("notes", ()))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        f"<header><h1>{escape(title)}</h1>{notes}{facts(symbols, parts.get('source', ''))}</header>"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>{body}</main>'
        "<footer><p>Times are UTC. Sizes are in base currency (shares, coins), prices and notionals in quote currency; "
        "1 bp = 0.01 % of the mid. In every mean and quantile each book counts once, however long it was in force. "
        "Distances, depth and costs come from the recorded levels alone. Made by quantjax.</p></footer>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def write_book_report(
    path: str | os.PathLike[str], title: str, symbols: Sequence[SymbolReport], **parts: Unpack[ReportParts]
) -> Path:
    """`book_report` written to `path`, whose folder is made where it is missing; the path.

    Renamed into place when complete. Driver; raises what `book_report` does, and OSError where it cannot write.
    """
    target = Path(path)
    page = book_report(title, symbols, **parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(target)
    return target


def _overview(symbols: Sequence[SymbolReport], truth: TruthCheck | None, throughput: Throughput | None) -> str:
    parts = [] if truth is None else [verdict(truth)]
    if throughput is not None and throughput.ratio is not None:
        parts.append(
            f'<div class="verdict open"><strong>{compact(throughput.books_per_second)} books a second</strong>, '
            f"{significant(throughput.ratio, 3)} times plain numpy on the same machine.</div>"
        )
    if len(symbols) > 1:
        parts.append(f'<div class="card panel">{symbols_table(symbols)}</div>')
    return f"<h2>Overview</h2>{''.join(parts)}" if parts else ""


def _dropped(symbols: Sequence[SymbolReport], counts: Mapping[str, int], explanations: Mapping[str, str]) -> str:
    return (
        "<h2>What was dropped</h2><p>Everything the source dropped, repeated, skipped or had to repair, and the books "
        "in a state to know about. A zero was counted; a dash was not.</p>"
        f'<div class="card panel">{counts_table(symbols, counts, explanations)}</div>'
        f'<div class="card panel">{states_table(symbols)}</div>'
    )


def _speed(speed: Throughput) -> str:
    rows = [("quantjax", speed.books_per_second, True)]
    if speed.numpy_books_per_second is not None:
        rows.append(("plain numpy", speed.numpy_books_per_second, False))
    most = max(value for _, value, _ in rows)
    bars = "".join(
        f'<span>{name}</span><span><span{_class("bar" + " ours" * ours)} style="display:block;width:'
        f'{100 * value / most:.2f}%"></span></span><span class="number">{compact(value)} books/s</span>'
        for name, value, ours in rows
    )
    ratio = "" if speed.ratio is None else f'<p class="ratio">{significant(speed.ratio, 3)} × plain numpy</p>'
    about = "".join(f'<p class="muted">{escape(line)}</p>' for line in (speed.device, speed.note) if line)
    return f'<h2>Throughput</h2><div class="card panel">{ratio}<div class="bars">{bars}</div>{about}</div>'


def _class(name: str, given: bool = True) -> str:
    return f' class="{name}"' if given else ""
