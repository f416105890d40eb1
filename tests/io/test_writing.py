"""What is written is read back the same, and nothing stands under its name before it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feeds.recording.parquet import read_part
from quantjax import io, lob
from quantjax.lob.analysis import analyze_blocks
from tests.lob.books import TICK, random_books


def series_of(count: int = 50, symbol: str = "XYZ", seed: int = 1) -> lob.BookSeries:
    time_ns = 1_750_000_000_123_456_789 + np.arange(count) * 10**9
    return lob.BookSeries(time_ns, random_books(count, 4, seed), symbol, TICK)


@pytest.mark.parametrize("name", ["books.parquet", "books.jsonl"])
def test_books_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    series = series_of()
    assert io.write_books(tmp_path / name, series, exchange="somewhere") == 50
    data = io.read_books(tmp_path / name, levels=4)
    back = data.only()
    assert (back.symbol, data.metadata["exchange"]) == ("XYZ", "somewhere")
    np.testing.assert_array_equal(back.time_ns, series.time_ns)
    for side in ("bid_price", "bid_size", "ask_price", "ask_size"):
        np.testing.assert_array_equal(getattr(back.book, side), getattr(series.book, side))
    assert back.tick_size == pytest.approx(TICK)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_parquet_is_what_feeds_reads(tmp_path: Path) -> None:
    io.write_books(tmp_path / "books.parquet", [series_of()[:20], series_of()[20:]])
    part = read_part(tmp_path / "books.parquet")
    np.testing.assert_array_equal(part.bid_price, series_of().book.bid_price)
    assert (part.symbol, part.tick_size) == ("XYZ", TICK)
    blocks = list(io.stream_books(tmp_path / "books.parquet", block_rows=15, levels=2))
    assert max(len(block) for block in blocks) <= 15
    np.testing.assert_array_equal(
        np.concatenate([block.book.ask_size for block in blocks]), series_of().book.ask_size[:, :2]
    )


def test_several_symbols(tmp_path: Path) -> None:
    both = [series_of(), series_of(30, "ABC", 2)]
    io.write_books(tmp_path / "books.jsonl", both)
    assert io.read_books(tmp_path / "books.jsonl").symbols == ("XYZ", "ABC")
    with pytest.raises(ValueError, match="one symbol in a file, got XYZ and then ABC"):
        io.write_books(tmp_path / "books.parquet", both)
    assert [path.name for path in tmp_path.iterdir()] == ["books.jsonl"]
    with pytest.raises(ValueError, match=r"\.parquet or \.jsonl"):
        io.write_books(tmp_path / "books.csv", both)


def test_parts_of_a_folder_in_order(tmp_path: Path) -> None:
    for number, piece in enumerate((series_of()[:20], series_of()[20:])):
        io.write_books(tmp_path / f"books-XYZ-{number:05d}.parquet", piece)
    data = io.read_books(tmp_path)
    np.testing.assert_array_equal(data.only().time_ns, series_of().time_ns)
    assert io.read_books(tmp_path, interval_s=10.0).counts["rows"] == 4
    with pytest.raises(io.DataError, match=r"\(XYZ\), got ABC"):
        io.read_books(tmp_path, symbols="ABC")


def test_parquet_of_others(tmp_path: Path) -> None:
    pq.write_table(pa.table({"time_ns": [1, 2], "price": [1.0, 2.0]}), tmp_path / "x.parquet")
    with pytest.raises(io.DataError, match=r"got none named bid_price_1.*; the file has price, time_ns"):
        io.read_books(tmp_path / "x.parquet")
    columns = {"time_ns": [1, 2, 3], "bid_price_1": [1.0, 1.5, 1.5], "bid_size_1": [1.0, -1.0, None]}
    pq.write_table(pa.table(columns | {"ask_price_1": [2.0] * 3, "ask_size_1": [1.0] * 3}), tmp_path / "y.parquet")
    data = io.read_books(tmp_path / "y.parquet")
    assert data.only().symbol == "y"
    assert (data.counts["rows"], data.counts["negative"], data.counts["not_finite"]) == (1, 1, 1)
    with pytest.raises(io.DataError, match="exchange_ns"):
        io.read_books(tmp_path / "y.parquet", clock="exchange")


def test_parquet_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "books.parquet"
    io.write_books(path, series_of())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(io.DataError, match="expected a whole Parquet file"):
        io.read_books(path)


METRICS = lob.BookMetrics(levels=(2,), bands_bps=(5.0,), notionals=(1e3,), slippages_bps=(5.0,))


def test_analyses_in_pieces(tmp_path: Path) -> None:
    series = series_of()
    whole = lob.analyze(series, METRICS).to_pandas()
    blocks = analyze_blocks([series[:20], series[20:]], METRICS)
    (file,) = io.write_analysis(tmp_path / "out", blocks)
    assert file == tmp_path / "out" / "analysis-XYZ.parquet"
    back = pd.read_parquet(file)
    pd.testing.assert_frame_equal(back, whole, check_freq=False)
    assert io.write_analysis(tmp_path / "one.parquet", lob.analyze(series, METRICS)) == [tmp_path / "one.parquet"]


def test_an_analysis_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def blocks() -> Iterator[lob.BookAnalysis]:
        yield lob.analyze(series_of(), METRICS)
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        io.write_analysis(tmp_path, blocks())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="at least one block"):
        io.write_analysis(tmp_path, [])
