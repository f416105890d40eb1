"""What a Binance venue is made from: settings that go into a recording, and what differs between the markets."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from feeds.binance.lanes import LanePlan
from feeds.rules import SyncRules

__all__ = ["MAX_STREAMS", "BinanceSettings", "Limits", "Market", "check_symbols", "to_ns", "weight_by_depth"]

MAX_STREAMS = 1024
"""Streams that Binance allows on one connection."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the venue is, in seconds, and how much it buffers."""

    refetch_after_s: float = 1.0  # least time between two snapshots of a symbol; doubled by failures in a row
    refetch_at_most_s: float = 60.0
    refused_wait_s: float = 30.0  # least wait after a refusal for too many requests (429, 418)
    answer_within_s: float = 120.0  # a request without an answer is made again
    first_event_s: float = 3.0  # a symbol that says nothing for so long has its snapshot fetched all the same
    overlap_s: float = 30.0  # both connections deliver for at most so long when one replaces the other
    max_buffered: int = 2000  # updates kept for a symbol while its snapshot is awaited


class BinanceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a Binance venue is made from; as JSON, the payload of the SESSION input."""

    venue: str
    symbols: tuple[str, ...]
    rest_url: str
    stream_url: str
    depth_limit: int
    update_speed: str
    trades: bool
    combined: bool
    rotate_after_s: float
    stall_after_s: float
    limits: Limits = Limits()


@dataclass(frozen=True)
class Market:
    """What differs between Binance's markets: rules of the updates, REST addresses, connections."""

    rules: SyncRules
    depth_url: str  # with `{symbol}`
    info_url: str  # with `{symbols}`, or without where the venue knows no choice
    depth_weight: float  # of a request, in units of which a minute allows 6,000
    info_weight: float
    lanes: tuple[LanePlan, ...]
    chained: bool = False  # whether every update must name the one before it (`pu`)


def check_symbols(symbols: object) -> tuple[str, ...]:
    """The symbols, if they are such as Binance writes them, upper case, and each is there once.

    Errors: ValueError.
    """
    if isinstance(symbols, str) or not isinstance(symbols, (tuple, list)) or not symbols:
        raise ValueError(f"expected a non-empty list or tuple of symbols, got {symbols!r}: write ['BTCUSDT']")
    names = tuple(str(symbol) for symbol in symbols)
    for name in names:
        if not re.fullmatch(r"\w{1,64}", name) or name != name.upper():
            raise ValueError(f"expected a symbol such as 'BTCUSDT', got {name!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"expected every symbol once, got {names}")
    return names


def weight_by_depth(depth_limit: int, weights: dict[int, float]) -> float:
    """Weight of a snapshot of `depth_limit` levels, from the weights by the most levels that they are good for."""
    return next((weight for most, weight in weights.items() if depth_limit <= most), max(weights.values()))


def to_ns(seconds: float) -> int:
    """Seconds as integer nanoseconds."""
    return round(seconds * 1e9)
