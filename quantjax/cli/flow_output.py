"""What `quantjax flow` says and writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantjax import io
    from quantjax.report import FlowStudy

__all__ = ["text_of", "write_flow"]

# Of updates: other commands count books by these names.
_READ = {"rows": "level updates given: a message sets one or more price levels", "streams": "stretches in sync"}


def text_of(study: FlowStudy) -> dict[str, Any]:
    """The numbers of a study as lines of text, by horizon; what is missing is left out or said in the notes."""
    from quantjax.report import flow_numbers
    from quantjax.report.flow_numbers import measure_label

    found = flow_numbers(study)
    lines: dict[str, Any] = {
        "measured": f"{found['books']:,} books of {found['levels']} levels, {found['trades']:,} trades, "
        f"{found['seconds']:,.1f} s in {found['stretches']} stretch{'es' * (found['stretches'] > 1)} in sync"
    }
    if quotes := found.get("quotes"):
        lines["quotes"] = f"{quotes['compared']:,} books compared with announced quotes, {quotes['different']:,} differ"
    if "impact" in found:
        lines["order flow, R² by horizon"] = {
            f"{horizon} s": f"{_fit(fit['contemporaneous'])}, {fit['contemporaneous']['intervals']:,} intervals; "
            f"next interval {_fit(fit['predictive'])}"
            for horizon, fit in found["impact"].items()
        }
    if "integrated_out_of_sample" in found:
        lines["all levels, R² on the second half"] = {
            f"{horizon} s": f"{_text(one['integrated'])} (best level {_text(one['best_level'])}); "
            f"next interval {_text(one['integrated_next'])}"
            for horizon, one in found["integrated_out_of_sample"].items()
        }
    if "predictors" in found:
        horizons = next(iter(found["predictors"].values()))
        lines["gain on the mid as a forecast"] = {
            horizon if horizon == "next change" else f"{horizon} s": ", ".join(
                f"{name} {_text(by_horizon[horizon]['r_squared'])}" for name, by_horizon in found["predictors"].items()
            )
            + f" (RMSE of the mid {_text(of_first['mid_rmse_ticks'])} ticks)"
            for horizon, of_first in horizons.items()
        }
    if costs := found.get("costs_bps"):
        lines["trade costs, bps"] = {
            "effective": f"{_text(costs['effective'])} (quoted {_text(costs['quoted'])}; "
            f"the median book was {_text(costs['median_book_age_s'])} s old)"
        } | {
            f"{horizon} s": f"realised {_text(one['realised'])} + impact {_text(one['impact'])}"
            for horizon, one in costs["by_horizon"].items()
        }
    for name in ("trade_imbalance", "signing_accuracy", "measures"):
        if name in found:
            lines[name.replace("_", " ")] = {
                measure_label(key, found["stretches"]): _text(v) for key, v in found[name].items()
            }
    lines["left out"] = {name: number for name, number in found["counts"].items() if number}
    if found["notes"]:
        lines["notes"] = {str(i): note for i, note in enumerate(found["notes"], start=1)}
    return lines


def write_flow(out: Path, studies: Sequence[FlowStudy], data: io.UpdateData, *, plots: bool) -> list[Path]:
    """Tables of every symbol as Parquet and, with `plots`, its figures as PNG and the page; the files."""
    from feeds.faults import REASONS
    from feeds.recording.files import file_symbol
    from feeds.recording.session import RECORDING_REASONS
    from quantjax import io
    from quantjax.report import flow_figures, write_flow_report

    # Drawn before anything is written: without matplotlib nothing is left half done.
    figures = {study.symbol: list(flow_figures(study)) if plots else [] for study in studies}
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for study in studies:
        name = file_symbol(study.symbol)
        tables = {
            "impact": study.impact,
            "order-flow": study.scatter,
            "trade-costs": study.costs,
            "vpin": study.measures.vpin if study.measures else None,
        }
        for kind, result in tables.items():
            if result is not None:
                # Rows of books count within a stretch, which a table of all of them does not tell.
                frame = result.to_pandas().drop(columns="row", errors="ignore")
                files.append(io.write_table(out / f"{kind}-{name}.parquet", frame))
        if study.microprice is not None:
            frame = study.microprice.to_pandas()
            frame.columns = [f"{value:.4g}" for value in frame.columns]
            files.append(io.write_table(out / f"microprice-{name}.parquet", frame))
        for kind, _, figure in figures[study.symbol]:
            file = out / f"{kind}-{name}.png"
            figure.savefig(file, dpi=160)
            files.append(file)
    if plots:
        files.append(
            write_flow_report(
                out / "flow.html",
                f"Order flow and trades: {data.source.name}",
                studies,
                source=f"{data.source.name} ({data.format}, {data.metadata['clock']} clock)",
                counts=data.counts,
                explanations=io.COUNT_NAMES | REASONS | RECORDING_REASONS | _READ,
            )
        )
    return files


def _fit(numbers: dict[str, Any]) -> str:
    return f"{_text(numbers['r_squared'])} (t {_text(numbers['t_stat'])})"


def _text(value: float | int | None) -> str:
    return "undefined" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
