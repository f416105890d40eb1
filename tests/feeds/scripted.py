"""A scripted exchange for the tests of recorder and replay: it answers a venue's actions, without sockets or time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from feeds.binance import BinanceSpot
from feeds.counters import Counters
from feeds.inputs import Input, InputKind
from feeds.recording.session import Recording
from feeds.recording.storage import Storage
from feeds.venue import Connect, Disconnect, Fetch, Output, Send, Venue

START_NS = 1_750_000_000_000_000_000
STEP_NS = 100_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")


class ScriptedExchange:
    """Random books that never cross: bids up to 100.00, asks from 100.01."""

    def __init__(self, symbols: tuple[str, ...] = SYMBOLS, seed: int = 1) -> None:
        self.symbols = symbols
        self.random = random.Random(seed)
        self.last_id = dict.fromkeys(symbols, 1000)
        self.trade_id = dict.fromkeys(symbols, 1)
        self.sides: dict[str, tuple[dict[str, str], dict[str, str]]] = {symbol: ({}, {}) for symbol in symbols}
        for symbol in symbols:
            for _ in range(30):
                self._change(symbol)

    def depth(self, symbol: str, now_ns: int) -> bytes:
        first = self.last_id[symbol] + 1
        bids, asks = zip(*(self._change(symbol) for _ in range(3)), strict=True)
        data = {
            "e": "depthUpdate",
            "E": now_ns // 10**6 - 5,
            "s": symbol,
            "U": first,
            "u": self.last_id[symbol],
            "b": bids,
            "a": asks,
        }
        return msgspec.json.encode({"stream": f"{symbol.lower()}@depth@100ms", "data": data})

    def trade(self, symbol: str, now_ns: int) -> bytes:
        self.trade_id[symbol] += 1
        data = {
            "e": "trade",
            "E": now_ns // 10**6,
            "s": symbol,
            "t": self.trade_id[symbol],
            "p": "100.01",
            "q": f"{self.random.randint(1, 999)}.5",
            "T": now_ns // 10**6 - 5,
            "m": self.random.random() < 0.5,
            "M": True,
        }
        return msgspec.json.encode({"stream": f"{symbol.lower()}@trade", "data": data})

    def answer(self, url: str) -> bytes:
        if "exchangeInfo" in url:
            filters = [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01000000", "minPrice": "0.01", "maxPrice": "1000000.00"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00010000", "minQty": "0.0001", "maxQty": "9000.00"},
            ]
            listed = [{"symbol": symbol, "status": "TRADING", "filters": filters} for symbol in self.symbols]
            return msgspec.json.encode({"timezone": "UTC", "symbols": listed})
        symbol = next(symbol for symbol in self.symbols if f"symbol={symbol}" in url)
        bids, asks = (list(side.items()) for side in self.sides[symbol])
        return msgspec.json.encode({"lastUpdateId": self.last_id[symbol], "bids": bids, "asks": asks})

    def _change(self, symbol: str) -> tuple[tuple[str, str], tuple[str, str]]:
        self.last_id[symbol] += 1
        levels = []
        for side, (low, high) in zip(self.sides[symbol], ((9900, 10000), (10001, 10100)), strict=True):
            price = f"{self.random.randint(low, high) / 100:.2f}000000"
            size = "0.00000000" if self.random.random() < 0.3 else f"{self.random.randint(1, 10**6) / 1000:.3f}00000"
            side[price] = size
            if float(size) == 0.0:
                del side[price]
            levels.append((price, size))
        return levels[0], levels[1]


class Session:
    """Feeds a venue from a scripted exchange: connections open, requests are answered, updates come every 100 ms."""

    def __init__(
        self, process: Callable[[Input], Output], venue: Venue, exchange: ScriptedExchange, *, now_ns: int = START_NS
    ) -> None:
        self.process, self.exchange, self.now_ns = process, exchange, now_ns
        self.connection = "0"
        self.fed: list[Input] = []
        self.feed(InputKind.SESSION, payload=venue.describe())

    def feed(self, kind: InputKind, label: str = "-", status: int = 0, payload: bytes = b"") -> Output:
        item = Input(self.now_ns, kind, label, status, payload)
        self.fed.append(item)
        output = self.process(item)
        for action in output.actions:
            self.now_ns += 1_000_000
            match action:
                case Connect(connection, url):
                    self.connection = str(connection)
                    self.feed(InputKind.CONNECTED, self.connection, payload=url.encode())
                case Disconnect(connection):
                    self.feed(InputKind.DISCONNECTED, str(connection), payload=b"asked to")
                case Send(connection):
                    self.feed(InputKind.FRAME, str(connection), payload=b'{"result":null,"id":1}')
                case Fetch(key, url):
                    self.feed(InputKind.RESPONSE, key, 200, self.exchange.answer(url))
        return output

    def step(self, *, lose: str = "") -> None:
        """100 ms: an update of every symbol (that of `lose` does not arrive), a trade, and every second a timer."""
        self.now_ns = (self.now_ns // STEP_NS + 1) * STEP_NS + 3_000_000
        for symbol in self.exchange.symbols:
            payload = self.exchange.depth(symbol, self.now_ns)
            if symbol != lose:
                self.feed(InputKind.FRAME, self.connection, payload=payload)
            self.now_ns += 1000
        self.feed(InputKind.FRAME, self.connection, payload=self.exchange.trade(self.exchange.symbols[0], self.now_ns))
        if self.now_ns // STEP_NS % 10 == 0:
            self.feed(InputKind.TIMER)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def disconnect(self) -> None:
        self.feed(InputKind.DISCONNECTED, self.connection, payload=b"reset by peer")


def new_venue(symbols: tuple[str, ...] = SYMBOLS) -> BinanceSpot:
    return BinanceSpot(symbols, rest_url="http://127.0.0.1:1", stream_url="ws://127.0.0.1:1")


class Recorded:
    """A recording being made, synchronously: `session` drives it, `close` ends it."""

    def __init__(
        self,
        storage: Storage | Path,
        *,
        exchange: ScriptedExchange | None = None,
        max_levels: int = 5,
        snapshot_interval: float | None = 1.0,
        now_ns: int = START_NS,
    ) -> None:
        self.exchange = exchange or ScriptedExchange()
        self.venue = new_venue(self.exchange.symbols)
        self.counters = Counters()
        self.recording = Recording(
            storage if isinstance(storage, Storage) else Storage(storage),
            self.venue,
            symbols=self.exchange.symbols,
            max_levels=max_levels,
            snapshot_interval=snapshot_interval,
            counters=self.counters,
        )
        self.session = Session(self.process, self.venue, self.exchange, now_ns=now_ns)

    def process(self, item: Input) -> Output:
        self.recording.before(item)
        output = self.venue.process(item)
        self.recording.after(item, output)
        return output

    def close(self) -> None:
        self.recording.close()


class ScriptedClient:
    """Stands in for `FeedClient`: `async with ScriptedClient(venue, ...) as client`, then `async for`."""

    def __init__(
        self, venue: Venue, *, exchange: ScriptedExchange | None = None, steps: int = 50, pause_s: float = 0.0
    ) -> None:
        self.venue, self.exchange = venue, exchange or ScriptedExchange(tuple(venue.symbols))
        self.steps, self.pause_s = steps, pause_s
        self.counters = Counters(queue_dropped=2)
        self.closed = False
        self.session: Session | None = None

    async def __aenter__(self) -> ScriptedClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    def stop(self) -> None:
        self.steps = 0

    async def __aiter__(self) -> AsyncIterator[tuple[Input, Output]]:
        seen: list[tuple[Input, Output]] = []

        def process(item: Input) -> Output:
            output = self.venue.process(item)
            seen.append((item, output))
            return output

        self.session = Session(process, self.venue, self.exchange)
        step = 0
        while step < self.steps:
            step += 1
            self.session.step()
            await asyncio.sleep(self.pause_s)
            while seen:
                yield seen.pop(0)


def files_of(directory: Path) -> dict[str, bytes]:
    """Contents of the derived files."""
    return {path.name: path.read_bytes() for path in sorted(directory.glob("books-*"))}
