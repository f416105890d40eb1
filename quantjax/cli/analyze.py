"""`quantjax analyze`: every metric of recorded books, as a table and as a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantjax.cli.console import AsJson, Format, Input, Symbols, numbers, progress, say, show

if TYPE_CHECKING:
    from rich.progress import Progress

    from quantjax import io, lob

__all__ = ["analyze", "analyze_whole"]


FAST_LEVELS = 40  # beyond it the fused kernel, whose code grows with the levels, compiles for minutes


def analyze(
    input: Input,
    report: Annotated[bool, typer.Option("--report", help="Write an HTML report too.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for analysis-SYMBOL.parquet and report.html.")
    ] = None,
    format: Format = None,
    symbols: Symbols = None,
    depth: Annotated[int, typer.Option(help="Levels a side to read.")] = 20,
    interval: Annotated[
        float | None, typer.Option(help="Seconds between books; every change of the book if not given.")
    ] = None,
    levels: Annotated[str, typer.Option(help="Numbers of levels for imbalance, VWAP, VAMP.")] = "5,10,20",
    bands: Annotated[str, typer.Option(help="Depth bands around the mid, in basis points.")] = "5,10,25",
    notionals: Annotated[str, typer.Option(help="Order sizes in quote currency.")] = "1e3,1e4,1e5",
    slippages: Annotated[str, typer.Option(help="Limits for the fillable notional, in basis points.")] = "5,10",
    as_json: AsJson = False,
) -> None:
    """Compute every book metric of INPUT; with --out as Parquet, with --report as a page to look at."""
    from quantjax import io, lob

    metrics = lob.BookMetrics(
        levels=tuple(int(n) for n in numbers(levels)),
        bands_bps=numbers(bands),
        notionals=numbers(notionals),
        slippages_bps=numbers(slippages),
    )
    if depth > FAST_LEVELS:
        say(f"compiling for {depth} levels a side takes minutes the first time; single metrics (lob.band_depth) do not")
    options: dict[str, Any] = {
        "format": format,
        "symbols": symbols.split(",") if symbols else None,
        "levels": depth,
        "interval_s": interval,
    }
    if report:
        out = out or Path("out") / input.name.split(".")[0]
        with progress() as bar:
            reading = bar.add_task("reading", total=None, state=input.name)
            data = io.read_books(input, **options)
            bar.remove_task(reading)
            result = analyze_whole(data, metrics, out, bar)
    else:
        with progress() as bar:
            result = _analyze_stream(io.stream_books(input, **options), metrics, out, bar)
    show(result, as_json=as_json)


def analyze_whole(
    data: io.BookData,
    metrics: lob.BookMetrics,
    out: Path,
    bar: Progress,
    *,
    title: str | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """Analyse data in memory, write tables and report to `out`; what to show. `parts` go to the report as they are."""
    from feeds.faults import REASONS
    from feeds.recording.session import RECORDING_REASONS
    from quantjax import io, lob
    from quantjax.cli.running import RunningMeans
    from quantjax.cli.throughput import measure_throughput
    from quantjax.report import SymbolReport, write_book_report

    reports = []
    for symbol, series in data.series.items():
        task = bar.add_task(f"analysing {symbol}", total=len(series), state=f"{len(series):,} books")
        analysis = (
            lob.analyze(series, metrics, progress=lambda done, task=task: bar.advance(task, done))
            if len(series)
            else None
        )
        reports.append(SymbolReport(series, analysis))
        bar.remove_task(task)
    analyses = [report.analysis for report in reports if report.analysis is not None]
    if not analyses:
        raise ValueError(f"{data.source}: expected at least one book, got none; what was skipped: {data.counts}")
    files = io.write_analysis(out, analyses)
    task = bar.add_task("measuring the speed", total=None, state="")
    speed = measure_throughput(max(data.series.values(), key=len), metrics)
    bar.update(task, description="drawing")
    page = out / "report.html"
    write_book_report(
        page,
        title or f"Order books: {data.source.name}",
        reports,
        source=f"{data.source.name} ({data.format})",
        counts=data.counts,
        explanations=io.COUNT_NAMES | REASONS | RECORDING_REASONS,
        throughput=speed,
        **parts,
    )
    return {
        "source": str(data.source),
        "format": data.format,
        "symbols": {analysis.symbol: RunningMeans(analysis).result() for analysis in analyses},
        "counts": data.counts,
        "files": ", ".join(str(file) for file in files),
        "report": str(page),
    }


def _analyze_stream(stream: io.BookStream, metrics: lob.BookMetrics, out: Path | None, bar: Progress) -> dict[str, Any]:
    """Analyse block by block: memory holds one block, whatever the length."""
    from quantjax import io, lob
    from quantjax.cli.running import RunningMeans

    task = bar.add_task("analysing", total=None, state="")
    running: dict[str, RunningMeans] = {}
    done = 0

    def watched():
        nonlocal done
        for block in lob.analyze_blocks(stream, metrics):
            running.setdefault(block.symbol, RunningMeans()).add(block)
            done += len(block)
            bar.update(task, state=f"{done:,} books")
            yield block

    files: list[Path] = []
    if out is not None:
        files = io.write_analysis(out, watched())
    else:
        for _ in watched():
            pass
    if not running:
        raise ValueError(f"{stream.source}: expected at least one book, got none; what was skipped: {stream.counts}")
    result: dict[str, Any] = {
        "source": str(stream.source),
        "format": stream.format,
        "symbols": {symbol: mean.result() for symbol, mean in running.items()},
        "counts": stream.counts,
    }
    if files:
        result["files"] = ", ".join(str(file) for file in files)
    else:
        say("means over the books that have the metric; --out DIR writes every book's metrics, --report a page")
    return result
