"""Which of Binance's markets a recorded message is from, and the venue of `feeds` that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from feeds.binance import BinanceFutures, BinanceSpot
from feeds.binance.venue import BinanceVenue
from feeds.inputs import Input, InputKind
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.playback import VenuePlayback

__all__ = ["make_venue", "market_of_url", "play_binance", "recognise", "session_start"]


class _Payload(msgspec.Struct):
    event: str = msgspec.field(name="e")
    symbol: str = msgspec.field(name="s")
    previous_last_id: int | None = msgspec.field(default=None, name="pu")
    pair: str | None = msgspec.field(default=None, name="ps")


class _Frame(msgspec.Struct):
    data: _Payload


def recognise(payload: bytes) -> tuple[str, str] | None:
    """(market, symbol) of a depth update; None for anything else. Markets are "spot", "usdm" and "coinm".

    Futures chain their updates by `pu`, and coin-margined ones name their pair, `ps`.
    """
    if b'"depthUpdate"' not in payload:
        return None
    try:
        if b'"data"' in payload:
            update = msgspec.json.decode(payload, type=_Frame).data
        else:
            update = msgspec.json.decode(payload, type=_Payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if update.previous_last_id is None:
        return "spot", update.symbol
    return ("usdm" if update.pair is None else "coinm"), update.symbol


def market_of_url(url: str) -> str | None:
    """Market of a WebSocket or REST address; None where it is not Binance's."""
    match = re.search(r"//([\w-]+)\.binance\.(?:com|vision)\b", url)
    if match is None:
        return None
    return {"fstream": "usdm", "fapi": "usdm", "dstream": "coinm", "dapi": "coinm"}.get(match[1], "spot")


def session_start(venue: BinanceVenue, time_ns: int) -> Iterator[Input]:
    """What a live session begins with: the recorded frames are then those of its first connection."""
    yield Input(time_ns, InputKind.SESSION, payload=venue.describe())
    yield Input(time_ns, InputKind.CONNECTED, "1")


def make_venue(market: str, symbols: list[str], path: Path) -> BinanceVenue:
    """The venue that reads a market's messages. Raises DataError for symbols that cannot be Binance's."""
    try:
        if market == "spot":
            return BinanceSpot(symbols)
        return BinanceFutures(symbols) if market == "usdm" else BinanceFutures.coin_margined(symbols)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def play_binance(
    venue: BinanceVenue, inputs: Iterator[Input], options: ReadOptions, report: ReadReport
) -> VenuePlayback:
    """A Binance venue that is to be fed these inputs."""
    report.symbols |= dict.fromkeys(symbol for symbol in venue.symbols if options.wants(symbol))
    return VenuePlayback(venue, inputs, options, report)
