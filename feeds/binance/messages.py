"""Binance's wire formats (spot, USD-M and COIN-M futures) read into messages; nothing here keeps any state.

A frame is a payload (`{"e": "depthUpdate", ...}`) or, on combined streams, `{"stream": ..., "data": payload}`. What
cannot be read comes back as `Unreadable`, with all that can be made out about what it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated

import msgspec

from feeds.decimals import to_units
from feeds.errors import MalformedMessage
from feeds.messages import DepthUpdate, Level, Snapshot, Trade

__all__ = [
    "BinanceTrade",
    "Frame",
    "OtherEvent",
    "Reply",
    "ServerShutdown",
    "SymbolRules",
    "Unreadable",
    "error_code",
    "parse_exchange_info",
    "parse_frame",
    "parse_snapshot",
    "subscribe_text",
]

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Time = Annotated[int, msgspec.Meta(ge=0, le=9 * 10**15)]  # milli- or microseconds; int64 nanoseconds hold no more
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class BinanceTrade(msgspec.Struct, frozen=True):
    """A trade and the stream it came by; `trade` and `aggTrade` number their trades apart."""

    trade: Trade
    aggregate: bool


class Reply(msgspec.Struct, frozen=True):
    """The answer to a request of ours; `error` is empty where it was granted."""

    error: str = ""


class ServerShutdown(msgspec.Struct, frozen=True):
    """The server is about to close the connection."""


class OtherEvent(msgspec.Struct, frozen=True):
    """A well-formed event of another kind; `known` where the venue documents it."""

    name: str
    known: bool


class Unreadable(msgspec.Struct, frozen=True):
    """A frame that is not what the venue documents; `symbol` is empty where it cannot be made out."""

    detail: str
    symbol: str = ""
    depth: bool = False  # whether it looks like a depth update


class SymbolRules(msgspec.Struct, frozen=True):
    """Steps of price and size of a symbol as decimal strings, empty where the venue names none."""

    tick_size: str = ""
    lot_size: str = ""


Frame = DepthUpdate | BinanceTrade | Reply | ServerShutdown | OtherEvent | Unreadable

_UNUSED = frozenset(
    (
        *("bookTicker", "24hrTicker", "24hrMiniTicker", "1hTicker", "4hTicker", "1dTicker", "avgPrice", "kline"),
        *("continuousKline", "markPriceUpdate", "indexPriceUpdate", "forceOrder", "contractInfo", "assetIndexUpdate"),
        *("compositeIndex", "referencePrice", "blockTrade"),
    )
)


class _Head(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    event: str = msgspec.field(default="", name="e")
    error: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    code: int | None = None
    id: int | str | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")
    order_book_id: int | None = msgspec.field(default=None, name="u")
    best_bid_size: str | None = msgspec.field(default=None, name="B")


class _Depth(msgspec.Struct):
    symbol: _Name = msgspec.field(name="s")
    event_time: _Time = msgspec.field(name="E")
    first_id: _Count = msgspec.field(name="U")
    last_id: _Count = msgspec.field(name="u")
    bids: tuple[Level, ...] = msgspec.field(name="b")
    asks: tuple[Level, ...] = msgspec.field(name="a")
    previous_last_id: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] | None = msgspec.field(default=None, name="pu")


class _Execution(msgspec.Struct):
    symbol: _Name = msgspec.field(name="s")
    price: str = msgspec.field(name="p")
    size: str = msgspec.field(name="q")
    trade_time: _Time = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


class _Trade(_Execution):
    trade_id: _Count = msgspec.field(name="t")


class _AggregateTrade(_Execution):
    trade_id: _Count = msgspec.field(name="a")


class _Snapshot(msgspec.Struct):
    last_update_id: _Count = msgspec.field(name="lastUpdateId")
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    event_time: _Time = msgspec.field(default=0, name="E")


class _SymbolInfo(msgspec.Struct):
    symbol: str
    filters: list[dict[str, object]] = msgspec.field(default_factory=list)


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_SymbolInfo]


class _Error(msgspec.Struct):
    code: int


_head = msgspec.json.Decoder(_Head)
_depth = msgspec.json.Decoder(_Depth)
_trade = msgspec.json.Decoder(_Trade)
_aggregate = msgspec.json.Decoder(_AggregateTrade)
_snapshot = msgspec.json.Decoder(_Snapshot)
_exchange_info = msgspec.json.Decoder(_ExchangeInfo)
_error = msgspec.json.Decoder(_Error)

_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_frame(payload: bytes, received_ns: int) -> Frame:
    """What a frame says; never raises. Prices and sizes of depth updates are left to the book to read."""
    try:
        head = _head.decode(payload)
        body = bytes(head.data)
        if body:
            combined, head = head, _head.decode(body)
            return _parse_event(head, body, received_ns, stream=combined.stream)
        return _parse_event(head, payload, received_ns)
    except (*_BAD_JSON, MalformedMessage) as error:
        return _unreadable(payload, str(error))


def parse_snapshot(body: bytes, symbol: str, received_ns: int) -> Snapshot:
    """The body of a REST `depth` request.

    Errors: MalformedMessage.
    """
    try:
        wire = _snapshot.decode(body)
    except _BAD_JSON as error:
        raise MalformedMessage(f"snapshot of {symbol}: {error}") from error
    return Snapshot(symbol, wire.last_update_id, wire.bids, wire.asks, _nanoseconds(wire.event_time), received_ns)


def parse_exchange_info(body: bytes) -> dict[str, SymbolRules]:
    """Steps of price and size by symbol from the body of a REST `exchangeInfo` request.

    Errors: MalformedMessage.
    """
    try:
        info = _exchange_info.decode(body)
    except _BAD_JSON as error:
        raise MalformedMessage(f"exchangeInfo: {error}") from error
    rules = {}
    for symbol in info.symbols:
        steps = {entry.get("filterType"): entry for entry in symbol.filters}
        tick = steps.get("PRICE_FILTER", {}).get("tickSize", "")
        lot = steps.get("LOT_SIZE", {}).get("stepSize", "")
        rules[symbol.symbol] = SymbolRules(str(tick), str(lot))
    return rules


def error_code(body: bytes) -> int | None:
    """The code of a REST error body such as `{"code": -1121, "msg": "Invalid symbol."}`, None where there is none."""
    try:
        return _error.decode(body).code
    except _BAD_JSON:
        return None


def subscribe_text(streams: Iterable[str], request_id: int) -> str:
    """The request that starts `streams` on an open connection."""
    return json.dumps({"method": "SUBSCRIBE", "params": list(streams), "id": request_id}, separators=(",", ":"))


def _parse_event(head: _Head, body: bytes, received_ns: int, stream: str = "") -> Frame:
    match head.event:
        case "depthUpdate":
            depth = _depth.decode(body)
            return DepthUpdate(
                depth.symbol,
                depth.first_id,
                depth.last_id,
                depth.bids,
                depth.asks,
                _nanoseconds(depth.event_time),
                received_ns,
                depth.previous_last_id,
            )
        case "trade":
            return BinanceTrade(_to_trade(_trade.decode(body), received_ns), aggregate=False)
        case "aggTrade":
            return BinanceTrade(_to_trade(_aggregate.decode(body), received_ns), aggregate=True)
        case "serverShutdown":
            return ServerShutdown()
        case "":
            return _parse_unnamed(head, stream)
        case event:
            return OtherEvent(event, event in _UNUSED)


def _parse_unnamed(head: _Head, stream: str) -> Frame:
    error = bytes(head.error)
    if error not in (b"", b"null"):
        return Reply(error=error.decode(errors="replace"))
    if head.code is not None:  # older form of a refusal: {"code": 2, "msg": "...", "id": 1}
        return Reply(error=f"code {head.code}")
    if stream == "!serverShutdown":
        return ServerShutdown()
    if head.last_update_id is not None:  # partial books carry neither their event's name nor their symbol
        return OtherEvent("partialDepth", known=True)
    if head.order_book_id is not None and head.best_bid_size is not None:  # spot leaves the name out
        return OtherEvent("bookTicker", known=True)
    if head.id is not None:
        return Reply()
    if "@depth" in stream:
        raise MalformedMessage("a depth update without its name")
    return OtherEvent(stream.partition("@")[2] or "unnamed", known=False)


def _to_trade(wire: _Trade | _AggregateTrade, received_ns: int) -> Trade:
    if not (to_units(wire.price) and to_units(wire.size)):
        raise MalformedMessage(f"expected a trade of positive price and size, got {wire.size} at {wire.price}")
    side = -1 if wire.buyer_is_maker else 1
    return Trade(wire.symbol, wire.trade_id, wire.price, wire.size, side, _nanoseconds(wire.trade_time), received_ns)


def _nanoseconds(venue_time: int) -> int:
    """Binance states milliseconds, or microseconds where `timeUnit=MICROSECOND` was asked for: told apart by size."""
    return venue_time * 1000 if venue_time > 9 * 10**12 else venue_time * 1_000_000


_STREAM = re.compile(rb'"stream"\s*:\s*"([^"@]{1,64})@(\w+)')
_SYMBOL = re.compile(rb'"s"\s*:\s*"([^"]{1,64})"')


def _unreadable(payload: bytes, detail: str) -> Unreadable:
    """The symbol and kind of a broken frame, from its name of the stream or else from its fields, if they are there."""
    stream, field = _STREAM.search(payload), _SYMBOL.search(payload)
    symbol = stream[1].upper() if stream else field[1] if field else b""
    depth = b'"depthUpdate"' in payload or (stream is not None and stream[2] == b"depth")
    return Unreadable(detail, symbol.decode(errors="replace"), depth)
