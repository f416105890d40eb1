"""Recorded Binance messages: synthetic files with each fault, and the genuine ones beside what Binance announced."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest

from quantjax import io, lob
from tests.io.files import STAMP, cut, depth, snapshot, trade, write, write_hft

BIDS, ASKS = [["99.00", "1"], ["98.50", "2"]], [["101.00", "3"], ["102.00", "4"]]
SPOT = [
    depth(1, 5, [["97.00", "1"]]),
    snapshot(5, BIDS, ASKS),
    depth(6, 7, [["99.00", "0"]]),
    trade(1, "101.00", "0.5", buyer_is_maker=False),
    trade(2, "98.50", "0.25", buyer_is_maker=True),
    depth(8, 9, [], [["100.50", "7"]]),
]


def test_spot_books_and_trades(tmp_path: Path) -> None:
    data = io.read_books(write_hft(tmp_path / "spot.gz", *SPOT), levels=3)
    series = data.only()
    assert (data.format, data.metadata["market"], series.symbol) == ("hftbacktest", "spot", "BTCUSDT")
    np.testing.assert_array_equal(series.time_ns, [STAMP + 10**8, STAMP + 2 * 10**8, STAMP + 5 * 10**8])
    np.testing.assert_array_equal(series.book.bid_price[:, 0], [99, 98.5, 98.5])
    np.testing.assert_array_equal(series.book.ask_size, [[3, 4, 0], [3, 4, 0], [7, 3, 4]])
    trades = data.trades["BTCUSDT"]
    np.testing.assert_array_equal(trades.side, [1, -1])
    np.testing.assert_array_equal(trades.size, [0.5, 0.25])
    np.testing.assert_array_equal(trades.trade_id, [1, 2])
    np.testing.assert_array_equal(trades.exchange_ns, [STAMP + 10**6, STAMP + 2 * 10**6])
    assert series.tick_size == 0.5  # 97, 98.5, 99, 100.5, 101, 102
    assert data.metadata["tick_size"]["BTCUSDT"] == "0.5, inferred: greatest common divisor of the prices seen"
    assert data.counts == {"rows_read": 6, "rows": 3, "before_snapshot": 1, "trades": 2}


def test_the_exchange_clock(tmp_path: Path) -> None:
    data = io.read_books(write_hft(tmp_path / "spot", *SPOT), clock="exchange")
    # spot's snapshot has no time: the book that is nothing but the snapshot is left out
    np.testing.assert_array_equal(data.only().time_ns, [STAMP + 7 * 10**6, STAMP + 9 * 10**6])
    assert data.counts["no_exchange_time"] == 1
    np.testing.assert_array_equal(data.trades["BTCUSDT"].time_ns, [STAMP + 10**6, STAMP + 2 * 10**6])
    assert data.metadata["clock"] == "exchange"


def test_books_at_every_interval(tmp_path: Path) -> None:
    data = io.read_books(write_hft(tmp_path / "spot", *SPOT), interval_s=0.25)
    np.testing.assert_array_equal(data.only().time_ns, [STAMP + 25 * 10**7, STAMP + 50 * 10**7])
    np.testing.assert_array_equal(data.only().book.bid_price[:, 0], [98.5, 98.5])
    np.testing.assert_array_equal(data.only().book.ask_price[:, 0], [101, 101])


def test_futures_follow_their_chain(tmp_path: Path) -> None:
    messages = [
        depth(10, 20, previous=8),
        snapshot(15, BIDS, ASKS),
        depth(31, 40, [["99.50", "1"]], previous=20),
        depth(55, 60, [["99.60", "1"]], previous=44),
    ]
    data = io.read_books(write_hft(tmp_path / "usdm", *messages))
    assert data.metadata["exchange"] == "binance-usdm"
    np.testing.assert_array_equal(data.only().book.bid_price[:, 0], [99, 99.5])
    assert data.counts["gap"] == 1


def test_contracts_become_base_currency(tmp_path: Path) -> None:
    for symbol, dollars in (("BTCUSD_PERP", 100), ("ETHUSD_PERP", 10)):
        pair = symbol.partition("_")[0]
        messages = [
            depth(10, 20, [], previous=8, symbol=symbol, pair=pair),
            snapshot(15, [["200.0", "8"]], [["250.0", "5"]]),
            trade(1, "250.0", "5", buyer_is_maker=False, symbol=symbol),
        ]
        data = io.read_books(write_hft(tmp_path / symbol, *messages), levels=2)
        np.testing.assert_allclose(data.only().book.bid_size, [[8 * dollars / 200, 0]])
        np.testing.assert_allclose(data.only().book.ask_size, [[5 * dollars / 250, 0]])
        np.testing.assert_allclose(data.trades[symbol].size, [5 * dollars / 250])
        assert data.metadata["source_unit"] == {symbol: "contracts"}
        assert data.metadata["contract_multiplier"][symbol].startswith(f"{dollars} USD a contract")


def test_no_books_between_a_gap_and_the_next_snapshot(tmp_path: Path) -> None:
    messages = [
        *SPOT,
        depth(12, 13, [["99.00", "1"]]),
        depth(14, 15, [["99.10", "1"]]),
        snapshot(14, BIDS, ASKS),
        depth(16, 17, [["99.20", "1"]]),
    ]
    data = io.read_books(write_hft(tmp_path / "spot", *messages))
    times = (data.only().time_ns - STAMP) // 10**8
    np.testing.assert_array_equal(times, [1, 2, 5, 8, 9])
    assert {name: data.counts[name] for name in ("gap", "resyncs", "out_of_sync_ms")} == {
        "gap": 1, "resyncs": 1, "out_of_sync_ms": 200
    }  # fmt: skip
    # where no snapshot comes any more, the loss lasts to the end
    lost = io.read_books(write_hft(tmp_path / "lost", *messages[:8]))
    assert len(lost.only()) == 3
    assert lost.counts["out_of_sync_ms"] == 100


def test_bad_lines_and_sizes(tmp_path: Path) -> None:
    messages = [
        *SPOT[:3],
        "noise",
        "123x {}",
        f"{STAMP + 5 * 10**8} {{torn",
        depth(8, 9, [["99.00", "-1"]]),
        snapshot(9, BIDS, ASKS),
        depth(10, 11, [["99.00", "NaN"]]),
    ]
    data = io.read_books(write_hft(tmp_path / "spot", *messages))
    assert data.counts["malformed_lines"] == 2
    assert data.counts["malformed"] == 3
    assert lob.check(data.only()).ok


def test_crossed_updates_are_never_given(tmp_path: Path) -> None:
    data = io.read_books(write_hft(tmp_path / "spot", *SPOT, depth(10, 11, [["103.00", "1"]])))
    assert data.counts["crossed"] == 1
    assert not lob.check(data.only()).crossed.any()


def test_a_clock_that_jumps_back_stands_still(tmp_path: Path) -> None:
    path = write_hft(tmp_path / "spot", *SPOT[:3])
    with path.open("a") as file:
        file.write(f"{STAMP} {json.dumps(depth(8, 9, [], [['100.50', '7']]))}\n")
    data = io.read_books(path)
    assert data.counts["clock_went_back"] == 1
    np.testing.assert_array_equal(data.only().time_ns[-2:], [STAMP + 2 * 10**8] * 2)


def test_a_truncated_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    updates = [
        depth(n, n, [[f"{price + 1:.2f}", f"{size:.5f}"]]) for n, (price, size) in enumerate(rng.random((500, 2)), 6)
    ]
    data = io.read_books(cut(write_hft(tmp_path / "spot.gz", *SPOT[:2], *updates)))
    assert data.counts["files_truncated"] == 1
    assert data.counts["bytes_cut"] > 0
    assert 100 < data.counts["rows"] < 500


def test_damaged_gzip_data(tmp_path: Path) -> None:
    path = write_hft(tmp_path / "spot.gz", *SPOT)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(io.DataError, match="expected gzip data, got damaged bytes"):
        io.read_books(path)


def test_other_symbols(tmp_path: Path) -> None:
    path = write_hft(tmp_path / "spot", *SPOT, depth(1, 2, symbol="ETHUSDT"))
    assert io.read_books(path).counts["other_symbol"] == 1
    with pytest.raises(io.DataError, match=r"\(BTCUSDT\), got ETHUSDT"):
        io.read_books(path, symbols="ETHUSDT")
    with pytest.raises(io.DataError, match="got none that can be read"):
        io.read_books(write_hft(tmp_path / "none", SPOT[3]))


def write_triple(folder: Path, updates: list[dict], trades: list[dict] | None, end: str = ".json.gz") -> Path:
    write(folder / f"X_snapshot{end}", json.dumps(snapshot(9, BIDS, ASKS)))
    if trades is not None:
        write(folder / f"X_trades{end}", json.dumps(trades))
    return write(folder / f"X_update{end}", json.dumps(updates))


@pytest.mark.parametrize("end", [".json", ".json.gz"])
@pytest.mark.parametrize("kind", ["snapshot", "update", "trades"])
def test_the_triple_is_found_from_any_of_its_files(tmp_path: Path, kind: str, end: str) -> None:
    updates = [depth(8, 9, [["1.00", "1"]]), depth(10, 12, [["99.50", "1"]]), depth(13, 13, [], [["100.00", "1"]])]
    path = write_triple(tmp_path, updates, [trade(1, "101.00", "2", buyer_is_maker=True)], end)
    data = io.read_books(path.with_name(f"X_{kind}{end}"))
    assert (data.format, data.metadata["clock"]) == ("binance-json", "exchange")
    np.testing.assert_array_equal(data.only().time_ns, [STAMP + 12 * 10**6, STAMP + 13 * 10**6])
    np.testing.assert_array_equal(data.only().book.bid_price[:, 0], [99.5, 99.5])
    assert len(data.trades["BTCUSDT"]) == 1


def test_a_triple_with_something_missing(tmp_path: Path) -> None:
    path = write_triple(tmp_path, [depth(8, 12, [["99.50", "1"]])], None)
    assert io.read_books(path).trades == {}
    (tmp_path / "X_snapshot.json.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"X_snapshot\.json"):
        io.read_books(path)
    write(tmp_path / "X_snapshot.json.gz", "{}")
    with pytest.raises(io.DataError, match="expected a REST snapshot"):
        io.read_books(path)


def test_a_triple_that_is_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    updates = [
        depth(n, n, [[f"{price + 1:.2f}", f"{size:.5f}"]]) for n, (price, size) in enumerate(rng.random((500, 2)), 9)
    ]
    data = io.read_books(cut(write_triple(tmp_path, updates, None)))
    assert data.counts["files_truncated"] == 1
    assert data.counts["bytes_cut"] > 0
    assert 100 < data.counts["rows"] < 500
    with pytest.raises(io.DataError, match="expected a JSON array"):
        io.read_books(write(tmp_path / "X_update.json.gz", '[{"e":'))


def test_a_capture_of_cryptofeed(tmp_path: Path) -> None:
    frame = json.dumps({"stream": "btcusdt@depth@100ms", "data": depth(1, 5)})
    after = json.dumps({"stream": "btcusdt@depth@100ms", "data": depth(6, 6, [["99.10", "1"]])})
    url = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms/btcusdt@trade"
    text = f"{url} <-> 1633998511.5\n1633998512.0633569: {frame}\nwhat\n1633998513.25: {after}\n"
    path = write(tmp_path / "BINANCE.ws.1.0.gz", text)
    body = json.dumps(snapshot(5, BIDS, ASKS))
    rest = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
    other = write(tmp_path / "BINANCE.http.0.0.gz", f"{rest} -> 1633998512.320639: {body}\n\n")
    for given in (path, other):
        data = io.read_books(given)
        assert data.format == "cryptofeed"
        np.testing.assert_array_equal(data.only().time_ns, [1633998512320639000, 1633998513250000000])
        assert data.counts["malformed_lines"] == 1
    # a second connection starts anew: what the first one knew is not carried over
    write(path, text + f"{url} <-> 1633998514.5\n1633998515.5: {after}\n")
    assert len(io.read_books(path).only()) == 2


def test_captures_of_other_exchanges(data: Path) -> None:
    with pytest.raises(io.DataError, match=r"got one of ws\.kraken\.com, which is not read yet"):
        io.read_books(data / "exchange_raw/cryptofeed_KRAKEN.ws.50.0.gz")


@pytest.mark.parametrize(
    ("name", "levels", "rows", "trades", "tick"),
    [("spot", 20, 3_449, 9_757, 0.01), ("usdm", 20, 6_546, 21_313, 0.1), ("coinm", 20, 26_823, 2_286, 0.1)],
)
def test_three_markets_in_2024(
    request: pytest.FixtureRequest, name: str, levels: int, rows: int, trades: int, tick: float
) -> None:
    """No gap, never crossed, and the best quotes are those that Binance announced."""
    found: io.BookData = request.getfixturevalue(name)
    series = found.only()
    assert (len(series), len(found.trades[series.symbol])) == (rows, trades)
    assert series.tick_size == tick
    assert series.book.levels == levels
    assert not {"gap", "resyncs", "crossed", "malformed"} & set(found.counts)
    assert lob.check(series).ok
    assert (series.book.bid_size[:, -1] > 0).all()
    tickers = _tickers(found.source)
    at = np.array([bisect_right(tickers[0], time_ns) - 1 for time_ns in series.time_ns])
    announced = tickers[1][np.maximum(at, 0)]
    mid = (series.book.bid_price[:, 0] + series.book.ask_price[:, 0]) / 2
    # The two streams run beside each other: at any moment the one is a little ahead.
    off = np.abs(mid - announced.mean(axis=1))[at >= 0] / mid[at >= 0]
    assert np.median(off) < 1e-7
    assert np.quantile(off, 0.99) < 2e-4


def _tickers(path: Path) -> tuple[list[int], np.ndarray]:
    times, quotes = [], []
    with gzip.open(path, "rb") as file:
        for line in file:
            if b"@bookTicker" in line[:70]:
                stamp, _, payload = line.partition(b" ")
                event = json.loads(payload)["data"]
                times.append(int(stamp))
                quotes.append((float(event["b"]), float(event["a"])))
    return times, np.array(quotes)


def test_the_whole_spot_snapshot_is_there(spot_path: Path) -> None:
    first = next(io.stream_books(spot_path, levels=1000, block_rows=1))
    # one bid was removed by the update that the snapshot was joined with
    assert ((first.book.bid_size[0] > 0).sum(), (first.book.ask_size[0] > 0).sum()) == (999, 1000)


def test_streaming_gives_the_same_books(spot: io.BookData, spot_path: Path) -> None:
    stream = io.stream_books(spot_path, block_rows=1000)
    blocks = list(stream)
    assert [len(block) for block in blocks] == [1000, 1000, 1000, 449]
    np.testing.assert_array_equal(np.concatenate([block.book.ask_size for block in blocks]), spot.only().book.ask_size)
    assert stream.counts == spot.counts
    assert {block.tick_size for block in blocks} == {0.01}


def test_an_hour_of_ethbtc(data: Path) -> None:
    found = io.read_books(data / "binance_raw/ETHBTC_2020-11-01T09-00-00_trades.json.gz", levels=5)
    series = found.only()
    assert len(series) + found.counts["before_snapshot"] == 3_600  # a book for every update after the snapshot
    assert not {"gap", "resyncs", "crossed"} & set(found.counts)
    assert len(found.trades["ETHBTC"]) == 1_736
    assert series.tick_size == 1e-6
    assert (np.diff(series.time_ns) > 0).all()
    assert lob.check(series).ok


def test_thin_books_of_2021(data: Path) -> None:
    found = io.read_books(data / "exchange_raw/cryptofeed_BINANCE.http.0.0.gz")
    assert {symbol: len(series) for symbol, series in found.series.items()} == {
        "NKNUSDT": 150, "BLZETH": 10, "LRCBTC": 14, "RUNEEUR": 2
    }  # fmt: skip
    assert "gap" not in found.counts
    assert all(lob.check(series).ok for series in found.series.values())
