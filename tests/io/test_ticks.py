"""A tick size that nobody states is one number for a whole file, streamed or not, and is never written as stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feeds.recording.parquet import read_part
from quantjax import io, lob
from tests.io.files import depth, json_line, snapshot, write_hft, write_jsonl, write_lobster


def jsonl(folder: Path) -> Path:
    steps = [1.0, 1.0, 0.01, 1.0]  # of the best bid in each block of two rows
    lines = [json_line(n, bids=[[99 - steps[n // 2], 1.0]], asks=[[101.0, 3.0]]) for n in range(8)]
    return write_jsonl(folder / "books.jsonl", *lines)


def parquet(folder: Path) -> Path:
    io.write_books(folder / "books.parquet", io.stream_books(jsonl(folder), block_rows=2))
    return folder / "books.parquet"


def hftbacktest(folder: Path) -> Path:
    updates = [depth(n, n, [[price, "1"]]) for n, price in enumerate(("98", "97", "96", "95.5", "94"), start=10)]
    return write_hft(folder / "spot", snapshot(9, [["99", "1"]], [["101", "1"]]), *updates)


def lobster(folder: Path) -> Path:
    prices = [1000000, 1000000, 1000050, 1000000]  # dollars x 10,000: one is not in whole cents
    messages = [f"{34200 + n},1,{n},5,{price},1" for n, price in enumerate(prices)]
    return write_lobster(folder, messages, [f"1010000,5,{price},5" for price in prices], levels=1)


@pytest.mark.parametrize("make", [jsonl, parquet, hftbacktest, lobster])
def test_streamed_is_as_whole(tmp_path: Path, make) -> None:
    path = make(tmp_path)
    whole = io.read_books(path).only()
    assert whole.tick_size < 1
    stream = io.stream_books(path, block_rows=2)
    blocks = list(stream)
    assert len(blocks) > 1
    assert {block.tick_size for block in blocks} == {whole.tick_size}
    assert stream.counts == io.read_books(path).counts
    metrics = lob.BookMetrics(levels=(1,), bands_bps=(5.0,), notionals=(1e2,), slippages_bps=(5.0,))
    expected = lob.analyze(whole, metrics).to_pandas()["spread_ticks"]
    found = np.concatenate([lob.analyze(block, metrics).to_pandas()["spread_ticks"] for block in blocks])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [jsonl, hftbacktest, lobster])
def test_an_inferred_tick_is_not_written_as_stated(tmp_path: Path, make) -> None:
    path = make(tmp_path)
    whole = io.read_books(path).only()
    for number, pieces in enumerate([whole, whole[1:], io.stream_books(path, block_rows=2)]):
        file = tmp_path / f"{number}.parquet"
        io.write_books(file, pieces)
        back = io.read_books(file)
        assert "inferred" in back.metadata["tick_size"][whole.symbol]
        assert np.isnan(read_part(file).tick_size)
    stated = lob.BookSeries(whole.time_ns, whole.book, whole.symbol, float(whole.tick_size))
    io.write_books(tmp_path / "stated.parquet", stated)
    assert io.read_books(tmp_path / "stated.parquet").metadata["tick_size"][whole.symbol].endswith("stated in the file")


def test_what_is_wrong_in_the_file_is_raised_where_it_is_reached(tmp_path: Path) -> None:
    rows = [f"{34200 + n},1,{n},5,1000000,1" for n in range(5)]
    stream = io.stream_books(write_lobster(tmp_path, rows, ["1010000,5,1000000,5"] * 4, levels=1), block_rows=2)
    assert [next(stream).tick_size for _ in range(2)] == [0.01, 0.01]
    with pytest.raises(io.DataError, match="expected as many rows"):
        next(stream)
