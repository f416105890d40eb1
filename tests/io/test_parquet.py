"""Parquet of other makers: times of any type that says what they are, and parts of different depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quantjax import io, lob
from quantjax.lob.analysis import analyze_blocks
from tests.io.test_writing import METRICS, series_of

NS = 1_784_635_200 * 10**9


def write_table(path: Path, time: pa.Array, metadata: dict[str, str] | None = None) -> Path:
    columns = {"time_ns": time, "bid_price_1": [1.0, 1.5], "bid_size_1": [1.0, 1.0]}
    table = pa.table(columns | {"ask_price_1": [2.0, 2.0], "ask_size_1": [1.0, 1.0]})
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_any_unit(tmp_path: Path, unit: str, per_second: int, zone: str | None) -> None:
    ticks = pa.array([NS // 10**9 * per_second, (NS // 10**9 + 1) * per_second], pa.int64())
    path = write_table(tmp_path / "x.parquet", ticks.cast(pa.timestamp(unit, zone)))
    np.testing.assert_array_equal(io.read_books(path).only().time_ns, [NS, NS + 10**9])


@pytest.mark.parametrize(
    ("time", "got"),
    [
        (pa.array([1.0e18, 2.0e18]), "got double"),
        (pa.array([1, 2], pa.int32()), "got int32"),
        (pa.array(["a", "b"]), "got string"),
        (pa.array([1, None], pa.int64()), "got int64 with 1 nulls"),
    ],
)
def test_times_that_do_not_say_what_they_are(tmp_path: Path, time: pa.Array, got: str) -> None:
    with pytest.raises(io.DataError, match=f"column time_ns as int64 nanoseconds UTC or timestamps.*{got}"):
        io.read_books(write_table(tmp_path / "x.parquet", time))


@pytest.mark.parametrize("version", ["10", "2", "newest"])
def test_newer_schemas(tmp_path: Path, version: str) -> None:
    path = write_table(tmp_path / "x.parquet", pa.array([1, 2]), {"schema_version": version})
    with pytest.raises(io.DataError, match=f"schema version 1 or older, got {version}"):
        io.read_books(path)


@pytest.mark.parametrize(("levels", "expected"), [(20, 4), (3, 3), (2, 2)])
@pytest.mark.parametrize("shallow", [0, 1])
def test_parts_of_different_depth(tmp_path: Path, levels: int, expected: int, shallow: int) -> None:
    series = series_of()
    for number, piece in enumerate((series[:20], series[20:])):
        depth = 2 if number == shallow else 4
        piece = lob.BookSeries(piece.time_ns, piece.book.top(depth), piece.symbol, piece.tick_size)
        io.write_books(tmp_path / f"books-XYZ-{number:05d}.parquet", piece)
    whole = io.read_books(tmp_path, levels=levels).only()
    blocks = list(io.stream_books(tmp_path, levels=levels, block_rows=15))
    assert {block.book.levels for block in blocks} == {whole.book.levels} == {expected}
    for side in ("bid_price", "bid_size", "ask_price", "ask_size"):
        joined = np.concatenate([getattr(block.book, side) for block in blocks])
        np.testing.assert_array_equal(joined, getattr(whole.book, side))
    assert len(list(analyze_blocks(blocks, METRICS))) == len(blocks)
