"""Replay: the recorded inputs give the same books, at any interval, depth and block size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feeds.counters import Counters
from feeds.errors import RecordingError
from feeds.recording.replay import Replay, read_inputs, rebuild, replay, replay_arrays, replay_blocks, replay_trades
from feeds.recording.storage import Storage
from tests.feeds.scripted import Recorded, new_venue


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorded]:
    directory = tmp_path_factory.mktemp("recording")
    recording = Recorded(Storage(directory, max_segment_seconds=5.0))
    recording.session.run(120)
    recording.session.step(lose="ETHUSDT")
    recording.session.run(60)
    recording.close()
    return directory, recording


def test_books_are_the_same_after_every_input(recorded: tuple[Path, Recorded]) -> None:
    directory, live = recorded
    again = new_venue()
    source = Replay(directory)
    outputs = source.outputs()
    for item in live.session.fed:
        expected = again.process(item)
        got_item, output = next(outputs)
        assert (got_item, output) == (item, expected)
        assert source.venue is not None
        for symbol, sync in source.venue.books.items():
            other = again.books[symbol]
            assert sync.state == other.state
            assert (sync.book.digest() if sync.book else None) == (other.book.digest() if other.book else None)
    assert next(outputs, None) is None
    assert source.counters["gap"] == live.venue.counters["gap"] == 1


def test_books_at_another_interval_and_depth(recorded: tuple[Path, Recorded]) -> None:
    directory, _ = recorded
    fine, coarse = replay_arrays(directory, interval_s=0.5, levels=12), replay_arrays(directory)
    assert coarse["BTCUSDT"].levels == 5
    assert fine["BTCUSDT"].levels == 12
    assert fine["BTCUSDT"].tick_size == 0.01
    both = np.isin(fine["BTCUSDT"].time_ns, coarse["BTCUSDT"].time_ns)
    np.testing.assert_array_equal(fine["BTCUSDT"].time_ns[both], coarse["BTCUSDT"].time_ns)
    np.testing.assert_array_equal(fine["BTCUSDT"].bid_price[both, :5], coarse["BTCUSDT"].bid_price)
    every = replay_arrays(directory, interval_s=None)["BTCUSDT"]
    assert len(every) >= 120
    assert np.all(np.diff(every.last_update_id) > 0)


def test_rows_are_in_order_and_of_the_symbols_asked_for(recorded: tuple[Path, Recorded]) -> None:
    directory, _ = recorded
    rows = list(replay(directory, symbols=["ETHUSDT"], interval_s=0.5))
    assert {row.symbol for row in rows} == {"ETHUSDT"}
    times = [row.time_ns for row in rows]
    assert times == sorted(times)
    assert all(0 < row.time_ns - row.exchange_ns < 2 * 10**9 for row in rows)
    assert set(replay_arrays(directory, symbols=["ETHUSDT"])) == {"ETHUSDT"}
    with pytest.raises(ValueError, match="expected symbols of the recording, BTCUSDT, ETHUSDT, got XRPUSDT"):
        replay(directory, symbols=["XRPUSDT"])


def test_blocks_are_the_arrays_in_pieces(recorded: tuple[Path, Recorded]) -> None:
    directory, _ = recorded
    whole = replay_arrays(directory, interval_s=0.25)
    blocks = list(replay_blocks(directory, block_rows=10, interval_s=0.25))
    assert max(len(block) for block in blocks) == 10
    for symbol, books in whole.items():
        mine = [block for block in blocks if block.symbol == symbol]
        np.testing.assert_array_equal(np.concatenate([block.time_ns for block in mine]), books.time_ns)
        np.testing.assert_array_equal(np.concatenate([block.ask_price for block in mine]), books.ask_price)
        assert {block.tick_size for block in mine} == {0.01}
    with pytest.raises(ValueError, match="row"):
        replay_blocks(directory, block_rows=0)


def test_trades(recorded: tuple[Path, Recorded]) -> None:
    directory, live = recorded
    trades = replay_trades(directory)
    assert len(trades["ETHUSDT"]) == 0
    ours = trades["BTCUSDT"]
    assert len(ours) == 181
    assert ours.trade_id[0] + len(ours) - 1 == ours.trade_id[-1] == live.exchange.trade_id["BTCUSDT"]
    np.testing.assert_array_equal(ours.price, 100.01)
    assert set(ours.side) == {-1, 1}
    assert np.all(ours.size % 1 == 0.5)
    assert np.all(ours.exchange_ns < ours.time_ns)


def test_one_segment_by_itself(recorded: tuple[Path, Recorded], tmp_path: Path) -> None:
    directory, live = recorded
    first = directory / "raw-00000.gz"
    items = list(read_inputs(first))
    assert items == live.session.fed[: len(items)]
    books = replay_arrays(first)["BTCUSDT"]
    np.testing.assert_array_equal(books.bid_price, replay_arrays(directory)["BTCUSDT"].bid_price[: len(books)])
    # A later one has no snapshots in it, hence no book, and the manifest says which venue it was.
    counters = Counters()
    assert len(replay_arrays(directory / "raw-00001.gz", counters=counters)["BTCUSDT"]) == 0
    assert counters["inputs"] > 0
    # Out of its directory nothing says so.
    lone = tmp_path / "raw-00001.gz"
    lone.write_bytes((directory / "raw-00001.gz").read_bytes())
    counters = Counters()
    assert replay_arrays(lone, counters=counters) == {}
    assert counters["inputs_before_session"] == len(list(read_inputs(lone)))
    rebuild(first, tmp_path / "made")
    assert (tmp_path / "made" / "books-BTCUSDT.jsonl").exists()


def test_rebuilding_does_not_write_over_or_beside_a_recorder(recorded: tuple[Path, Recorded], tmp_path: Path) -> None:
    directory, _ = recorded
    with pytest.raises(RecordingError, match=r"without books-\* files"):
        rebuild(directory, directory)
    with pytest.raises(RecordingError, match="directory of a recording"):
        rebuild(directory / "raw-00000.gz")
    running = Recorded(tmp_path)
    running.session.run(30)
    running.recording.flush()
    with pytest.raises(RecordingError, match="no other recorder"):
        rebuild(tmp_path)
    assert rebuild(tmp_path, tmp_path / "made")
    running.close()


def test_a_symbol_is_checked_without_a_manifest_too(recorded: tuple[Path, Recorded], tmp_path: Path) -> None:
    directory, _ = recorded
    lone = tmp_path / "raw-00000.gz"
    lone.write_bytes((directory / "raw-00000.gz").read_bytes())
    with pytest.raises(ValueError, match="expected symbols of the recording"):
        replay_arrays(lone, symbols=["XRPUSDT"])
