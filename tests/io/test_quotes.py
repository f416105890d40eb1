"""Announced best prices; how they agree with the replayed books is in test_updates.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from feeds.faults import REASONS
from feeds.inputs import InputKind
from quantjax import io, lob
from tests.feeds.scripted import Recorded
from tests.io.files import STAMP, depth, json_line, snapshot, trade, write_hft, write_jsonl

DEPTH = depth(1, 5, [["97.00", "1"]])
# what spot sends, with its numbers apart
SPOT = {"u": 5, "s": "BTCUSDT", "b": "99.00000000", "B": "3.50000000", "a": "101.50000000", "A": "1.25000000"}


def on_stream(quote: dict) -> str:
    return json.dumps({"stream": f"{quote['s'].lower()}@bookTicker", "data": quote})


def write_lines(path: Path, *payloads: dict | str) -> Path:
    """Lines 100 ms apart, each payload as it is."""
    texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    path.write_text("".join(f"{STAMP + number * 10**8} {text}\n" for number, text in enumerate(texts)))
    return path


def test_spot(tmp_path: Path) -> None:
    later = SPOT | {"u": 9, "b": "0.00000000", "B": "0.00000000"}
    others = trade(1, "101.00", "2", buyer_is_maker=True), snapshot(5, [], [])
    path = write_lines(tmp_path / "spot", DEPTH, on_stream(SPOT), *others, later)
    found = io.read_quotes(path)
    quotes = found.only()
    assert (found.format, found.symbols, found.metadata["exchange"]) == ("hftbacktest", ("BTCUSDT",), "binance")
    assert isinstance(quotes.series, lob.BookSeries)
    assert len(quotes) == len(quotes.series) == 2
    np.testing.assert_array_equal(quotes.series.time_ns, STAMP + np.array([1, 4]) * 10**8)
    np.testing.assert_array_equal(quotes.received_ns, quotes.series.time_ns)
    np.testing.assert_array_equal(quotes.exchange_ns, [0, 0])
    np.testing.assert_array_equal(quotes.update_id, [5, 9])
    np.testing.assert_array_equal(quotes.series.book.bid_price, [[99], [np.nan]])
    np.testing.assert_array_equal(quotes.series.book.bid_size, [[3.5], [0]])
    np.testing.assert_array_equal(quotes.series.book.ask_price, [[101.5], [101.5]])
    np.testing.assert_array_equal(quotes.series.book.ask_size, [[1.25], [1.25]])
    assert quotes.series.tick_size == 0.5
    assert found.counts == {"rows_read": 5, "rows": 2}
    by_the_venue = io.read_quotes(path, clock="exchange")
    assert (len(by_the_venue.only()), by_the_venue.counts["no_exchange_time"]) == (0, 2)


def test_futures_state_a_time(tmp_path: Path) -> None:
    futures = SPOT | {"e": "bookTicker", "E": STAMP // 10**6 + 3, "T": STAMP // 10**6}
    path = write_hft(tmp_path / "usdm", depth(1, 5, previous=0), futures, futures | {"u": 4, "E": STAMP // 10**6 + 2})
    found = io.read_quotes(path, clock="exchange", dtype=np.float32)
    np.testing.assert_array_equal(found.only().series.time_ns, STAMP + np.array([3, 2]) * 10**6)
    np.testing.assert_array_equal(found.only().received_ns, STAMP + np.array([1, 2]) * 10**8)
    assert found.only().series.book.ask_size.dtype == np.float32
    assert found.counts == {"rows_read": 3, "rows": 2, "clock_went_back": 1, "update_id_went_back": 1}


def test_contracts_become_base_currency(tmp_path: Path) -> None:
    symbol = "BTCUSD_PERP"
    quote = SPOT | {"e": "bookTicker", "s": symbol, "b": "200.0", "B": "8", "a": "250.0", "A": "0"}
    found = io.read_quotes(write_hft(tmp_path / "cm", depth(1, 5, previous=0, symbol=symbol, pair="BTCUSD"), quote))
    np.testing.assert_array_equal(found.only().series.book.bid_size, [[8 * 100 / 200]])
    np.testing.assert_array_equal(found.only().series.book.ask_size, [[0]])
    assert found.metadata["contract_multiplier"][symbol].startswith("100 USD")


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "bad",
        DEPTH,
        on_stream(SPOT),
        on_stream(SPOT | {"B": "-1"}),
        on_stream(SPOT | {"b": "0"}),
        on_stream(SPOT)[:-9],
        on_stream(SPOT | {"s": "ETHUSDT"}),
        {"result": ["btcusdt@bookTicker"], "id": 3},
        "",
    )
    with path.open("a") as file:
        file.write(f"{STAMP} {on_stream(SPOT | {'u': 6})}\n")
    found = io.read_quotes(path)
    # a receive time before the latest one stands still
    np.testing.assert_array_equal(found.only().series.time_ns, STAMP + np.array([1, 6]) * 10**8)
    assert found.counts == {
        "rows_read": 8, "rows": 2, "malformed": 3, "other_symbol": 1, "clock_went_back": 1, "malformed_lines": 1
    }  # fmt: skip
    assert set(found.counts) <= set(io.COUNT_NAMES) | set(REASONS)


def test_a_recording_without_announcements(tmp_path: Path) -> None:
    found = io.read_quotes(write_hft(tmp_path / "spot", DEPTH))
    assert (len(found.only()), found.counts["rows"]) == (0, 0)
    assert found.only().series.book.bid_price.shape == (0, 1)


def test_raw_recordings(tmp_path: Path) -> None:
    made = Recorded(tmp_path)
    made.session.run(3)
    made.session.feed(InputKind.FRAME, "1", payload=on_stream(SPOT).encode())
    made.close()
    found = io.read_quotes(tmp_path)
    assert {symbol: len(quotes) for symbol, quotes in found.quotes.items()} == {"BTCUSDT": 1, "ETHUSDT": 0}
    assert found.metadata["tick_size"]["BTCUSDT"] == "0.01, stated by the exchange"
    assert len(io.read_quotes(tmp_path, symbols="ETHUSDT").only()) == 0
    with pytest.raises(ValueError, match=r"got 2 \(BTCUSDT, ETHUSDT\)"):
        found.only()
    with pytest.raises(io.DataError, match="got XRPUSDT"):
        io.read_quotes(tmp_path, symbols="XRPUSDT")


def test_files_of_finished_books(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "books.jsonl", json_line(1))
    with pytest.raises(io.DataError, match=r"got jsonl, .*io\.read_books\(path, levels=1\)"):
        io.read_quotes(path)
    with pytest.raises(FileNotFoundError, match="found nothing there"):
        io.read_quotes(tmp_path / "missing")
