"""`quantjax record`: an exchange's books to disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantjax.cli.console import AsJson, Out, progress, say, show

if TYPE_CHECKING:
    from feeds import Recorder

__all__ = ["record", "run_recorder"]


def record(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="For instance BTCUSDT ETHUSDT.")],
    out: Out = Path("recording"),
    duration: Annotated[float | None, typer.Option(help="Seconds; until Ctrl-C if not given.")] = None,
    interval: Annotated[float, typer.Option(help="Seconds between sampled books; 0: every change.")] = 1.0,
    levels: Annotated[int, typer.Option(help="Levels a side of the sampled books.")] = 20,
    rest_url: Annotated[str, typer.Option(help="Address of the REST interface.")] = "https://api.binance.com",
    stream_url: Annotated[str, typer.Option(help="Address of the streams.")] = "wss://stream.binance.com:9443",
    as_json: AsJson = False,
) -> None:
    """Record books and trades of Binance spot (or of the mock exchange): raw frames, sampled books, a manifest."""
    from feeds import BinanceSpot, Recorder

    venue = BinanceSpot(symbols, rest_url=rest_url, stream_url=stream_url)
    in_sync = 0
    say(f"recording {', '.join(symbols)} from {stream_url} to {out}" + ("" if duration else "; stop with Ctrl-C"))
    with progress() as bar:
        task = bar.add_task("recording", total=duration, state="")

        def report(now) -> None:
            nonlocal in_sync
            in_sync = max(in_sync, now.synced)
            if now.synced == 0 and now.seconds >= 5 and int(now.seconds) % 30 == 5:
                say(f"no book in sync after {now.seconds:.0f} s; still trying")
            state = f"{now.synced}/{now.symbols} in sync, {now.inputs:,} inputs, {now.bytes / 1e6:.1f} MB"
            bar.update(task, completed=now.seconds, state=state)

        recorder = Recorder(
            symbols, max_levels=levels, snapshot_interval=interval or None, storage=out, venue=venue, on_progress=report
        )
        run_recorder(recorder, duration)
    counts = recorder.counters.totals()
    show({"recording": str(out), "counts": counts}, as_json=as_json)
    # Progress comes once a second: a shorter recording shows by its rows that a book was in sync.
    if not in_sync and not counts.get("rows"):
        raise ValueError(
            f"no book of {', '.join(symbols)} was ever in sync ({stream_url}, {rest_url}): "
            f"{counts.get('connect_failed', 0)} connections and {counts.get('fetch_failed', 0)} requests failed; "
            "check addresses, symbols and the network"
        )


def run_recorder(recorder: Recorder, duration_s: float | None) -> None:
    """Run until the end, or until SIGINT or SIGTERM, which end the recording cleanly."""
    import asyncio
    import signal

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, recorder.stop)
        await recorder.run(duration_s)

    asyncio.run(run())
