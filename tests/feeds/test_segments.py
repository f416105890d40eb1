"""Raw segments: every byte comes back, whatever end the file met."""

from __future__ import annotations

import errno
import gzip
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.errors import RecordingError
from feeds.inputs import Input, InputKind
from feeds.recording.segments import (
    SegmentInfo,
    SegmentReport,
    SegmentWriter,
    encode_record,
    list_segments,
    read_segment,
)

SECOND = 10**9

inputs = st.lists(
    st.builds(
        Input,
        received_ns=st.integers(-(2**63), 2**63 - 1),
        kind=st.sampled_from(InputKind),
        label=st.text(st.characters(exclude_characters=" \n", exclude_categories=["Cs"]), max_size=20),
        status=st.integers(-1, 999),
        payload=st.binary(max_size=300) | st.just(b"\n \n{}\r\n\0") | st.just(b"x" * 100_000),
    ),
    max_size=20,
)


def frames(number: int, *, step_ns: int = SECOND // 10, size: int = 40) -> list[Input]:
    return [
        Input(1_000 * SECOND + index * step_ns, InputKind.FRAME, "1", 0, f"{index}:".encode() + os.urandom(size))
        for index in range(number)
    ]


def write(directory: Path, items: list[Input], *, close: bool = True, **limits: float) -> list[SegmentInfo]:
    closed: list[SegmentInfo] = []
    writer = SegmentWriter(directory, on_close=closed.append, **limits)  # type: ignore[arg-type]
    for item in items:
        writer.write(item)
    if close:
        writer.close()
    return closed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=inputs)
def test_any_input_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, items: list[Input]) -> None:
    directory = tmp_path_factory.mktemp("segment")
    write(directory, items)
    paths = list_segments(directory)
    assert [item for path in paths for item in read_segment(path)] == items


def test_a_person_can_read_a_segment(tmp_path: Path) -> None:
    write(tmp_path, [Input(5, InputKind.RESPONSE, "depth:BTCUSDT", 200, b'{"a":1}'), Input(6, InputKind.TIMER)])
    with gzip.open(tmp_path / "raw-00000.gz") as file:
        assert file.read() == b'5 response depth:BTCUSDT 200 7\n{"a":1}\n6 timer - 0 0\n\n'


def test_a_file_cut_at_any_byte_gives_the_first_records(tmp_path: Path) -> None:
    items = frames(12)
    write(tmp_path, items)
    content = (tmp_path / "raw-00000.gz").read_bytes()
    cut = tmp_path / "cut.gz"
    most = 0
    for length in range(len(content) + 1):
        cut.write_bytes(content[:length])
        report = SegmentReport()
        got = list(read_segment(cut, report))
        assert got == items[: len(got)]
        assert report.records == len(got)
        assert report.closed == (length == len(content))
        assert len(got) >= most, "more bytes never give fewer records"
        most = len(got)
    assert most == len(items)


@settings(max_examples=40, deadline=None)
@given(items=inputs.filter(bool), data=st.data())
def test_a_cut_reports_what_it_left_out(
    tmp_path_factory: pytest.TempPathFactory, items: list[Input], data: st.DataObject
) -> None:
    stream = b"".join(encode_record(item) for item in items)
    length = data.draw(st.integers(0, len(stream)))
    deflate = zlib.compressobj(1, zlib.DEFLATED, 31)
    path = tmp_path_factory.mktemp("cut") / "raw-00000.gz"
    path.write_bytes(deflate.compress(stream[:length]) + deflate.flush(zlib.Z_SYNC_FLUSH))
    report = SegmentReport()
    got = list(read_segment(path, report))
    assert got == items[: len(got)]
    assert sum(len(encode_record(item)) for item in got) + report.cut_bytes == length
    assert not report.closed


def test_what_was_flushed_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    items = frames(25)  # 100 ms apart: the stream flushes itself every second
    for item in items[:21]:
        writer.write(item)
    assert len(list(read_segment(writer.path))) >= 20
    for item in items[21:]:
        writer.write(item)
    writer.flush()
    report = SegmentReport()
    assert list(read_segment(writer.path, report)) == items
    assert not report.closed
    assert writer.bytes_written == writer.path.stat().st_size
    writer.close()


def test_segments_rotate_by_size_and_by_time(tmp_path: Path) -> None:
    items = frames(200)
    infos = write(tmp_path, items, max_bytes=2000)
    assert len(infos) > 3
    assert all(info.bytes == (tmp_path / info.file).stat().st_size for info in infos)
    assert sum(info.records for info in infos) == len(items)
    assert [item for path in list_segments(tmp_path) for item in read_segment(path)] == items

    timed = tmp_path / "timed"
    timed.mkdir()
    infos = write(timed, items, max_seconds=5.0)
    assert [info.records for info in infos] == [50, 50, 50, 50]
    assert [(info.first_ns, info.last_ns) for info in infos][1] == (items[50].received_ns, items[99].received_ns)


