"""Binance spot's messages as text, from integers in units of 1e-8.

Source: binance-spot-api-docs, web-socket-streams.md and rest-api.md. Formatted by hand: every string is ours, so
nothing needs escaping, and the same integers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from feeds.mock.market import UNITS

__all__ = [
    "aggregate_trade",
    "book_ticker",
    "combined",
    "decimal_text",
    "depth_update",
    "error",
    "level_row",
    "partial_depth",
    "server_shutdown",
    "trade",
]

NS_PER_MS = 1_000_000


def decimal_text(units: int) -> str:
    """Integer number of 1e-8 with all its eight decimals: 123 -> `0.00000123`."""
    return f"{units // UNITS}.{units % UNITS:08d}"


def level_row(price: int, size: int) -> str:
    """`["price","size"]` of units of 1e-8."""
    return f'["{price // UNITS}.{price % UNITS:08d}","{size // UNITS}.{size % UNITS:08d}"]'


def depth_update(
    symbol: str, time_ns: int, first_id: int, last_id: int, bids: Iterable[str], asks: Iterable[str]
) -> str:
    """Diff of the book: rows of the levels that changed."""
    return (
        f'{{"e":"depthUpdate","E":{time_ns // NS_PER_MS},"s":"{symbol}","U":{first_id},"u":{last_id},'
        f'"b":[{",".join(bids)}],"a":[{",".join(asks)}]}}'
    )


def partial_depth(last_id: int, bids: Iterable[str], asks: Iterable[str]) -> str:
    """The best levels, as the partial depth streams and as REST give them."""
    return f'{{"lastUpdateId":{last_id},"bids":[{",".join(bids)}],"asks":[{",".join(asks)}]}}'


def trade(symbol: str, time_ns: int, trade_id: int, price: int, size: int, buyer_is_maker: bool) -> str:
    """One trade."""
    time_ms = time_ns // NS_PER_MS
    return (
        f'{{"e":"trade","E":{time_ms},"s":"{symbol}","t":{trade_id},"p":"{decimal_text(price)}",'
        f'"q":"{decimal_text(size)}","T":{time_ms},"m":{_boolean(buyer_is_maker)},"M":true}}'
    )


def aggregate_trade(
    symbol: str,
    time_ns: int,
    aggregate_id: int,
    price: int,
    size: int,
    trade_ids: tuple[int, int],
    buyer_is_maker: bool,
) -> str:
    """The trades of one taker order at one price; `trade_ids` are the first and the last."""
    time_ms = time_ns // NS_PER_MS
    return (
        f'{{"e":"aggTrade","E":{time_ms},"s":"{symbol}","a":{aggregate_id},"p":"{decimal_text(price)}",'
        f'"q":"{decimal_text(size)}","f":{trade_ids[0]},"l":{trade_ids[1]},"T":{time_ms},'
        f'"m":{_boolean(buyer_is_maker)},"M":true}}'
    )


def book_ticker(symbol: str, update_id: int, bid: tuple[int, int], ask: tuple[int, int]) -> str:
    """Best bid and ask, each (price, size)."""
    return (
        f'{{"u":{update_id},"s":"{symbol}","b":"{decimal_text(bid[0])}","B":"{decimal_text(bid[1])}",'
        f'"a":"{decimal_text(ask[0])}","A":"{decimal_text(ask[1])}"}}'
    )


def server_shutdown(time_ns: int) -> str:
    """The exchange is about to close the connection."""
    return f'{{"e":"serverShutdown","E":{time_ns // NS_PER_MS}}}'


def combined(stream: str, payload: str) -> str:
    """The payload as a combined stream wraps it."""
    return f'{{"stream":"{stream}","data":{payload}}}'


def error(code: int, message: str) -> str:
    """REST's error body."""
    return f'{{"code":{code},"msg":"{message}"}}'


def _boolean(value: bool) -> str:
    return "true" if value else "false"
