"""Asynchronous market data: venues as pure state machines, one client, recording, replay, and a mock exchange.

The modules load on first use, so that a recorder starts in a moment. `feeds` never imports jax or quantjax.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feeds.binance import BinanceFutures, BinanceSpot, venue_from_description
    from feeds.book import OrderBook
    from feeds.client import ClientOptions, FeedClient
    from feeds.counters import Counters
    from feeds.errors import Disconnected, FeedError, MalformedMessage, RecordingError, UnknownSymbol
    from feeds.inputs import Input, InputKind
    from feeds.messages import DepthUpdate, Snapshot, Trade
    from feeds.queues import Overflow
    from feeds.recording.arrays import BookArrays, TradeArrays
    from feeds.recording.recorder import Recorder
    from feeds.recording.replay import read_inputs, replay_arrays, replay_blocks, replay_trades
    from feeds.recording.storage import Storage
    from feeds.sync import BookSync, StateChange, SyncState
    from feeds.venue import Output, Venue

# The module of each public name.
_HOMES = {
    "recording.arrays": ("BookArrays", "TradeArrays"),
    "binance": ("BinanceFutures", "BinanceSpot", "venue_from_description"),
    "book": ("OrderBook",),
    "client": ("ClientOptions", "FeedClient"),
    "counters": ("Counters",),
    "errors": ("Disconnected", "FeedError", "MalformedMessage", "RecordingError", "UnknownSymbol"),
    "inputs": ("Input", "InputKind"),
    "messages": ("DepthUpdate", "Snapshot", "Trade"),
    "queues": ("Overflow",),
    "recording.recorder": ("Recorder",),
    "recording.replay": ("read_inputs", "replay_arrays", "replay_blocks", "replay_trades"),
    "recording.storage": ("Storage",),
    "sync": ("BookSync", "StateChange", "SyncState"),
    "venue": ("Output", "Venue"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "BinanceFutures",
    "BinanceSpot",
    "BookArrays",
    "BookSync",
    "ClientOptions",
    "Counters",
    "DepthUpdate",
    "Disconnected",
    "FeedClient",
    "FeedError",
    "Input",
    "InputKind",
    "MalformedMessage",
    "OrderBook",
    "Output",
    "Overflow",
    "Recorder",
    "RecordingError",
    "Snapshot",
    "StateChange",
    "Storage",
    "SyncState",
    "Trade",
    "TradeArrays",
    "UnknownSymbol",
    "Venue",
    "read_inputs",
    "replay_arrays",
    "replay_blocks",
    "replay_trades",
    "venue_from_description",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(_import_module(f"feeds.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'feeds' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
