"""REST's answers, from path and parameters to status and body; no sockets.

Source: binance-spot-api-docs, rest-api.md and errors.md. Everything under `/mock/` is the mock exchange's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from feeds.mock import wire
from feeds.mock.exchange import MockExchange

__all__ = ["Answer", "answer"]

MAX_DEPTH, DEFAULT_DEPTH = 5_000, 100
MAX_TRADES, DEFAULT_TRADES = 1_000, 500
SYMBOL_PATTERN = r"^[A-Z0-9-_.]{1,20}$"
NUMBER_PATTERN = r"^[0-9]{1,20}$"


class Answer(NamedTuple):
    """HTTP status and JSON body."""

    status: int
    body: str


class _Refused(Exception):
    """A request that Binance answers with an error body; args: code, message."""


def answer(exchange: MockExchange, path: str, parameters: Mapping[str, str]) -> Answer:
    """The answer to a GET of `/api/v3/...` or `/mock/truth`; errors as Binance words them."""
    endpoints = {
        "/api/v3/ping": _ping,
        "/api/v3/time": _time,
        "/api/v3/exchangeInfo": _exchange_info,
        "/api/v3/depth": _depth,
        "/api/v3/trades": _trades,
        "/mock/truth": _truth,
    }
    endpoint = endpoints.get(path)
    if endpoint is None:
        return Answer(404, wire.error(-1000, "Not found: the mock exchange has no such endpoint."))
    try:
        return endpoint(exchange, parameters)
    except _Refused as refusal:
        return Answer(400, wire.error(*refusal.args))


def _ping(exchange: MockExchange, parameters: Mapping[str, str]) -> Answer:
    return Answer(200, "{}")


def _time(exchange: MockExchange, parameters: Mapping[str, str]) -> Answer:
    return Answer(200, f'{{"serverTime":{exchange.now_ns // wire.NS_PER_MS}}}')


def _depth(exchange: MockExchange, parameters: Mapping[str, str]) -> Answer:
    symbol = _symbol(exchange, parameters)
    # More than the maximum is not an error: the answer has the maximum.
    limit = min(_number(parameters, "limit", DEFAULT_DEPTH), MAX_DEPTH)
    return Answer(200, exchange.snapshot(symbol, limit))


def _trades(exchange: MockExchange, parameters: Mapping[str, str]) -> Answer:
    symbol = _symbol(exchange, parameters)
    limit = min(_number(parameters, "limit", DEFAULT_TRADES), MAX_TRADES)
    book = exchange.market(symbol)
    rows = []
    for fill in list(book.recent)[-limit:]:
        price, size = fill.tick * book.tick_units, fill.lots * book.lot_units
        rows.append(
            {
                "id": fill.trade_id,
                "price": wire.decimal_text(price),
                "qty": wire.decimal_text(size),
                "quoteQty": wire.decimal_text(price * size // wire.UNITS),
                "time": fill.time_ns // wire.NS_PER_MS,
                "isBuyerMaker": fill.buyer_is_maker,
                "isBestMatch": True,
            }
        )
    return Answer(200, _json(rows))


def _exchange_info(exchange: MockExchange, parameters: Mapping[str, str]) -> Answer:
    if "symbol" in parameters:
        symbols = [_symbol(exchange, parameters)]
    elif "symbols" in parameters:
        symbols = _symbols(exchange, parameters["symbols"])
    else:
        symbols = list(exchange.symbols)
    info = {
        "timezone": "UTC",
        "serverTime": exchange.now_ns // wire.NS_PER_MS,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_symbol_info(exchange, symbol) for symbol in symbols],
    }
    return Answer(200, _json(info))


def _symbol_info(exchange: MockExchange, symbol: str) -> dict[str, object]:
    book = exchange.market(symbol)
    tick, lot = wire.decimal_text(book.tick_units), wire.decimal_text(book.lot_units)
    most_price, most_size = "1000000.00000000", "9000000.00000000"
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": book.config.base_asset,
        "baseAssetPrecision": 8,
        "quoteAsset": book.config.quote_asset,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": most_price, "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": most_size, "stepSize": lot},
        ],
    }


def _truth(exchange: MockExchange, parameters: Mapping[str, str]) -> Answer:
    """`symbol` and `u`: one truth; `symbol` and `from`: a list of at most `limit` (1000)."""
    symbol = _symbol(exchange, parameters)
    if "u" in parameters:
        line = exchange.truths.line(symbol, _number(parameters, "u", 0))
        if line is None:
            return Answer(404, wire.error(-1000, "No diff ended at that update, or its truth is no longer held."))
        return Answer(200, line)
    if "from" not in parameters:
        raise _missing("u")
    lines = exchange.truths.lines_from(symbol, _number(parameters, "from", 0), _number(parameters, "limit", 1_000))
    return Answer(200, f"[{','.join(lines)}]")


def _symbol(exchange: MockExchange, parameters: Mapping[str, str]) -> str:
    symbol = parameters.get("symbol", "")
    if not symbol:
        raise _missing("symbol")
    if not re.match(SYMBOL_PATTERN, symbol):
        raise _illegal("symbol", SYMBOL_PATTERN)
    if symbol not in exchange.symbols:
        raise _Refused(-1121, "Invalid symbol.")
    return symbol


def _symbols(exchange: MockExchange, text: str) -> list[str]:
    try:
        symbols = json.loads(text)
    except ValueError:
        symbols = None
    if not isinstance(symbols, list) or not symbols:
        raise _Refused(-1135, "JSON sent for parameter 'symbols' is not valid")
    return [_symbol(exchange, {"symbol": str(symbol)}) for symbol in symbols]


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not re.match(NUMBER_PATTERN, text):
        raise _illegal(name, NUMBER_PATTERN)
    if int(text) == 0:
        raise _Refused(-1130, f"Data sent for parameter '{name}' is not valid.")
    return int(text)


def _missing(name: str) -> _Refused:
    return _Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _illegal(name: str, pattern: str) -> _Refused:
    return _Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
