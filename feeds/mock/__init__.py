"""A mock exchange that speaks Binance spot's protocol on loopback, from a seeded simulation.

Its server needs the extra `mock`:

    exchange = MockExchange(seed=1)
    async with serve(exchange, speed=10.0) as server:
        ...  # server.rest_url, server.stream_url
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feeds.mock.connection import Limits
from feeds.mock.exchange import START_NS, MockExchange
from feeds.mock.faults import Faults
from feeds.mock.market import MarketConfig, default_markets
from feeds.mock.truth import Truth, read_truth

if TYPE_CHECKING:
    from feeds.mock.server import MockServer, run, serve, serve_in_thread

__all__ = [
    "START_NS",
    "Faults",
    "Limits",
    "MarketConfig",
    "MockExchange",
    "MockServer",
    "Truth",
    "default_markets",
    "read_truth",
    "run",
    "serve",
    "serve_in_thread",
]


def __getattr__(name: str) -> Any:
    # FastAPI and uvicorn are an extra, and slow to import: only who serves loads them.
    if name in {"MockServer", "run", "serve", "serve_in_thread"}:
        from feeds.mock import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
