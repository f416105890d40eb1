"""Level updates of recordings: a sorted book that replays them beside the books and quotes that are read."""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path

import jax
import numpy as np
import pytest

from feeds.decimals import UNIT
from feeds.faults import REASONS
from feeds.recording.session import RECORDING_REASONS
from feeds.recording.storage import Storage
from quantjax import io, lob
from tests.conftest import ROOT
from tests.feeds.scripted import Recorded
from tests.io.files import STAMP, cut, depth, json_line, snapshot, trade, write, write_hft, write_jsonl, write_lobster

BIDS, ASKS = [["99.00", "1"], ["98.50", "2"]], [["101.00", "3"], ["102.00", "4"]]
SPOT = [
    depth(1, 5, [["97.00", "1"]]),
    snapshot(5, [*BIDS, ["99.000", "7"], ["90.00", "0"]], ASKS),
    depth(6, 7, [["99.00", "0"], ["98.00", "9"]], [["101.00", "5"]]),
    trade(1, "101.00", "0.5", buyer_is_maker=False),
    depth(8, 8),
    depth(9, 9, [], [["100.50", "7"], ["100.50", "8"]]),
]


class ReplayedBook:
    """A dict of sizes by tick a side, and the ticks in order."""

    def __init__(self, stream: io.UpdateStream) -> None:
        self.keys: dict[int, list[int]] = {1: [], -1: []}
        self.sizes: dict[int, dict[int, float]] = {1: {}, -1: {}}
        self.units = round(stream.updates.tick_size * UNIT)
        self.columns = [getattr(stream.updates, name).tolist() for name in ("side", "tick", "size")]
        self.position = 0
        first = [getattr(stream.snapshot, name).tolist() for name in ("side", "tick", "size")]
        for level in zip(*first, strict=True):
            self.set(*level)

    def set(self, side: int, tick: int, size: float) -> None:
        key, keys, sizes = side * tick, self.keys[side], self.sizes[side]
        if size:
            if key not in sizes:
                keys.insert(bisect_left(keys, key), key)
            sizes[key] = size
        elif sizes.pop(key, None) is not None:
            del keys[bisect_left(keys, key)]

    def apply_until(self, position: int) -> None:
        """The updates before that position."""
        for level in zip(*(column[self.position : position] for column in self.columns), strict=True):
            self.set(*level)
        self.position = position

    def top(self, side: int, levels: int) -> tuple[list[float], list[float]]:
        """Prices and sizes, best first, filled up as in a `lob.Book`."""
        keys = self.keys[side][: -levels - 1 : -1]
        absent = levels - len(keys)
        prices = [side * key * self.units / UNIT for key in keys]
        return prices + [0.0] * absent, [self.sizes[side][key] for key in keys] + [0.0] * absent


def compare(stream: io.UpdateStream, series: lob.BookSeries, quotes: io.QuoteSeries | None = None) -> tuple[int, int]:
    """The book after every message is the one that was read, to the last bit; no two messages have one time.

    Returns how many messages there are with an announcement of the best prices until then, and how many of these
    announcements differ from the best levels.
    """
    assert (np.diff(series.time_ns) > 0).all()
    assert stream.start_ns == series.time_ns[0]
    assert stream.end_ns >= series.time_ns[-1]
    book, replayed = series.book, ReplayedBook(stream)
    columns = [np.nan_to_num(array).tolist() for array in jax.tree.leaves(book)]
    recorded = list(zip(*columns, strict=True))
    rows: dict[int, list[int]] = {}
    for row, end in enumerate(np.searchsorted(stream.updates.time_ns, series.time_ns, side="right").tolist()):
        rows.setdefault(end, []).append(row)
    announced: dict[int, list[float]] = {}
    if quotes is not None and len(quotes):
        best = jax.tree.leaves(quotes.series.book)
        ends = np.flatnonzero(np.diff(stream.update_id, append=-1)) + 1
        positions = np.searchsorted(quotes.update_id, stream.update_id[ends - 1], side="right") - 1
        table = np.concatenate(best, axis=1)[positions]
        announced = {
            end: values
            for end, values, found in zip(ends.tolist(), table.tolist(), positions >= 0, strict=True)
            if found
        }
    different = {"books": 0, "quotes": 0}
    for end in sorted({*rows, *announced}):
        replayed.apply_until(end)
        tops = (*replayed.top(1, book.levels), *replayed.top(-1, book.levels))
        different["books"] += sum(recorded[row] != tops for row in rows.get(end, ()))
        different["quotes"] += end in announced and announced[end] != [values[0] for values in tops]
    assert different["books"] == 0
    assert replayed.position == len(stream)
    return len(announced), different["quotes"]


