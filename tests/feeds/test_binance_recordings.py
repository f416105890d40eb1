"""Genuine recordings through the venues: no gap, never crossed, and the best prices are as Binance announced them."""

import gzip
import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feeds.binance import BinanceFutures, BinanceSpot
from feeds.binance.venue import BinanceVenue
from feeds.decimals import to_units
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate, Trade
from feeds.sync import SyncState

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / os.environ.get("QUANTJAX_DATA", "../shared/data")


def read(name: str) -> list[bytes]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no recording {path}: set QUANTJAX_DATA to the folder of recorded data")
    with gzip.open(path, "rb") as file:
        return file.read().splitlines()


def opened(venue: BinanceVenue, now_ns: int) -> Iterator[Input]:
    yield Input(now_ns, InputKind.SESSION, payload=venue.describe())
    yield Input(now_ns, InputKind.CONNECTED, "1")


def as_inputs(venue: BinanceVenue, lines: list[bytes]) -> Iterator[Input]:
    """Lines of local receive time and JSON, the REST snapshot among them."""
    yield from opened(venue, int(lines[0].split()[0]))
    for line in lines:
        time_ns, _, payload = line.partition(b" ")
        if payload.startswith(b'{"lastUpdateId"'):
            yield Input(int(time_ns), InputKind.RESPONSE, f"depth:{venue.symbols[0]}", 200, payload)
        else:
            yield Input(int(time_ns), InputKind.FRAME, "1", 0, payload)


@pytest.mark.parametrize(
    ("name", "make", "symbol", "num_updates", "num_trades"),
    [
        ("spot_btcusdt", BinanceSpot, "BTCUSDT", 3_449, 9_757),
        ("usdm_btcusdt", BinanceFutures, "BTCUSDT", 6_547, 21_313),
        ("cm_btcusd_perp", BinanceFutures.coin_margined, "BTCUSD_PERP", 26_824, 2_286),
    ],
)
def test_three_markets_at_once_in_2024(
    name: str, make: Callable[[list[str]], BinanceVenue], symbol: str, num_updates: int, num_trades: int
) -> None:
    venue = make([symbol])
    lines = read(f"binance_raw/{name}_20240808.gz")
    sync = venue.books[symbol]
    updates, trades = 0, 0
    tops: dict[int, tuple[int, ...]] = {}
    tickers: list[tuple[int, tuple[int, ...]]] = []
    for item in as_inputs(venue, lines):
        if b"@bookTicker" in item.payload[:60]:
            data = json.loads(item.payload)["data"]
            tickers.append((data["u"], tuple(to_units(data[key]) for key in "bBaA")))
        for event in venue.process(item).events:
            trades += isinstance(event, Trade)
            updates += isinstance(event, DepthUpdate)
        if sync.book is not None and sync.book.last_id not in tops:
            assert not sync.book.crossed
            (bid,), (ask,) = sync.book.top(1)
            tops[sync.book.last_id] = (*bid, *ask)
    assert (updates, trades) == (num_updates, num_trades)
    assert sync.state is SyncState.SYNCED
    assert set(venue.counters.totals()) == {"unused_event", "before_snapshot"}
    # The announcement with the last identifier up to a book's says what its best prices and sizes are. Announcements
    # come by a stream of their own and may be later than the book, so they are compared once all are there.
    tickers.sort()
    compared = 0
    for last_id, top in tops.items():
        number = bisect_right(tickers, last_id, key=lambda ticker: ticker[0]) - 1
        if number >= 0:
            assert top == tickers[number][1]
            compared += 1
    assert compared > 0.99 * updates


def test_thin_books_of_2021() -> None:
    """Four symbols at once, snapshots fetched one after another, `U == lastUpdateId + 1` for each of them."""
    symbols = ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")
    venue = BinanceSpot(symbols)
    inputs: list[Input] = []
    for line in read("exchange_raw/cryptofeed_BINANCE.http.0.0.gz"):
        url, _, rest = line.partition(b" -> ")
        seconds, _, body = rest.partition(b": ")
        if b"/depth?" in url:
            symbol = url.partition(b"symbol=")[2].partition(b"&")[0].decode()
            inputs.append(Input(round(float(seconds) * 1e9), InputKind.RESPONSE, f"depth:{symbol}", 200, body))
    for line in read("exchange_raw/cryptofeed_BINANCE.ws.1.0.gz"):
        seconds, _, frame = line.partition(b": ")
        if frame.startswith(b"{"):
            inputs.append(Input(round(float(seconds) * 1e9), InputKind.FRAME, "1", 0, frame))
    inputs.sort(key=lambda item: item.received_ns)
    best: dict[str, tuple[int, tuple[int, ...]]] = {}
    compared = 0
    for item in [*opened(venue, inputs[0].received_ns), *inputs]:
        if b"@bookTicker" in item.payload[:60]:
            data = json.loads(item.payload)["data"]
            best[data["s"]] = data["u"], tuple(to_units(data[key]) for key in "bBaA")
        venue.process(item)
        for symbol, sync in venue.books.items():
            if sync.book is not None:
                assert not sync.book.crossed
                last_ticker, announced = best.get(symbol, (0, ()))
                if sync.book.last_id == last_ticker:
                    ((bid, bid_size),), ((ask, ask_size),) = sync.book.top(1)
                    assert (bid, bid_size, ask, ask_size) == announced
                    compared += 1
    assert {sync.state for sync in venue.books.values()} == {SyncState.SYNCED}
    assert set(venue.counters.totals()) <= {"unused_event", "before_snapshot"}
    assert compared > 10


def test_an_hour_of_ethbtc_in_2020() -> None:
    """REST snapshot and updates in files of their own, the snapshot before all of them; aggregate trades."""
    venue = BinanceSpot(["ETHBTC"])
    prefix = "binance_raw/ETHBTC_2020-11-01T09-00-00"
    snapshot = json.loads(b"\n".join(read(f"{prefix}_snapshot.json.gz")))
    updates = json.loads(b"\n".join(read(f"{prefix}_update.json.gz")))
    trades = json.loads(b"\n".join(read(f"{prefix}_trades.json.gz")))
    for item in opened(venue, 1):
        venue.process(item)
    body = json.dumps(snapshot[0] if isinstance(snapshot, list) else snapshot).encode()
    venue.process(Input(2, InputKind.RESPONSE, "depth:ETHBTC", 200, body))
    counted = {DepthUpdate: 0, Trade: 0}
    for number, event in enumerate([*updates, *trades]):
        for told in venue.process(Input(3 + number, InputKind.FRAME, "1", 0, json.dumps(event).encode())).events:
            counted[type(told)] = counted.get(type(told), 0) + 1
    assert venue.books["ETHBTC"].state is SyncState.SYNCED
    assert venue.counters["gap"] == 0
    assert (counted[DepthUpdate] + venue.counters["before_snapshot"], counted[Trade]) == (3_600, 1_736)
