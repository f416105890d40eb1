"""`quantjax replay`: a recording through the same machine again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantjax.cli.console import AsJson, progress, show

__all__ = ["replay"]


def replay(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="Directory that `quantjax record` wrote.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the sampled books here, made anew from the raw frames.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Compare every book with the mock exchange's own (its --truth file).")
    ] = None,
    skip_damaged: Annotated[bool, typer.Option(help="Skip damaged segments and count them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replay a recording: books and counts; with --out, its JSONL and Parquet again, byte for byte."""
    from feeds import Counters
    from feeds.recording.replay import Replay, rebuild

    counters = Counters()
    damaged = "skip" if skip_damaged else "raise"
    result: dict[str, object] = {"recording": str(recording)}
    compared = equal = 0
    if truth is not None:
        from quantjax.cli.truth import compare_with_truth

        source = Replay(recording, counters=counters, damaged=damaged)
        compared, equal, missing = compare_with_truth(source, truth)
        result["truth"] = {"compared": compared, "equal": equal, "missing": missing}
    if out is not None:
        with progress() as bar:
            bar.add_task("rebuilding", total=None, state=str(out))
            files = rebuild(recording, out, counters=None if truth else counters, damaged=damaged)
        result["files"] = len(files)
    if truth is None and out is None:
        rows: dict[str, int] = {}
        for row in Replay(recording, counters=counters, damaged=damaged).rows():
            rows[row.symbol] = rows.get(row.symbol, 0) + 1
        result["books"] = rows
    result["counts"] = counters.totals()
    show(result, as_json=as_json)
    if truth is not None and (compared == 0 or equal < compared):
        raise ValueError(f"{compared - equal} of {compared} books differ from the exchange's own")