@pytest.mark.parametrize(
    ("name", "file", "compared"),
    [("spot", "spot_btcusdt", 3449), ("usdm", "usdm_btcusdt", 6547), ("coinm", "cm_btcusd_perp", 26824)],
)
def test_genuine_recordings(request: pytest.FixtureRequest, data: Path, name: str, file: str, compared: int) -> None:
    books = request.getfixturevalue(name)
    series = books.only()
    path = data / f"binance_raw/{file}_20240808.gz"
    found = io.read_updates(path)
    top = lob.BookSeries(series.time_ns, series.book.top(5), series.symbol, series.tick_size)
    assert compare(found.only(), top, io.read_quotes(path).only()) == (compared, 0)
    assert found.only().ended_by == "end of recording"
    assert found.only().updates.tick_size == series.tick_size
    assert found.counts["trades"] == books.counts["trades"]
    np.testing.assert_array_equal(found.trades[series.symbol].size, books.trades[series.symbol].size)


@pytest.mark.parametrize(
    ("path", "compared"),
    [
        ("binance_raw/ETHBTC_2020-11-01T09-00-00_snapshot.json.gz", {"ETHBTC": 0}),
        ("exchange_raw/cryptofeed_BINANCE.http.0.0.gz", {"NKNUSDT": 143, "BLZETH": 3, "LRCBTC": 13, "RUNEEUR": 0}),
    ],
)
def test_genuine_captures(data: Path, path: str, compared: dict[str, int]) -> None:
    books = io.read_books(data / path, levels=5)
    updates, quotes = io.read_updates(data / path), io.read_quotes(data / path)
    assert updates.symbols == quotes.symbols == tuple(compared)
    for symbol, streams in updates.streams.items():
        assert compare(streams[0], books.series[symbol], quotes.quotes[symbol]) == (compared[symbol], 0)


def test_by_hand(tmp_path: Path) -> None:
    found = io.read_updates(write_hft(tmp_path / "spot.gz", *SPOT))
    stream = found.only()
    assert (found.format, found.symbols, stream.symbol) == ("hftbacktest", ("BTCUSDT",), "BTCUSDT")
    assert (stream.snapshot_id, stream.start_ns, stream.end_ns) == (5, STAMP + 10**8, STAMP + 5 * 10**8)
    assert stream.updates.tick_size == stream.snapshot.tick_size == 0.5
    # of a price that stands there twice the last size, no level of size 0
    np.testing.assert_array_equal(stream.snapshot.side, [1, 1, -1, -1])
    np.testing.assert_array_equal(stream.snapshot.tick, [198, 197, 202, 204])
    np.testing.assert_array_equal(stream.snapshot.size, [7, 2, 3, 4])
    np.testing.assert_array_equal(stream.snapshot.time_ns, [STAMP + 10**8] * 4)
    np.testing.assert_array_equal(stream.updates.side, [1, 1, -1, -1, -1])
    np.testing.assert_array_equal(stream.updates.tick, [198, 196, 202, 201, 201])
    np.testing.assert_array_equal(stream.updates.size, [0, 9, 5, 7, 8])
    np.testing.assert_array_equal(stream.update_id, [7, 7, 7, 9, 9])
    np.testing.assert_array_equal(stream.received_ns, STAMP + np.array([2, 2, 2, 5, 5]) * 10**8)
    np.testing.assert_array_equal(stream.updates.time_ns, stream.received_ns)
    np.testing.assert_array_equal(stream.exchange_ns, STAMP + np.array([7, 7, 7, 9, 9]) * 10**6)
    assert isinstance(found.trades["BTCUSDT"], lob.TradeSeries)
    assert len(found.trades["BTCUSDT"]) == 1
    assert found.counts == {"rows_read": 6, "rows": 5, "before_snapshot": 1, "streams": 1, "trades": 1}
    assert set(found.counts) <= set(io.COUNT_NAMES) | set(REASONS) | set(RECORDING_REASONS)