def test_the_clock_may_jump_back(tmp_path: Path) -> None:
    items = [*frames(10), *frames(10)]
    (info,) = write(tmp_path, items, max_seconds=5.0)
    assert (info.first_ns, info.last_ns) == (items[0].received_ns, items[9].received_ns)
    assert list(read_segment(tmp_path / info.file)) == items


def test_a_segment_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, frames(1))
    before = (tmp_path / "raw-00000.gz").read_bytes()
    with pytest.raises(FileExistsError):
        write(tmp_path, frames(1))
    assert (tmp_path / "raw-00000.gz").read_bytes() == before


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"1 frame 1 0 2\nab\n7 dance 1 0 0\n\n", r"raw-00000\.gz: .* byte 17 .* unknown kind b'dance'"),
        (b"1 frame 1 0 2\nab\n7 frame 1 x 0\n\n", r"byte 17 .* header line b'7 frame 1 x 0'"),
        (b"1 frame 1 0 2\nab\nnothing\n\n", r"byte 17 .* header line"),
        (b"1 frame 1 0 2\nab\n7 frame 1 0 -4\n\n", r"byte 17 .* payload of -4 bytes"),
        (b"1 frame 1 0 2\nab\n7 frame 1 0 99999999999\n\n", r"byte 17 .* payload of 99999999999 bytes"),
        (b"1 frame 1 0 2\nab\n7 frame 1 0 2\nabc\n", r"byte 33 .* line feed"),
        (b"1 frame 1 0 2\nab\n" + b"x" * 5000, r"byte 17 .* without an end"),
        (b"1 frame 1 0 2\nab\n7 frame 1 0 9\nab", r"byte 17 .* cut short inside a closed segment"),
    ],
)
def test_damage_is_named_by_file_and_offset(tmp_path: Path, stream: bytes, message: str) -> None:
    path = tmp_path / "raw-00000.gz"
    path.write_bytes(gzip.compress(stream))
    got = []
    with pytest.raises(RecordingError, match=message):
        got += read_segment(path)


def test_a_damaged_stream_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, frames(100))
    path = tmp_path / "raw-00000.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"raw-00000\.gz: expected"):
        list(read_segment(path))


@pytest.mark.parametrize("content", [b"", b"\x1f", b"\0" * 100])
def test_a_file_with_nothing_in_it_has_no_records(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "raw-00000.gz"
    path.write_bytes(content)
    report = SegmentReport()
    assert list(read_segment(path, report)) == []
    assert not report.closed


def test_the_nul_bytes_of_a_power_cut_are_an_early_end(tmp_path: Path) -> None:
    items = frames(30)
    write(tmp_path, items, close=False)
    path = tmp_path / "raw-00000.gz"
    written = len(list(read_segment(path)))
    path.write_bytes(path.read_bytes() + b"\0" * 200_000)
    assert list(read_segment(path)) == items[:written]


def test_gzip_members_may_follow_one_another(tmp_path: Path) -> None:
    items = frames(10)
    path = tmp_path / "joined.gz"
    path.write_bytes(b"".join(gzip.compress(encode_record(item)) for item in items))
    report = SegmentReport()
    assert list(read_segment(path, report)) == items
    assert report.closed


@pytest.mark.parametrize("label", ["a b", "a\nb"])
def test_a_label_that_would_not_survive_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(ValueError, match="white space"):
        SegmentWriter(tmp_path).write(Input(1, InputKind.FRAME, label))


def test_a_full_disk_damages_nothing_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = frames(200)
    room = 3000
    real_write = os.write

    def write_until_full(descriptor: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = real_write(descriptor, bytes(data[:room]))  # a full disk takes a part first
        room -= taken
        return taken

    monkeypatch.setattr(os, "write", write_until_full)
    closed: list[SegmentInfo] = []
    writer = SegmentWriter(tmp_path, on_close=closed.append)
    written = 0

    def write_all() -> None:
        nonlocal written
        for written, item in enumerate(items):  # noqa: B007
            writer.write(item)

    with pytest.raises(OSError, match="No space"):
        write_all()
    with pytest.raises(RecordingError, match="earlier failure"):
        writer.write(items[-1])
    writer.close()
    assert closed == []
    got = list(read_segment(tmp_path / "raw-00000.gz"))
    assert got == items[: len(got)]
    assert written - 20 < len(got) <= written, "at most what came since the last flush is lost"


def test_memory_does_not_grow_with_the_segment(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        writer = SegmentWriter(tmp_path)
        payload = os.urandom(1000)
        for index in range(10_000):
            writer.write(Input(index * SECOND // 1000, InputKind.FRAME, "1", 0, payload))
        writer.close()
        assert sum(1 for _ in read_segment(tmp_path / "raw-00000.gz")) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000, "10 MB went through"
