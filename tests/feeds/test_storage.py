"""JSON lines, Parquet parts, files replaced whole and the lock."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from feeds.errors import RecordingError
from feeds.recording.files import DirectoryLock, replace_file
from feeds.recording.jsonl import JsonLines, encode_row, jsonl_name
from feeds.recording.parquet import list_parts, next_part_number, part_name, read_part
from feeds.recording.sampler import BookRow
from feeds.recording.storage import DerivedBooks, Storage

UNIT = 10**8
TIME_NS = 1_784_635_201_000_000_250


def row(number: int = 0, symbol: str = "BTCUSDT") -> BookRow:
    bids = ((10_000 * UNIT + number, UNIT // 10), (9_999 * UNIT, 2 * UNIT))
    return BookRow(symbol, TIME_NS + number, TIME_NS - 5, 160 + number, bids, ((10_001 * UNIT, 1),))


def derived(directory: Path, **options: object) -> DerivedBooks:
    storage = Storage(directory, **options)  # type: ignore[arg-type]
    return DerivedBooks(storage, exchange="binance", levels=3, tick_size=lambda symbol: "0.01")


def full_disk(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_is_what_the_lab_reads() -> None:
    line = json.loads(encode_row(row(), "binance"))
    assert list(line) == ["timestamp", "symbol", "last_update_id", "exchange", "bids", "asks"]
    assert line["timestamp"] == "2026-07-21T12:00:01.000000250Z"
    parsed = datetime.fromisoformat(line["timestamp"])
    assert parsed.tzinfo == UTC
    assert int(parsed.timestamp()) == TIME_NS // 10**9
    assert line["bids"] == [[10000.0, 0.1], [9999.0, 2.0]]
    assert line["asks"] == [[10001.0, 1e-8]]
    assert (line["symbol"], line["last_update_id"], line["exchange"]) == ("BTCUSDT", 160, "binance")


def test_a_torn_last_line_is_cut_when_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / jsonl_name("BTCUSDT")
    whole = encode_row(row(), "binance")
    path.write_bytes(whole + whole[: len(whole) // 2])
    lines = JsonLines(path)
    assert lines.torn_bytes == len(whole) // 2
    lines.write(row(1), "binance")
    assert path.read_bytes() == whole, "nothing is written before the flush"
    lines.close()
    assert path.read_bytes() == whole + encode_row(row(1), "binance")
    path.write_bytes(b"{" * 200_000)
    torn = JsonLines(path)
    torn.close()
    assert torn.torn_bytes == 200_000


def test_lines_that_do_not_fit_are_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = JsonLines(tmp_path / "books-A.jsonl")
    lines.write(row(), "binance")
    lines.flush()
    before = lines.path.read_bytes()
    lines.write(row(1), "binance")
    real_write, calls = os.write, []

    def write_a_part(descriptor: int, data: bytes) -> int:
        calls.append(1)
        return real_write(descriptor, bytes(data[:50])) if len(calls) == 1 else full_disk()

    monkeypatch.setattr(os, "write", write_a_part)
    with pytest.raises(OSError, match="No space"):
        lines.flush()
    lines.close()
    assert lines.path.read_bytes() == before


def test_parts_are_cut_by_rows_and_read_back(tmp_path: Path) -> None:
    parts = []
    books = derived(tmp_path, rows_per_part=4, jsonl=False)
    books._on_part = lambda *part: parts.append(part)
    for number in range(10):
        assert books.part_due("BTCUSDT") == (number % 4 == 3)
        books.write(row(number))
    books.close()
    assert parts == [
        ("BTCUSDT", 4, TIME_NS, TIME_NS + 3),
        ("BTCUSDT", 4, TIME_NS + 4, TIME_NS + 7),
        ("BTCUSDT", 2, TIME_NS + 8, TIME_NS + 9),
    ]
    paths = list_parts(tmp_path, "BTCUSDT")
    assert [path.name for path in paths] == [part_name("BTCUSDT", number) for number in range(3)]
    assert next_part_number(tmp_path, "BTCUSDT") == 3
    assert not list(tmp_path.glob("*.tmp"))
    read = [read_part(path) for path in paths]
    np.testing.assert_array_equal(np.concatenate([part.time_ns for part in read]), TIME_NS + np.arange(10))
    first = read[0]
    assert (first.symbol, first.tick_size, first.levels) == ("BTCUSDT", 0.01, 3)
    np.testing.assert_array_equal(first.bid_price[0], [10000.0, 9999.0, np.nan])
    np.testing.assert_array_equal(first.bid_size[0], [0.1, 2.0, 0.0])
    np.testing.assert_array_equal(first.ask_price[0], [10001.0, np.nan, np.nan])
    np.testing.assert_array_equal(first.last_update_id, 160 + np.arange(4))
    np.testing.assert_array_equal(first.exchange_ns, TIME_NS - 5)


def test_parts_are_tables_with_one_column_a_level(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    books = derived(tmp_path)
    books.write(row())
    books.close()
    table = pq.ParquetFile(tmp_path / "books-BTCUSDT-00000.parquet").read()
    assert table.column_names[:5] == ["time_ns", "exchange_ns", "last_update_id", "bid_price_1", "bid_price_2"]
    assert table.column_names[-1] == "ask_size_3"
    assert table.schema.metadata == {
        b"schema_version": b"1",
        b"exchange": b"binance",
        b"symbol": b"BTCUSDT",
        b"levels": b"3",
        b"tick_size": b"0.01",
    }


def test_writing_and_reading_parts_loads_no_pandas(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from feeds.recording.parquet import read_part, write_part\n"
        "from feeds.recording.arrays import BookArraysBuilder\n"
        "builder = BookArraysBuilder('A', 2)\n"
        "builder.append(1, 2, 3, ((5, 6),), ())\n"
        "write_part(__import__('pathlib').Path(sys.argv[1]), builder.build(), exchange='x', tick_size='')\n"
        "assert read_part(sys.argv[1]).bid_size[0, 0] == 6e-8\n"
        "assert not {'pandas', 'jax', 'quantjax'} & sys.modules.keys()\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "part.parquet")], check=True, cwd=root)


def test_a_later_session_goes_on_with_the_next_part(tmp_path: Path) -> None:
    for _ in range(2):
        books = derived(tmp_path)
        books.write(row())
        books.close()
    assert [path.name for path in list_parts(tmp_path, "BTCUSDT")] == [
        "books-BTCUSDT-00000.parquet",
        "books-BTCUSDT-00001.parquet",
    ]
    assert (tmp_path / "books-BTCUSDT.jsonl").read_bytes() == 2 * encode_row(row(), "binance")


def test_symbols_with_a_slash_have_files_too(tmp_path: Path) -> None:
    books = derived(tmp_path)
    books.write(row(symbol="BTC/USD"))
    books.close()
    assert read_part(tmp_path / "books-BTC%2FUSD-00000.parquet").symbol == "BTC/USD"
    assert (tmp_path / "books-BTC%2FUSD.jsonl").exists()


def test_what_is_not_a_part_is_a_clear_error(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    garbage = tmp_path / "books-A-00000.parquet"
    garbage.write_bytes(b"PAR1 and nothing")
    with pytest.raises(RecordingError, match="Parquet part"):
        read_part(garbage)
    table = pa.table({"time_ns": [1]})
    pq.write_table(table, garbage)
    with pytest.raises(RecordingError, match="Parquet part"):
        read_part(garbage)
    pq.write_table(table.replace_schema_metadata({"schema_version": "2", "levels": "1"}), garbage)
    with pytest.raises(RecordingError, match="schema version 1 or older, got 2"):
        read_part(garbage)


def test_a_failing_disk_leaves_no_half_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    books = derived(tmp_path)
    books.write(row())
    books.flush()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        books.close()
    assert [path.name for path in tmp_path.iterdir()] == ["books-BTCUSDT.jsonl"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "manifest.json"
    replace_file(path, b"old")
    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(RecordingError, match=f"process {os.getpid()} is recording"):
        DirectoryLock(tmp_path)
    lock.release()
    lock.release()
    DirectoryLock(tmp_path).release()


@pytest.mark.parametrize("name", ["max_segment_bytes", "max_segment_seconds", "rows_per_part"])
def test_storage_is_checked(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Storage(tmp_path, **{name: 0})  # type: ignore[arg-type]
    assert Storage(str(tmp_path)).directory == tmp_path