def test_the_exchange_clock_never_goes_back(tmp_path: Path) -> None:
    late = depth(10, 10, [["98.00", "1"]]) | {"E": STAMP // 10**6 + 8}
    path = write_hft(tmp_path / "spot", *SPOT, late, depth(11, 11, [["98.00", "2"]]) | {"E": 0})
    found = io.read_updates(path, clock="exchange")
    stream = found.only()
    assert (stream.start_ns, stream.end_ns) == (STAMP + 7 * 10**6, STAMP + 9 * 10**6)
    np.testing.assert_array_equal(stream.snapshot.time_ns, [STAMP + 7 * 10**6] * 4)  # spot's snapshot has no time
    np.testing.assert_array_equal(stream.updates.time_ns, STAMP + np.array([7, 7, 7, 9, 9, 9, 9]) * 10**6)
    np.testing.assert_array_equal(stream.exchange_ns[-2:], [STAMP + 8 * 10**6, 0])
    assert {name: found.counts[name] for name in ("no_exchange_time", "clock_went_back")} == {
        "no_exchange_time": 2, "clock_went_back": 1
    }  # fmt: skip
    stated = snapshot(5, BIDS, ASKS) | {"E": STAMP // 10**6 + 8}
    found = io.read_updates(write_hft(tmp_path / "other", SPOT[0], stated, *SPOT[2:]), clock="exchange")
    assert found.only().start_ns == STAMP + 8 * 10**6
    np.testing.assert_array_equal(found.only().updates.time_ns, STAMP + np.array([8, 8, 8, 9, 9]) * 10**6)
    assert (found.counts["clock_went_back"], found.counts.get("no_exchange_time", 0)) == (1, 0)
    # nothing says when it was
    found = io.read_updates(write_hft(tmp_path / "none", SPOT[0], SPOT[1]), clock="exchange")
    assert found.streams == {"BTCUSDT": ()}
    assert (found.counts["no_exchange_time"], found.counts.get("streams", 0)) == (1, 0)


def test_the_clock_of_the_recorder_stands_still(tmp_path: Path) -> None:
    path = write_hft(tmp_path / "spot", *SPOT[:3])
    with path.open("a") as file:
        file.write(f"{STAMP} {json.dumps(depth(8, 9, [], [['100.50', '7']]))}\n")
    found = io.read_updates(path)
    np.testing.assert_array_equal(found.only().received_ns, [STAMP + 2 * 10**8] * 4)
    assert found.counts["clock_went_back"] == 1


def test_a_gap_ends_a_stream(tmp_path: Path) -> None:
    messages = [
        *SPOT,
        depth(12, 13, [["99.00", "1"]]),
        depth(14, 15, [["99.50", "1"]]),
        snapshot(14, BIDS, ASKS),
        depth(16, 17, [["99.00", "1.5"]]),
        depth(18, 18, [["103.00", "1"]]),
    ]
    path = write_hft(tmp_path / "spot", *messages)
    found = io.read_updates(path)
    first, second = found.streams["BTCUSDT"]
    assert [(s.start_ns - STAMP) // 10**8 for s in (first, second)] == [1, 8]
    assert [(s.end_ns - STAMP) // 10**8 for s in (first, second)] == [6, 10]
    assert (first.ended_by, second.ended_by) == ("gap", "crossed")
    np.testing.assert_array_equal(first.update_id, [7, 7, 7, 9, 9])
    # what was buffered counts from when the snapshot came; the update that crossed the book is in none
    np.testing.assert_array_equal(second.update_id, [15, 17])
    np.testing.assert_array_equal((second.received_ns - STAMP) // 10**8, [8, 9])
    assert second.snapshot_id == 14
    books = io.read_books(path)
    assert books.counts | {"rows": 7, "streams": 2} == found.counts
    lost = [books.only().time_ns <= first.end_ns, books.only().time_ns >= second.start_ns]
    for stream, rows in zip((first, second), lost, strict=True):
        compare(stream, books.only()[rows])
    with pytest.raises(ValueError, match="BTCUSDT: 2; take one"):
        found.only()


def test_a_recording_with_a_gap(tmp_path: Path) -> None:
    made = Recorded(tmp_path)
    made.session.run(30)
    made.session.step(lose="ETHUSDT")
    made.session.run(40)
    made.close()
    found, books = io.read_updates(tmp_path), io.read_books(tmp_path, levels=5)
    assert [(symbol, len(streams)) for symbol, streams in found.streams.items()] == [("BTCUSDT", 1), ("ETHUSDT", 2)]
    assert {s.updates.tick_size for streams in found.streams.values() for s in streams} == {0.01}
    first, second = found.streams["ETHUSDT"]
    assert first.ended_by == "gap"
    assert first.end_ns < second.start_ns
    assert first.update_id[-1] + 3 < second.snapshot_id
    series = books.series["ETHUSDT"]
    compare(first, series[series.time_ns <= first.end_ns])
    compare(second, series[series.time_ns >= second.start_ns])
    compare(found.streams["BTCUSDT"][0], books.series["BTCUSDT"])
    assert io.read_updates(tmp_path, symbols="BTCUSDT").only().symbol == "BTCUSDT"
    with pytest.raises(io.DataError, match="got XRPUSDT"):
        io.read_updates(tmp_path, symbols="XRPUSDT")


def test_lost_connections_and_new_sessions_end_streams(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    made = Recorded(storage)
    made.session.run(10)
    made.session.disconnect()
    made.session.run(10)
    made.close()
    last_ns = made.session.now_ns
    again = Recorded(storage, exchange=made.exchange, now_ns=last_ns + 10**10)
    again.session.run(10)
    again.close()
    books = io.read_books(tmp_path, levels=5)
    for symbol, streams in io.read_updates(tmp_path).streams.items():
        assert [stream.ended_by for stream in streams] == ["disconnected", "new session", "end of recording"]
        assert streams[1].end_ns <= last_ns < last_ns + 10**10 <= streams[2].start_ns
        series = books.series[symbol]
        for stream in streams:
            compare(stream, series[(series.time_ns >= stream.start_ns) & (series.time_ns <= stream.end_ns)])


def test_a_capture_that_connects_again(tmp_path: Path) -> None:
    def frame(update: dict) -> str:
        return json.dumps({"stream": "btcusdt@depth@100ms", "data": update})

    url = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms"
    text = f"{url} <-> 1633998511.5\n1633998512: {frame(depth(1, 5))}\n"
    text += f"1633998513: {frame(depth(6, 6, [['99.50', '1']]))}\n{url} <-> 1633998514\n"
    text += f"1633998515: {frame(depth(7, 9, [['99.50', '2']]))}\n"
    path = write(tmp_path / "BINANCE.ws.1.0.gz", text)
    rest = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
    answers = ((1633998512.5, snapshot(5, BIDS, ASKS)), (1633998516, snapshot(8, BIDS, ASKS)))
    bodies = "".join(f"{rest} -> {time}: {json.dumps(body)}\n" for time, body in answers)
    write(tmp_path / "BINANCE.http.0.0.gz", bodies)
    first, second = io.read_updates(path).streams["BTCUSDT"]
    assert (first.ended_by, first.end_ns) == ("new session", 1633998513 * 10**9)
    np.testing.assert_array_equal(first.received_ns, [1633998513 * 10**9])
    np.testing.assert_array_equal(second.received_ns, [1633998516 * 10**9])


def test_contracts_become_base_currency(tmp_path: Path) -> None:
    symbol, pair = "ETHUSD_PERP", "ETHUSD"
    messages = [
        depth(10, 20, [], [["250.0", "0"], ["251.0", "3"]], previous=8, symbol=symbol, pair=pair),
        snapshot(15, [["200.0", "8"]], [["250.0", "5"]]),
    ]
    found = io.read_updates(write_hft(tmp_path / "cm", *messages), dtype=np.float32)
    np.testing.assert_array_equal(found.only().snapshot.size, np.float32([8 * 10 / 200, 5 * 10 / 250]))
    np.testing.assert_array_equal(found.only().updates.size, np.float32([0, 3 * 10 / 251]))
    assert found.only().updates.size.dtype == np.float32
    assert found.metadata["source_unit"] == {symbol: "contracts"}


def test_prices_between_the_stated_steps(tmp_path: Path) -> None:
    made = Recorded(tmp_path)
    change = made.exchange.sides["BTCUSDT"][0]
    change["98.125"] = "1.00000000"
    made.session.run(5)
    made.close()
    found = io.read_updates(tmp_path, symbols="BTCUSDT")
    assert found.only().updates.tick_size == 0.005
    assert found.metadata["tick_size"]["BTCUSDT"].endswith("not all are multiples of the stated one")
    compare(found.only(), io.read_books(tmp_path, symbols="BTCUSDT").only())


def test_numbers_beyond_the_usual(tmp_path: Path) -> None:
    # sizes that no int64 holds in units, prices likewise
    messages = [*SPOT, depth(10, 10, [["98.00", "123456789012.12345678"]])]
    found = io.read_updates(write_hft(tmp_path / "size", *messages))
    assert found.only().updates.size[-1] == 123456789012.12345678
    messages[-1] = depth(10, 10, [], [["123456789012.5", "1"]])
    with pytest.raises(io.DataError, match=r"prices of BTCUSDT below 9\.22e\+10, .* in update 10"):
        io.read_updates(write_hft(tmp_path / "price", *messages))
    messages[1] = snapshot(5, BIDS, [["123456789012.5", "1"]])
    with pytest.raises(io.DataError, match="in update 5"):
        io.read_updates(write_hft(tmp_path / "first", *messages[:-1]))


def test_what_is_wrong_with_files(tmp_path: Path) -> None:
    bad = [*SPOT[:3], "noise", f"{STAMP + 5 * 10**8} {{torn", depth(8, 9, [["99.00", "-1"]]), snapshot(9, BIDS, ASKS)]
    path = write_hft(tmp_path / "bad", *bad)
    found = io.read_updates(path)
    assert found.counts == io.read_books(path).counts | {"rows": 3, "streams": 1}
    assert found.only().ended_by == "malformed"
    rng = np.random.default_rng(3)
    many = [
        depth(n, n, [[f"{price + 1:.2f}", f"{size:.5f}"]]) for n, (price, size) in enumerate(rng.random((500, 2)), 6)
    ]
    found = io.read_updates(cut(write_hft(tmp_path / "spot.gz", *SPOT[:2], *many)))
    assert found.counts["files_truncated"] == 1
    assert 100 < found.counts["rows"] < 500
    never = io.read_updates(write_hft(tmp_path / "never", SPOT[0]))
    assert (never.streams, never.counts["rows"]) == ({"BTCUSDT": ()}, 0)
    with pytest.raises(ValueError, match="BTCUSDT: 0"):
        never.only()
    with pytest.raises(io.DataError, match="empty"):
        io.read_updates(write(tmp_path / "empty.gz", ""))
    with pytest.raises(io.DataError, match=r"\(BTCUSDT\), got ETHUSDT"):
        io.read_updates(path, symbols="ETHUSDT")
    with pytest.raises(FileNotFoundError, match="found nothing there"):
        io.read_updates(tmp_path / "missing")
    with pytest.raises(ValueError, match="expected clock"):
        io.read_updates(path, clock="wall")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a format"):
        io.read_updates(path, format="excel")


def test_finished_books(tmp_path: Path) -> None:
    books = [
        json_line(1, bids=[[99.0, 1.0], [98.5, 2.0]], asks=[[101.0, 3.0]]),
        json_line(2, bids=[[98.5, 2.0], [99.0, 1.0]]),
        json_line(4, bids=[[99.5, 1.0]], asks=[]),
        json_line(3, bids=[[99.5, 2.0]], asks=[[101.0, 3.0]]),
        json_line(5, symbol="ETHUSDT"),
    ]
    path = write_jsonl(tmp_path / "books.jsonl", *books)
    found = io.read_updates(path, symbols="BTCUSDT", levels=2)
    stream = found.only()
    assert found.metadata["derived"] == "differences of recorded books"
    assert found.metadata["levels"] == 2
    assert {name: found.counts[name] for name in ("unsorted_dropped", "clock_went_back", "rows", "streams")} == {
        "unsorted_dropped": 1, "clock_went_back": 1, "rows": 6, "streams": 1
    }  # fmt: skip
    assert set(found.counts) <= set(io.COUNT_NAMES)
    np.testing.assert_array_equal(stream.update_id, [1, 1, 1, 1, 2, 2])
    np.testing.assert_array_equal(stream.updates.tick * stream.updates.tick_size, [99.5, 99, 98.5, 101, 99.5, 101])
    np.testing.assert_array_equal(stream.updates.size, [1, 0, 0, 0, 2, 3])
    assert (np.diff(stream.updates.time_ns) == 0).all()
    np.testing.assert_array_equal(stream.received_ns, stream.updates.time_ns)
    assert not stream.exchange_ns.any()


def test_lobster_times_are_the_exchange_s(tmp_path: Path) -> None:
    rows = ["2239500,100,2238100,21", "2239500,100,2231800,100"]
    messages = ["34200.017459617,1,11,21,2238100,1", "34200.18960767,4,11,21,2238100,1"]
    found = io.read_updates(write_lobster(tmp_path, messages, rows, levels=1))
    assert (found.metadata["clock"], len(found.trades["XYZ"])) == ("exchange", 1)
    np.testing.assert_array_equal(found.only().updates.tick, [22381, 22318])
    np.testing.assert_array_equal(found.only().exchange_ns, found.only().updates.time_ns)
    assert not found.only().received_ns.any()


def test_double_precision_wants_x64_mode(tmp_path: Path) -> None:
    """Said at once, with what a reader can do, and not after the file was read."""
    code = """
import numpy as np
from quantjax import io
for read in (io.read_books, io.read_updates, io.read_quotes):
    try:
        read("tests/data/books.jsonl")
    except ValueError as error:
        assert "dtype=np.float32" in str(error), error
    else:
        raise AssertionError("expected an error")
assert io.read_books("tests/data/books.jsonl", dtype=np.float32).only().book.bid_size.dtype == np.float32
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
