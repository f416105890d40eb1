"""Recording, crash, continuation, damage: what was recorded is there, and what is derived agrees with it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from feeds.counters import Counters
from feeds.decimals import to_units
from feeds.errors import RecordingError
from feeds.inputs import Input, InputKind
from feeds.recording.manifest import SCHEMA_VERSION, Manifest, read_manifest
from feeds.recording.parquet import list_parts, read_part
from feeds.recording.reading import read_inputs
from feeds.recording.replay import rebuild, replay_arrays
from feeds.recording.storage import Storage
from tests.feeds.scripted import START_NS, Recorded, ScriptedExchange, files_of

SMALL = {"max_segment_bytes": 8000, "rows_per_part": 7}


def crash(recorded: Recorded) -> None:
    """The process ends without a word: what was flushed stays, the rest is gone, the system takes the lock back."""
    segments = recorded.recording._segments
    os.close(segments._descriptor)
    segments._descriptor = -1
    recorded.recording._derived.abandon()
    recorded.recording._release()


def manifest_of(directory: Path) -> Manifest:
    manifest = read_manifest(directory)
    assert manifest is not None
    return manifest


def test_a_recording_holds_every_input_in_order(tmp_path: Path) -> None:
    recorded = Recorded(Storage(tmp_path, **SMALL))
    recorded.session.run(100)
    recorded.session.disconnect()
    recorded.session.run(20)
    recorded.close()
    assert list(read_inputs(tmp_path)) == recorded.session.fed
    manifest = manifest_of(tmp_path)
    assert manifest.closed
    assert len(manifest.segments) > 2
    assert sum(segment.records for segment in manifest.segments) == len(recorded.session.fed)
    assert manifest.counters["inputs"] == len(recorded.session.fed)
    assert manifest.counters["disconnected"] == 1
    assert manifest.symbols == ("BTCUSDT", "ETHUSDT")
    assert {symbol: parts.rows for symbol, parts in manifest.parts.items()} == {
        symbol: len(books) for symbol, books in replay_arrays(tmp_path).items()
    }


@pytest.mark.parametrize("interval", [1.0, 0.25, None])
def test_rebuilding_gives_the_bytes_that_were_written_live(tmp_path: Path, interval: float | None) -> None:
    live, made = tmp_path / "live", tmp_path / "made"
    exchange = ScriptedExchange()
    recorded = Recorded(Storage(live, **SMALL), exchange=exchange, snapshot_interval=interval)
    session = recorded.session
    session.run(60)
    session.step(lose="BTCUSDT")
    session.run(30)
    session.now_ns += 5 * 10**9  # a hole
    session.run(15)
    session.now_ns -= 3 * 10**9  # the clock jumps back
    session.run(60)
    session.disconnect()
    session.run(20)
    recorded.close()
    again = Recorded(
        Storage(live, **SMALL), exchange=exchange, snapshot_interval=interval, now_ns=session.now_ns - 10**9
    )
    again.session.run(50)
    again.close()

    paths = rebuild(live, made)
    assert files_of(made) == files_of(live)
    assert [path.name for path in paths] == list(files_of(live))
    assert len(list_parts(live, "ETHUSDT")) > 3
    for symbol, books in replay_arrays(live).items():
        assert np.all(np.diff(books.time_ns) >= 0)
        parts = [read_part(path) for path in list_parts(live, symbol)]
        for name in ("time_ns", "exchange_ns", "last_update_id", "bid_price", "bid_size", "ask_price", "ask_size"):
            np.testing.assert_array_equal(getattr(books, name), np.concatenate([getattr(part, name) for part in parts]))


def test_after_a_crash_all_that_was_flushed_is_there_and_the_recording_goes_on(tmp_path: Path) -> None:
    exchange = ScriptedExchange()
    storage = Storage(tmp_path, **SMALL)
    first = Recorded(storage, exchange=exchange)
    first.session.run(100)
    first.recording.flush()
    flushed = len(first.session.fed)
    first.session.run(5)
    crash(first)
    assert not manifest_of(tmp_path).closed
    lines = tmp_path / "books-BTCUSDT.jsonl"
    lines.write_bytes(lines.read_bytes() + b'{"timestamp":"2026')
    (tmp_path / ".manifest.json.tmp").write_text("half")
    (tmp_path / ".rebuild-x").mkdir()

    counters = Counters()
    got = list(read_inputs(tmp_path, counters=counters))
    assert flushed <= len(got)
    assert got == first.session.fed[: len(got)]
    assert counters["segments_unclosed"] == 1

    second = Recorded(storage, exchange=exchange, now_ns=first.session.now_ns + 10**9)
    second.session.run(30)
    second.close()
    assert second.counters["torn_lines"] == 1
    assert second.counters["recorder_restarted"] == 1
    assert not list(tmp_path.glob(".*"))
    counters = Counters()
    assert list(read_inputs(tmp_path, counters=counters)) == got + second.session.fed
    assert counters["segments_unclosed"] == 1
    manifest = manifest_of(tmp_path)
    assert [segment.closed for segment in manifest.segments].count(False) == 1
    assert (manifest.sessions, manifest.closed) == (2, True)
    assert len({segment.file for segment in manifest.segments}) == len(manifest.segments)
    for line in lines.read_text().splitlines():
        json.loads(line)

    # What the crash took from the derived files comes back from the raw segments.
    live = files_of(tmp_path)
    rebuild(tmp_path)
    made = files_of(tmp_path)
    assert set(made["books-BTCUSDT.jsonl"].splitlines()) >= set(live["books-BTCUSDT.jsonl"].splitlines())
    assert sum(len(read_part(path)) for path in list_parts(tmp_path, "BTCUSDT")) == len(
        made["books-BTCUSDT.jsonl"].splitlines()
    )


def test_derived_rows_reach_the_disk_after_their_inputs(tmp_path: Path) -> None:
    recorded = Recorded(Storage(tmp_path, rows_per_part=3), snapshot_interval=0.1)
    for _ in range(40):
        recorded.session.step()
        rows = replay_arrays(tmp_path)["ETHUSDT"].time_ns.tolist()
        written = [time for path in list_parts(tmp_path, "ETHUSDT") for time in read_part(path).time_ns.tolist()]
        assert written == rows[: len(written)]
    assert list_parts(tmp_path, "ETHUSDT")
    crash(recorded)


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    with pytest.raises(RecordingError, match="no other recorder"):
        Recorded(tmp_path)
    recorded.close()
    recorded.close()
    Recorded(tmp_path).close()


def test_other_settings_are_refused(tmp_path: Path) -> None:
    Recorded(tmp_path).close()
    with pytest.raises(RecordingError, match=r"max_levels=5, got 7"):
        Recorded(tmp_path, max_levels=7)
    with pytest.raises(RecordingError, match=r"snapshot_interval=1.0, got None"):
        Recorded(tmp_path, snapshot_interval=None)
    Recorded(tmp_path).close()


def test_what_to_derive_can_be_chosen(tmp_path: Path) -> None:
    for parquet, jsonl in ((True, False), (False, True), (False, False)):
        directory = tmp_path / f"{parquet}-{jsonl}"
        recorded = Recorded(Storage(directory, parquet=parquet, jsonl=jsonl))
        recorded.session.run(30)
        recorded.close()
        expected = [suffix for suffix, chosen in ((".jsonl", jsonl), (".parquet", parquet)) if chosen]
        assert sorted({path.suffix for path in directory.glob("books-*")}) == expected
        rebuild(directory, directory / "made")
        assert files_of(directory / "made") == files_of(directory)


def test_a_recorder_that_is_fed_no_session_says_which_venue_it_was(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.recording._began = False
    item = Input(START_NS + 10**9, InputKind.TIMER)
    recorded.process(item)
    recorded.close()
    last = list(read_inputs(tmp_path))[-2:]
    assert last == [Input(item.received_ns, InputKind.SESSION, payload=recorded.venue.describe()), item]


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"schema_version": 1}', b"[]", b"\xff\xfe"])
def test_without_a_manifest_the_segments_suffice(tmp_path: Path, content: bytes | None) -> None:
    recorded = Recorded(Storage(tmp_path, **SMALL))
    recorded.session.run(60)
    recorded.close()
    books = replay_arrays(tmp_path)
    path = tmp_path / "manifest.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    counters = Counters()
    with pytest.warns(RuntimeWarning, match="raw segments are read without it"):
        assert list(read_inputs(tmp_path, counters=counters)) == recorded.session.fed
    assert counters["manifest_damaged"] == 1
    with pytest.warns(RuntimeWarning, match="manifest"):
        without = replay_arrays(tmp_path, levels=5)
    for symbol, expected in books.items():
        np.testing.assert_array_equal(without[symbol].time_ns, expected.time_ns)
        np.testing.assert_array_equal(without[symbol].ask_size, expected.ask_size)

    with pytest.warns(RuntimeWarning, match="manifest"):
        again = Recorded(Storage(tmp_path, **SMALL), now_ns=recorded.session.now_ns)
    again.close()
    assert list(read_inputs(tmp_path)) == recorded.session.fed + again.session.fed
    assert (tmp_path / "manifest.json.damaged").exists() == (content is not None)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.close()
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1, "all": "different"}))
    for use in (lambda: list(read_inputs(tmp_path)), lambda: replay_arrays(tmp_path), lambda: Recorded(tmp_path)):
        with pytest.raises(RecordingError, match=f"got {SCHEMA_VERSION + 1}"):
            use()


@pytest.fixture(scope="module")
def three_segments(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Input]]:
    directory = tmp_path_factory.mktemp("recording")
    recorded = Recorded(Storage(directory, max_segment_seconds=4.0))
    recorded.session.run(119)
    recorded.close()
    assert len(manifest_of(directory).segments) == 3
    return directory, recorded.session.fed


@pytest.mark.parametrize("offset", [0, 3, 40, 0.5, -3])
def test_a_changed_byte_never_goes_unseen(
    tmp_path: Path, three_segments: tuple[Path, list[Input]], offset: float
) -> None:
    directory, fed = three_segments
    shutil.copytree(directory, tmp_path / "copy")
    path = tmp_path / "copy" / "raw-00001.gz"
    content = bytearray(path.read_bytes())
    content[int(offset * len(content)) if isinstance(offset, float) else offset] ^= 0x10
    path.write_bytes(content)
    first, middle, _ = (segment.records for segment in manifest_of(directory).segments)
    got: list[Input] = []
    with pytest.raises(RecordingError, match=r"raw-00001\.gz: expected the bytes .* damaged; pass damaged"):
        got.extend(read_inputs(tmp_path / "copy"))
    assert got == fed[:first]
    counters = Counters()
    with pytest.warns(RuntimeWarning, match="skipped"):
        assert (
            list(read_inputs(tmp_path / "copy", counters=counters, damaged="skip"))
            == fed[:first] + fed[first + middle :]
        )
    assert counters["segments_damaged"] == 1


def test_a_segment_that_was_lost_or_cut_is_an_error_or_a_counted_skip(
    tmp_path: Path, three_segments: tuple[Path, list[Input]]
) -> None:
    directory, fed = three_segments
    shutil.copytree(directory, tmp_path / "copy")
    path = tmp_path / "copy" / "raw-00001.gz"
    first, middle, last = (segment.records for segment in manifest_of(directory).segments)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RecordingError, match="the end of the segment is lost"):
        list(read_inputs(tmp_path / "copy"))
    counters = Counters()
    with pytest.warns(RuntimeWarning, match="skipped"):
        got = list(read_inputs(tmp_path / "copy", counters=counters, damaged="skip"))
    assert counters["segments_truncated"] == 1
    assert got[-last:] == fed[-last:]
    assert got[:-last] == fed[: len(got) - last]
    assert first < len(got) - last < first + middle

    path.unlink()
    with pytest.raises(RecordingError, match="found none"):
        list(read_inputs(tmp_path / "copy"))
    counters = Counters()
    with pytest.warns(RuntimeWarning, match="skipped"):
        books = replay_arrays(tmp_path / "copy", counters=counters, damaged="skip")
    assert counters["segments_missing"] == 1
    # The hole is a gap to the venue: no book is handed out after it until the venue is in sync again.
    whole = replay_arrays(directory)
    for symbol, rows in books.items():
        before = rows.time_ns <= fed[first].received_ns
        assert before.sum() > 0
        np.testing.assert_array_equal(rows.bid_size[before], whole[symbol].bid_size[: before.sum()])
    assert counters["gap"] == 2


def test_nothing_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not exist"):
        list(read_inputs(tmp_path / "nowhere"))
    with pytest.raises(RecordingError, match="holds no manifest"):
        list(read_inputs(tmp_path))


def test_a_full_disk_ends_the_recording_and_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(Storage(tmp_path, max_segment_bytes=8000, rows_per_part=20))
    recorded.session.run(100)
    recorded.recording.flush()
    flushed, derived = len(recorded.session.fed), files_of(tmp_path)
    segments = manifest_of(tmp_path).segments

    def full_disk(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_disk)
        with pytest.raises(OSError, match="No space"):
            recorded.session.run(100)
        recorded.session.run(3)  # what comes after is processed and not recorded
        recorded.recording.flush()
        with pytest.raises(OSError, match="No space"):
            recorded.close()
    assert recorded.counters["storage_failed"] == 1
    got = list(read_inputs(tmp_path))
    assert flushed <= len(got)
    assert got == recorded.session.fed[: len(got)]
    assert files_of(tmp_path) == derived
    assert manifest_of(tmp_path).segments[: len(segments)] == segments

    again = Recorded(Storage(tmp_path, max_segment_bytes=8000, rows_per_part=20), now_ns=recorded.session.now_ns)
    again.session.run(3)
    again.close()
    assert list(read_inputs(tmp_path)) == got + again.session.fed


def test_the_manifest_of_a_failed_recording_is_written_where_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded(tmp_path)
    recorded.session.run(20)
    segments = recorded.recording._segments

    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(segments, "_put", full_disk)
    with pytest.raises(OSError, match="No space"):
        recorded.recording.flush()
    segments._failed = True
    recorded.close()
    manifest = manifest_of(tmp_path)
    assert not manifest.closed
    assert manifest.counters["storage_failed"] == 1


def test_a_damaged_segment_that_a_crash_left_is_kept(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.session.run(30)
    recorded.recording.flush()
    crash(recorded)
    path = tmp_path / "raw-00000.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        again = Recorded(tmp_path, now_ns=recorded.session.now_ns)
    again.close()
    assert path.read_bytes() == content
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        got = list(read_inputs(tmp_path, damaged="skip"))
    assert got[-len(again.session.fed) :] == again.session.fed


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    recorded = Recorded(Storage(tmp_path, rows_per_part=50), snapshot_interval=0.1)
    recorded.session.run(200)  # long enough for every library to have loaded what it loads late
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(3):
            tracemalloc.reset_peak()
            for _ in range(3):
                recorded.session.run(60)
                recorded.session.fed.clear()
                recorded.recording.flush()
                to_units.cache_clear()  # bounded too, but far from full here
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    recorded.close()
    assert peaks[-1] < peaks[0] + 300_000
