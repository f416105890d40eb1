"""A recorder of the mock exchange, for tests and for the children that they kill."""

from __future__ import annotations

import functools
from typing import Any

from feeds.binance import BinanceSpot, Limits
from feeds.client import ClientOptions, FeedClient
from feeds.recording.recorder import Recorder
from feeds.recording.storage import Storage

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
# The simulated market does not wait for a real second to pass.
PATIENCE = {"refetch_after_s": 0.02, "refetch_at_most_s": 0.1, "first_event_s": 0.5}
CLIENT = {"weight_per_min": 1e7, "connects_per_5_min": 1e5, "close_timeout_s": 0.1}


def recorder(server: Any, storage: Storage) -> Recorder:
    venue = BinanceSpot(
        SYMBOLS, rest_url=server.rest_url, stream_url=server.stream_url, depth_limit=5000, limits=Limits(**PATIENCE)
    )
    connect = functools.partial(
        FeedClient, timer_interval_s=0.05, backoff=lambda failures: 0.01, options=ClientOptions(**CLIENT)
    )
    return Recorder(SYMBOLS, 20, 0.1, storage, venue=venue, connect=connect)
