"""The report on order flow and trades: one self-contained HTML page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantjax.report.fair_price import microprice_adjustment, predictor_gains
from quantjax.report.flow_contents import FlowStudy
from quantjax.report.flow_numbers import flow_numbers, measure_label
from quantjax.report.numbers import duration, grouped, percent, significant
from quantjax.report.order_flow import impact_by_horizon_figure, integrated_impact_figure, order_flow_scatter
from quantjax.report.page_style import STYLE
from quantjax.report.svg import inline_svg
from quantjax.report.tables import table
from quantjax.report.time_axis import span_text
from quantjax.report.trade_costs import spread_split_by_horizon, vpin_over_time
from quantjax.report.verdict import verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["flow_figures", "flow_report", "write_flow_report"]


def flow_figures(study: FlowStudy) -> Iterator[tuple[str, str, Figure]]:
    """(short name, title, figure) of everything that the study holds. Raises ImportError without matplotlib."""
    if study.impact is not None:
        yield "impact", "Impact of order flow", impact_by_horizon_figure(study.impact)
    if study.scatter is not None:
        yield "scatter", f"Flow and price, {study.scatter_s:g} s", order_flow_scatter(study.scatter, study.scatter_s)
    if study.integrated:
        yield "integrated", "All levels, out of sample", integrated_impact_figure(study.integrated)
    if study.microprice is not None:
        yield "microprice", "Micro-price", microprice_adjustment(study.microprice)
    if study.predictors:
        yield "predictors", "Fair prices as forecasts", predictor_gains(study.predictors)
    if study.costs is not None:
        yield "costs", "What takers paid", spread_split_by_horizon(study.costs)
    if study.measures is not None and study.measures.vpin is not None:
        yield "vpin", "One-sided trading", vpin_over_time(study.measures.vpin)


def flow_report(
    title: str,
    studies: Sequence[FlowStudy],
    *,
    source: str = "",
    counts: Mapping[str, int] | None = None,
    explanations: Mapping[str, str] | None = None,
) -> str:
    """One HTML page with figures, numbers and counts of each symbol; it needs no other file and no network.

    `source`: where the updates come from, in words; `counts`: what reading dropped, by name, and `explanations` what
    the names mean. Raises ValueError for no studies, ImportError where matplotlib is missing. Driver.
    """
    if not studies:
        raise ValueError("expected at least one study, got none")
    sections = "".join(
        f'<section id="symbol-{i}">{_section(study, f"symbol-{i}")}</section>' for i, study in enumerate(studies)
    )
    links = "".join(
        f'<li><a class="symbol" href="#symbol-{i}">{escape(study.symbol)}</a></li>' for i, study in enumerate(studies)
    )
    rows = "".join(
        _row(name.replace("_", " "), number, (explanations or {}).get(name.partition(":")[0], ""))
        for name, number in (counts or {}).items()
    )
    reading = table(("what", "in all"), f"<tbody>{rows}</tbody>", "counts") if rows else "<p>Nothing was counted.</p>"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        f'<header><h1>{escape(title)}</h1><p class="muted">{escape(source)}</p></header>'
        f'<nav aria-label="Sections"><ul>{links}<li><a href="#read">What was read</a></li></ul></nav>\n'
        f'<main>{sections}<section id="read"><h2>What was read</h2><div class="card panel">{reading}</div></section>'
        "</main><footer><p>Times are UTC. Sizes are in base currency, prices in quote currency; 1 bp = 0.01 % of the "
        "mid. Nothing is measured across a gap. A description of the recording, no forecast of another one. Made by "
        "quantjax.</p></footer></body></html>\n"
    )


def write_flow_report(path: str | os.PathLike[str], title: str, studies: Sequence[FlowStudy], **parts: Any) -> Path:
    """`flow_report` written to `path`, whose folder is made where it is missing; the path.

    Renamed into place when complete. Driver.
    """
    target = Path(path)
    page = flow_report(title, studies, **parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(target)
    return target


def _section(study: FlowStudy, key: str) -> str:
    about = (
        f"{span_text(study.span_ns)}, {duration(study.seconds)} in sync in {grouped(study.stretches)} "
        f"stretch{'es' * (study.stretches > 1)}, {grouped(study.books)} books, {study.levels} "
        f"level{'s' * (study.levels > 1)} a side, {grouped(study.trades)} trades"
    )
    notes = "".join(f"<p>{escape(note[:1].upper() + note[1:])}.</p>" for note in study.notes)
    figures = "".join(
        f'<figure class="card"><h3>{escape(title)}</h3>{inline_svg(figure, f"{key}-{name}")}'
        f"<figcaption>{escape(str(figure.get_label()))}</figcaption></figure>"
        for name, title, figure in flow_figures(study)
    )
    numbers = flow_numbers(study)
    tables = "".join(_tables(numbers))
    return (
        f'<h2>{escape(study.symbol)}</h2><p class="muted">{escape(about)}</p>{notes}'
        f"{'' if study.quotes is None else verdict(study.quotes)}"
        f'<div class="figures">{figures}</div>{tables}'
    )


def _tables(numbers: Mapping[str, Any]) -> Iterator[str]:
    if impact := numbers.get("impact"):
        head = ("horizon, s", "R²", "beta", "t", "R², next", "t, next", "intervals", "integrated R²*", "next*")
        rows = []
        for horizon, fits in impact.items():
            now, later = fits["contemporaneous"], fits["predictive"]
            whole = numbers.get("integrated_out_of_sample", {}).get(horizon, {})
            cells = (now["r_squared"], now["beta"], now["t_stat"], later["r_squared"], later["t_stat"])
            own = (*map(_cell, cells), grouped(now["intervals"]))
            rows.append((horizon, *own, _cell(whole.get("integrated")), _cell(whole.get("integrated_next"))))
        yield _panel("Order flow", head, rows, "* all levels, fitted to the first half and judged on the second")
    if predictors := numbers.get("predictors"):
        horizons = next(iter(predictors.values()))
        head = ("horizon, s", "mid", *(text for name in predictors for text in (name, "gain")))
        rows = []
        for horizon, of_first in horizons.items():
            errors = [by_horizon[horizon] for by_horizon in predictors.values()]
            cells = [cell for one in errors for cell in (_cell(one["rmse_ticks"]), _cell(one["r_squared"]))]
            rows.append((horizon, _cell(of_first["mid_rmse_ticks"]), *cells))
        yield _panel(
            "Fair prices on the second half",
            head,
            rows,
            "root mean square errors in ticks, and gain: 1 − (RMSE / RMSE of the mid)²",
        )
    if costs := numbers.get("costs_bps"):
        head = ("horizon, s", "effective, bps", "realised", "impact", "trades")
        rows = [
            (h, _cell(one["effective"]), _cell(one["realised"]), _cell(one["impact"]), grouped(one["trades"]))
            for h, one in costs["by_horizon"].items()
        ]
        note = (
            f"over all {grouped(costs['trades'])}: {_cell(costs['effective'])} bps, "
            f"where the books quoted {_cell(costs['quoted'])} bps; "
            f"the books were {_cell(costs['median_book_age_s'])} s old in the median"
        )
        yield _panel("Trade costs", head, rows, note)
    others = numbers.get("trade_imbalance", {}) | numbers.get("measures", {})
    accuracy = {f"{rule} accuracy": share for rule, share in numbers.get("signing_accuracy", {}).items()}
    rows = [(measure_label(name, numbers["stretches"]), _cell(value)) for name, value in others.items()]
    rows += [(name.replace("_", " "), "–" if share is None else percent(share)) for name, share in accuracy.items()]
    if rows:
        yield _panel("Trades", ("measure", "value"), rows)
    rows = [(name.replace("_", " "), grouped(number)) for name, number in numbers["counts"].items()]
    if rows:
        yield _panel("What was left out", ("what", "how many"), rows)


def _panel(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    # The class keeps the second column of heads to the right, over its numbers.
    content = table(head, f"<tbody>{body}</tbody>", "symbols")
    return f'<div class="card panel"><h3>{escape(title)}</h3>{content}{below}</div>'


def _row(name: str, number: int, explanation: str) -> str:
    return f'<tr><th scope="row">{escape(name)}<small>{escape(explanation)}</small></th><td>{grouped(number)}</td></tr>'


def _cell(value: float | None) -> str:
    return "–" if value is None else significant(value, 3)
