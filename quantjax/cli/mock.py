"""`quantjax mock`: a mock exchange on loopback."""

from __future__ import annotations

from typing import Annotated

import typer

from quantjax.cli.console import Seed, say

__all__ = ["mock"]


def mock(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for any free one.")] = 8765,
    speed: Annotated[str, typer.Option(help="Simulated seconds per second, or 'max'.")] = "1",
    duration: Annotated[float | None, typer.Option(help="Simulated seconds after which the exchange closes.")] = None,
    seed: Seed = 0,
    truth: Annotated[str | None, typer.Option(help="File for the exchange's own books, as JSON lines.")] = None,
    drop: Annotated[float, typer.Option(help="Probability that a frame is dropped.")] = 0.0,
    repeat: Annotated[float, typer.Option(help="Probability that a frame is sent twice.")] = 0.0,
    reorder: Annotated[float, typer.Option(help="Probability that a frame changes places with the next.")] = 0.0,
    garbage: Annotated[float, typer.Option(help="Probability that garbage comes before a frame.")] = 0.0,
    disconnect_every: Annotated[float | None, typer.Option(help="Mean seconds between disconnects.")] = None,
) -> None:
    """Serve a simulated exchange that speaks Binance spot's protocol: BTCUSDT, ETHUSDT, SOLUSDT."""
    from feeds.mock import Faults, MockExchange, run

    try:
        pace = "max" if speed == "max" else float(speed)
    except ValueError:
        raise typer.BadParameter(f"expected a number or 'max', got {speed!r}") from None
    faults = Faults(
        drop=drop, repeat=repeat, reorder=reorder, garbage=garbage, disconnect_every_s=disconnect_every, seed=seed
    )
    exchange = MockExchange(seed=seed, duration_s=duration, truth_path=truth)

    def started(server) -> None:
        say(f"REST      {server.rest_url}/api/v3/depth?symbol=BTCUSDT")
        say(f"streams   {server.stream_url}/stream?streams=btcusdt@depth@100ms")
        say(f"record    quantjax record BTCUSDT --rest-url {server.rest_url} --stream-url {server.stream_url}")
        say("stop with Ctrl-C")

    run(exchange, started=started, port=port, speed=pace, faults=faults)
