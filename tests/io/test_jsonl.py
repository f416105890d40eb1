"""The lab's JSON lines: numbers or strings, several symbols, torn and bad lines counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from quantjax import io, lob
from tests.io.files import cut, json_line, write, write_jsonl

NS = 1_784_635_200 * 10**9  # 2026-07-21 12:00 UTC


@pytest.mark.parametrize("name", ["books.jsonl", "books.jsonl.gz", "books.txt"])
def test_numbers_and_strings_of_several_symbols(tmp_path: Path, name: str) -> None:
    strings = json_line(1, "ETHUSDT", bids=[["0.5", "10"]], asks=[["0.75", "1e1"]])
    data = io.read_books(write_jsonl(tmp_path / name, json_line(0), strings, json_line(2)), levels=3)
    assert data.format == "jsonl"
    assert data.symbols == ("BTCUSDT", "ETHUSDT")
    bitcoin, ether = data.series["BTCUSDT"], data.series["ETHUSDT"]
    np.testing.assert_array_equal(bitcoin.time_ns, [NS + 1, NS + 2 * 10**9 + 1])
    np.testing.assert_array_equal(bitcoin.book.bid_price, [[99, 98.5, np.nan]] * 2)
    np.testing.assert_array_equal(bitcoin.book.bid_size, [[1, 2, 0]] * 2)
    np.testing.assert_array_equal(ether.book.ask_size, [[10, 0, 0]])
    assert bitcoin.tick_size == 0.5
    assert "inferred" in data.metadata["tick_size"]["BTCUSDT"]
    assert data.counts == {"rows_read": 3, "rows": 3}


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-07-21T12:00:01Z", 10**9),
        ("2026-07-21 12:00:01.123456789", 1_123_456_789),
        ("2026-07-21T14:00:01.5+02:00", 1_500_000_000),
        ("2026-07-21T12:00:01.1234567891Z", 1_123_456_789),
    ],
)
def test_times_are_exact(tmp_path: Path, text: str, nanoseconds: int) -> None:
    data = io.read_books(write_jsonl(tmp_path / "books.jsonl", json_line(timestamp=text)))
    assert data.only().time_ns[0] == NS + nanoseconds


def test_bad_lines_are_counted_by_reason_and_the_others_read(tmp_path: Path) -> None:
    lines: list[dict | str] = [
        json_line(0),
        "{not json",
        "[1, 2]",
        json.dumps(json_line(1))[:40],
        {key: value for key, value in json_line(2).items() if key != "asks"},
        json_line(3, timestamp="yesterday"),
        json_line(3, timestamp=1784635200),
        json_line(4, bids=[[99.0, float("nan")]]),
        json_line(5, bids=[["99.0", "nan"]]),
        json_line(6, asks=[[101.0, -1.0]]),
        json_line(7, asks=[[-101.0, 1.0]]),
        json_line(8, bids=[[99.0]]),
        json_line(9, bids=[["x", "1"]]),
        json_line(10, bids=None),
        json_line(11, timestamp="9999-07-21T12:00:01Z"),
        "",
        json_line(12),
    ]
    data = io.read_books(write_jsonl(tmp_path / "books.jsonl", *lines))
    assert data.counts == {
        "rows_read": 16,
        "rows": 2,
        "bad_timestamp": 3,
        "malformed_lines": 6,
        "missing_key": 1,
        "negative": 2,
        "not_finite": 2,
    }


def test_a_torn_last_line(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "books.jsonl", json_line(0), json_line(1))
    path.write_bytes(path.read_bytes()[:-20])
    data = io.read_books(path)
    assert data.counts["rows"] == data.counts["torn_lines"] == 1
    # A whole one that only lacks its line feed is read.
    path.write_text(json.dumps(json_line(0)))
    assert io.read_books(path).counts == {"rows_read": 1, "rows": 1}


def test_a_truncated_gzip_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lines = [json_line(n % 60, bids=rng.random((9, 2)).cumsum(0)[::-1].tolist()) for n in range(300)]
    data = io.read_books(cut(write_jsonl(tmp_path / "books.jsonl.gz", *lines)))
    assert data.counts["files_truncated"] == 1
    assert data.counts["bytes_cut"] > 0
    assert 100 < data.counts["rows"] < 300
    np.testing.assert_array_equal(data.only().book.bid_price[7, :9], [price for price, _ in lines[7]["bids"]])


def test_crossed_empty_and_unsorted_books_are_kept_for_clean(tmp_path: Path) -> None:
    crossed = json_line(1, bids=[[102, 1]])
    empty = json_line(2, asks=[])
    unsorted = json_line(3, bids=[[98, 1], [99, 1]])
    zero = json_line(4, bids=[[99.5, 0], [99, 1]])
    data = io.read_books(write_jsonl(tmp_path / "books.jsonl", json_line(0), crossed, empty, unsorted, zero))
    assert data.counts == {
        "rows_read": 5,
        "rows": 5,
        "crossed_kept": 1,
        "empty_side_kept": 1,
        "unsorted_kept": 1,
        "zero_size_levels": 1,
    }
    cleaned = lob.clean(data.only())
    assert len(cleaned.books) == 3
    assert cleaned.counts["crossed_dropped"] == cleaned.counts["invalid_dropped"] == 1
    assert data.only().book.bid_price[4, 0] == 99


def test_symbols_that_are_not_there(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "books.jsonl", json_line(0), json_line(1, "ETHUSDT"))
    data = io.read_books(path, symbols="ETHUSDT")
    assert data.only().symbol == "ETHUSDT"
    assert data.counts["other_symbols"] == 1
    with pytest.raises(io.DataError, match=r"symbols that it has \(BTCUSDT\), got XRPUSDT"):
        io.read_books(path, symbols=["XRPUSDT", "BTCUSDT"])
    with pytest.raises(ValueError, match=r"one symbol, got 2 \(BTCUSDT, ETHUSDT\)"):
        io.read_books(path).only()


def test_clocks(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "books.jsonl", json_line(5), json_line(4), json_line(6))
    assert io.read_books(path).counts["clock_went_back"] == 1
    assert io.read_books(path).counts["update_id_went_back"] == 1
    with pytest.raises(io.DataError, match="do not have the exchange's time"):
        io.read_books(path, clock="exchange")


def test_blocks_are_of_one_symbol_and_no_longer_than_asked(tmp_path: Path) -> None:
    lines = [json_line(n % 60, symbol=("BTCUSDT", "ETHUSDT")[n % 3 == 0]) for n in range(2000)]
    path = write_jsonl(tmp_path / "books.jsonl", *lines)
    whole = io.read_books(path)
    blocks = list(io.stream_books(path, block_rows=600))
    assert sorted(len(block) for block in blocks) == [67, 133, 600, 600, 600]
    for symbol, series in whole.series.items():
        joined = np.concatenate([block.book.bid_price for block in blocks if block.symbol == symbol])
        np.testing.assert_array_equal(joined, series.book.bid_price)


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(io.DataError, match=r"got none that can be read .*2 malformed_lines"):
        io.read_books(write(tmp_path / "books.jsonl", "what\nis this\n"))
