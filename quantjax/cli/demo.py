"""`quantjax demo`: the whole way from an exchange to a report, on a mock exchange and without a network."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from quantjax.cli.console import AsJson, Out, Seed, progress, say, show

__all__ = ["demo"]

SIMULATED_SECONDS = 600.0
SAMPLE_SECONDS = 0.05


def demo(
    out: Out = Path("out/demo"),
    seed: Seed = 0,
    seconds: Annotated[float, typer.Option(help="Simulated seconds to record.")] = SIMULATED_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Record a mock exchange over a real socket, replay, check against its own books, analyse, write a report."""
    from feeds import BinanceSpot, Counters, Recorder
    from feeds.mock import MockExchange, serve_in_thread
    from feeds.recording.replay import Replay
    from quantjax import io, lob
    from quantjax.cli.analyze import analyze_whole
    from quantjax.cli.record import run_recorder
    from quantjax.cli.truth import compare_with_truth
    from quantjax.report import TruthCheck

    start = time.perf_counter()
    recording, truth = out / "recording", out / "truth.jsonl"
    for old in (recording, truth):
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)

    exchange = MockExchange(seed=seed, duration_s=seconds, truth_path=truth)
    say(f"1/4 a mock exchange trades {', '.join(exchange.symbols)} on loopback; its streams are recorded")
    with serve_in_thread(exchange, speed="max", hold=True) as server, progress() as bar:
        task = bar.add_task("recording", total=seconds, state="")

        def report(now) -> None:
            passed = (exchange.now_ns - exchange.start_ns) * 1e-9
            bar.update(task, completed=passed, state=f"{now.synced}/{now.symbols} in sync, {now.inputs:,} inputs")
            if exchange.finished:
                recorder.stop()

        recorder = Recorder(
            exchange.symbols,
            snapshot_interval=SAMPLE_SECONDS,
            storage=recording,
            venue=BinanceSpot(exchange.symbols, rest_url=server.rest_url, stream_url=server.stream_url),
            on_progress=report,
        )
        run_recorder(recorder, None)
    exchange.close()

    say("2/4 the recording is replayed, and every book compared with the exchange's own")
    compared, equal, missing = compare_with_truth(Replay(recording, counters=Counters()), truth)
    if not compared or equal < compared or missing:
        raise ValueError(
            f"{compared - equal} of {compared} replayed books differ from the exchange's own, {missing} are missing"
        )

    say(f"3/4 {equal:,} of {compared:,} books agree; now every metric of every book")
    data = io.read_books(recording, clock="exchange")
    with progress() as bar:
        result = analyze_whole(
            data,
            lob.BookMetrics(),
            out,
            bar,
            title="A mock exchange, recorded and measured",
            truth=TruthCheck(
                compared, equal, "replayed books, all levels, against the exchange's own after every update"
            ),
        )
    say(f"4/4 look at {out / 'report.html'}")
    result["truth"] = {"compared": compared, "equal": equal, "missing": missing}
    result["seconds"] = round(time.perf_counter() - start, 1)
    show(result, as_json=as_json)
