"""`quantjax flow`: order flow, fair prices and trade costs of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantjax.cli.clocks import ClockName, chosen_clock
from quantjax.cli.console import AsJson, Format, Input, Symbols, numbers, progress, say, show

if TYPE_CHECKING:
    from quantjax import io
    from quantjax.report import FlowStudy, TruthCheck

__all__ = ["flow", "measure_flow"]


def flow(
    input: Input,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the tables (Parquet), the figures and flow.html.")
    ] = None,
    format: Format = None,
    symbols: Symbols = None,
    levels: Annotated[int, typer.Option(help="Levels a side to measure.")] = 10,
    every: Annotated[
        str | None,
        typer.Option(help="Interval between books, such as 100ms, 1s or 10 (seconds); every message if not given."),
    ] = None,
    clock: ClockName = None,
    horizons: Annotated[str, typer.Option(help="Horizons in seconds.")] = "1,2,5,10,30,60",
    max_age: Annotated[float, typer.Option(help="Trades are not joined to books older than so many seconds.")] = 60.0,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw figures and flow.html into --out.")] = True,
    as_json: AsJson = False,
) -> None:
    """Reconstruct INPUT's books, join its trades and measure order flow, fair prices and costs."""
    from quantjax import io
    from quantjax.cli.flow_output import text_of, write_flow
    from quantjax.lob.intervals import interval_ns
    from quantjax.report import flow_numbers

    if every is not None:
        try:
            interval_ns(every)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    wanted = numbers(horizons)
    if not wanted or not all(1e-9 <= horizon < 1e9 for horizon in wanted):
        raise typer.BadParameter(f"expected horizons of a nanosecond to 10^9 s, got {horizons!r}")
    with progress() as bar:
        task = bar.add_task("reading", total=None, state=input.name)
        data = io.read_updates(
            input,
            format=format,
            symbols=symbols.split(",") if symbols else None,
            levels=levels,
            clock=chosen_clock(clock, input, format),
        )
        bar.update(task, description="measuring")
        studies, unmeasured = measure_flow(
            data, levels=levels, every=every, horizons_s=wanted, max_age_s=max_age, format=format
        )
        result: dict[str, Any] = {
            "source": str(data.source),
            "format": data.format,
            "clock": data.metadata["clock"],
            "symbols": {study.symbol: flow_numbers(study) for study in studies} | unmeasured,
            "counts": data.counts,
        }
        if not studies:
            raise ValueError(
                f"{data.source}: expected a stretch in sync with at least 10 books, got none: "
                f"{unmeasured or data.counts}"
            )
        if out is not None:
            bar.update(task, description="writing")
            result["files"] = [str(file) for file in write_flow(out, studies, data, plots=plots)]
    if not as_json:
        result["symbols"] = {study.symbol: text_of(study) for study in studies} | unmeasured
        if "files" in result:
            result["files"] = ", ".join(result["files"])
        if out is None:
            say("--out DIR writes tables, figures and flow.html; --json prints every number")
    show(result, as_json=as_json)


def measure_flow(
    data: io.UpdateData,
    *,
    levels: int = 10,
    every: str | None = None,
    horizons_s: tuple[float, ...] | None = None,
    max_age_s: float | None = 60.0,
    format: str | None = None,
) -> tuple[list[FlowStudy], dict[str, dict[str, Any]]]:
    """A study of each symbol of a recording's updates, and by symbol why others have none. Driver.

    Books are reconstructed after every message, or at each multiple of `every` ("100ms"), and compared with the quotes
    of the same recording where it has them.
    """
    from quantjax.cli.flow_study import HORIZONS_S, study_flow
    from quantjax.cli.stretches import books_of, cut_stretches
    from quantjax.lob.intervals import interval_ns

    quotes = _quotes(data, format)
    every_ns = None if every is None else interval_ns(every)
    studies, unmeasured = [], {}
    for symbol, streams in data.streams.items():
        trades = data.trades.get(symbol)
        stretches, counts = cut_stretches([books_of(stream, levels, every_ns) for stream in streams], trades)
        counts["out_of_sync_ms"] = data.counts.get("out_of_sync_ms", 0)
        if not stretches:
            unmeasured[symbol] = {"stretches": 0, "notes": ["no stretch in sync has 10 books"], "counts": counts}
            continue
        compared = _compare(streams, quotes.get(symbol))
        derived = data.metadata.get("derived")
        studies.append(
            study_flow(
                stretches,
                horizons_s=horizons_s or HORIZONS_S,
                max_age_s=max_age_s,
                quotes=compared,
                counts={name: number for name, number in counts.items() if number},
                notes=[f"the updates are {derived}"] if derived else [],
            )
        )
    return studies, unmeasured


def _quotes(data: io.UpdateData, format: str | None) -> dict[str, io.QuoteSeries]:
    """The announced quotes by symbol; none of files that hold finished books."""
    from quantjax import io

    if "derived" in data.metadata:
        return {}
    found = io.read_quotes(data.source, format=format, symbols=list(data.streams))
    return {symbol: quotes for symbol, quotes in found.quotes.items() if len(quotes)}


def _compare(streams: tuple[io.UpdateStream, ...], quotes: io.QuoteSeries | None) -> TruthCheck | None:
    from quantjax import io
    from quantjax.report import TruthCheck

    if quotes is None:
        return None
    parts = [io.compare_quotes(stream, quotes) for stream in streams]
    what = "reconstructed books against the best quotes that the venue announced for their update, price and size"
    return TruthCheck(sum(one.compared for one in parts), sum(one.equal for one in parts), what)
