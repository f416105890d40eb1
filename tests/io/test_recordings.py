"""Raw recordings go through the machine that recorded them; damage is said or counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feeds.recording.manifest import read_manifest, write_manifest
from feeds.recording.replay import replay_arrays, replay_trades
from feeds.recording.storage import Storage
from quantjax import io, lob
from tests.feeds.scripted import Recorded


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    made = Recorded(tmp_path / "recording", snapshot_interval=1.0)
    made.session.run(60)
    made.close()
    return tmp_path / "recording"


def test_the_same_books_and_trades_as_replay(recording: Path) -> None:
    data = io.read_books(recording, levels=5)
    assert (data.format, data.symbols) == ("recording", ("BTCUSDT", "ETHUSDT"))
    for symbol, arrays in replay_arrays(recording, interval_s=None, levels=5).items():
        series = data.series[symbol]
        np.testing.assert_array_equal(series.time_ns, arrays.time_ns)
        np.testing.assert_array_equal(series.book.bid_price, arrays.bid_price)
        np.testing.assert_array_equal(series.book.ask_size, arrays.ask_size)
        assert series.tick_size == 0.01
        assert data.metadata["tick_size"][symbol] == "0.01, stated by the exchange"
        assert lob.check(series).ok
    trades = replay_trades(recording)["BTCUSDT"]
    np.testing.assert_array_equal(data.trades["BTCUSDT"].size, trades.size)
    np.testing.assert_array_equal(data.trades["BTCUSDT"].side, trades.side)
    assert data.counts["rows"] == sum(len(series) for series in data.series.values())
    exchange = io.read_books(recording, levels=5, clock="exchange").series["ETHUSDT"]
    assert 0 < (data.series["ETHUSDT"].time_ns[-1] - exchange.time_ns[-1]) < 10**8


def test_as_recorded_or_at_another_interval(recording: Path) -> None:
    as_recorded = io.read_books(recording, interval_s="as recorded", symbols="ETHUSDT", levels=5)
    parts = io.read_books(recording, format="parquet", symbols="ETHUSDT")
    lines = io.read_books(recording, format="jsonl", symbols="ETHUSDT", levels=5)
    for other in (parts, lines):
        np.testing.assert_array_equal(as_recorded.only().time_ns, other.only().time_ns)
        np.testing.assert_array_equal(as_recorded.only().book.bid_size, other.only().book.bid_size)
    assert as_recorded.metadata["interval_s"] == 1.0
    assert parts.metadata["tick_size"]["ETHUSDT"].endswith("stated in the file")
    halves = io.read_books(recording, interval_s=0.5, symbols="ETHUSDT")
    assert set(halves.only().time_ns % 500_000_000) == {0}
    assert len(halves.only()) > len(as_recorded.only())
    exchange = io.read_books(recording, format="parquet", symbols="ETHUSDT", clock="exchange")
    assert (exchange.only().time_ns < parts.only().time_ns).all()


def test_blocks(recording: Path) -> None:
    stream = io.stream_books(recording, block_rows=25, levels=5, symbols=["BTCUSDT"])
    blocks = list(stream)
    assert max(len(block) for block in blocks) == 25
    whole = io.read_books(recording, levels=5, symbols=["BTCUSDT"])
    np.testing.assert_array_equal(
        np.concatenate([block.book.ask_price for block in blocks]), whole.only().book.ask_price
    )
    assert stream.counts == whole.counts


def test_one_segment_is_enough(recording: Path) -> None:
    data = io.read_books(recording / "raw-00000.gz", symbols="BTCUSDT")
    assert data.format == "recording"
    assert len(data.only()) == len(io.read_books(recording, symbols="BTCUSDT").only())


def test_a_gap_gives_no_rows_until_the_book_is_back(tmp_path: Path) -> None:
    made = Recorded(tmp_path)
    made.session.run(30)
    made.session.step(lose="ETHUSDT")
    made.session.run(40)
    made.close()
    data = io.read_books(tmp_path)
    assert data.counts["gap"] == data.counts["resyncs"] == 1
    assert data.counts["out_of_sync_ms"] > 0
    assert len(data.series["ETHUSDT"]) < len(data.series["BTCUSDT"])
    assert all(lob.check(series).ok for series in data.series.values())


def test_what_a_crash_left_is_read(recording: Path) -> None:
    segment = recording / "raw-00000.gz"
    lone = recording.parent / "raw-00000.gz"
    lone.write_bytes(segment.read_bytes()[:-700])
    data = io.read_books(lone)
    assert data.counts["segments_unclosed"] == 1
    assert data.counts["rows"] > 50


def test_damage(tmp_path: Path) -> None:
    made = Recorded(Storage(tmp_path, max_segment_seconds=2.0))
    made.session.run(60)
    made.close()
    whole = io.read_books(tmp_path)
    segment = tmp_path / "raw-00001.gz"
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    segment.write_bytes(content)
    with pytest.raises(io.DataError, match='the segment is damaged; pass damaged="skip"'):
        io.read_books(tmp_path)
    with pytest.warns(RuntimeWarning, match="damaged"):
        data = io.read_books(tmp_path, damaged="skip")
    assert data.counts["segments_damaged"] == 1
    assert data.counts["gap"] == 2  # what was lost is a gap for both symbols, and no book is given until it is closed
    assert data.counts["rows"] < whole.counts["rows"]
    for symbol, series in data.series.items():
        _, here, there = np.intersect1d(series.time_ns, whole.series[symbol].time_ns, return_indices=True)
        assert len(here) == len(series)
        np.testing.assert_array_equal(series.book.bid_size[here], whole.series[symbol].book.bid_size[there])


def test_symbols_that_are_not_there(recording: Path) -> None:
    with pytest.raises(io.DataError, match=r"BTCUSDT, ETHUSDT, got XRPUSDT"):
        io.read_books(recording, symbols="XRPUSDT")


def test_what_only_the_recorder_could_count(recording: Path) -> None:
    manifest = read_manifest(recording)
    assert manifest is not None
    before = io.read_books(recording).counts
    manifest.counters = dict(manifest.counters) | {"queue_dropped": 7, "undrained": 2, "gap": 5}
    write_manifest(recording, manifest)
    data = io.read_books(recording)
    assert data.metadata["recorder_counts"] == manifest.counters
    assert data.counts == before | {"queue_dropped": 7, "undrained": 2}  # the replay counts its gaps itself
    segment = io.read_books(recording / "raw-00000.gz")
    assert segment.metadata["recorder_counts"] == manifest.counters
    assert "queue_dropped" not in segment.counts
    for trades in data.trades.values():
        assert isinstance(trades, lob.TradeSeries)
        assert list(trades.to_pandas()) == ["exchange_ns", "price", "size", "side", "trade_id"]
