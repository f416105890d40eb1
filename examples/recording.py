"""The recording that an example works on: the one named on its command line, or one made here by the mock exchange.

`python examples/order_flow.py RECORDING` takes any file or folder that `quantjax.io` reads. Without it a mock exchange
trades for two simulated minutes on loopback and is recorded into `out/examples/recording` (some seconds, once; it needs
the extra `mock` and no network).
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

OUT = Path("out/examples")
SPEED = 20.0  # as fast as a busy machine can follow, so that the book is in sync soon


def chosen_recording(symbol: str = "BTCUSDT", seconds: float = 120.0) -> Path:
    """The recording to work on."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    recording = OUT / "recording"
    if not (recording / "complete").is_file():
        shutil.rmtree(recording, ignore_errors=True)
        record_mock(recording, symbol, seconds)
        (recording / "complete").touch()
    return recording


def record_mock(recording: Path, symbol: str, seconds: float) -> None:
    """Record so many simulated seconds of a mock exchange, twenty of them in one."""
    from feeds import BinanceSpot, Recorder
    from feeds.mock import MockExchange, default_markets, serve_in_thread

    markets = [market for market in default_markets() if market.symbol == symbol]
    exchange = MockExchange(markets, seed=1, duration_s=seconds)

    def stop_at_the_end(_) -> None:
        if exchange.finished:
            recorder.stop()

    with serve_in_thread(exchange, speed=SPEED, hold=True) as server:
        recorder = Recorder(
            [symbol],
            storage=recording,
            venue=BinanceSpot([symbol], rest_url=server.rest_url, stream_url=server.stream_url),
            on_progress=stop_at_the_end,
        )
        asyncio.run(recorder.run())
    exchange.close()
