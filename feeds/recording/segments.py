"""Raw segments: the log of inputs as append-only gzip files that are readable however their writing ended.

Inside the compressed stream each input is a header line and its payload, any bytes, then a line feed:

    {received_ns} {kind} {label} {status} {length of the payload}\\n
    {payload}\\n

so that `zcat raw-00000.gz` shows it to a person. What was written is pushed to the operating system at least once a
second (Z_SYNC_FLUSH), so after `kill -9` a reader gets everything but the last second; a closed segment also has gzip's
trailer (length and CRC) and is fsynced.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from feeds.errors import RecordingError
from feeds.inputs import Input, InputKind
from feeds.recording.files import sync_directory, write_fully

__all__ = [
    "SegmentInfo",
    "SegmentReport",
    "SegmentWriter",
    "encode_record",
    "list_segments",
    "read_segment",
    "segment_name",
    "segment_number",
]

FLUSH_NS = 1_000_000_000
GZIP_WINDOW = 31  # zlib's code for the largest window inside a gzip wrapper
CHUNK_BYTES = 1 << 16
MAX_HEADER_BYTES = 4096
MAX_PAYLOAD_BYTES = 1 << 28  # no venue sends a quarter of a gigabyte at once: a longer length is a damaged one
NUL_TAIL_BYTES = 64

_KINDS = {kind.value.encode(): kind for kind in InputKind}


class SegmentInfo(msgspec.Struct, frozen=True):
    """What the manifest says of a segment. Times are of the received clock, ns UTC; `last_ns` is the largest."""

    file: str
    records: int
    bytes: int  # on disk, compressed
    first_ns: int
    last_ns: int
    blake2b: str  # of the file's bytes, 16 bytes in hexadecimal
    closed: bool = True  # False: a crash cut it, and this says what could be read


@dataclass(slots=True)
class SegmentReport:
    """What `read_segment` found, complete once its iterator is exhausted."""

    records: int = 0
    first_ns: int = 0
    last_ns: int = 0  # the largest received time
    closed: bool = False  # the gzip trailer is there and agrees
    cut_bytes: int = 0  # decompressed bytes of a partial record at the end, which were left out


def segment_name(number: int) -> str:
    """File name of a segment: `raw-00000.gz`."""
    return f"raw-{number:05d}.gz"


def segment_number(name: str) -> int | None:
    """Number in a segment's file name, None where it is not one."""
    match = re.fullmatch(r"raw-(\d{5,})\.gz", name)
    return int(match[1]) if match else None


def list_segments(directory: Path) -> list[Path]:
    """Paths of the segments of a directory, in order of their numbers."""
    found = [(segment_number(path.name), path) for path in directory.iterdir()]
    return [path for _, path in sorted((number, path) for number, path in found if number is not None)]


def encode_record(item: Input) -> bytes:
    """Bytes of one input inside the compressed stream. Raises ValueError for a label that would not survive."""
    label = item.label.encode()
    if b" " in label or b"\n" in label:
        raise ValueError(f"expected a label without white space, got {item.label!r}")
    return b"%d %s %s %d %d\n%s\n" % (
        item.received_ns,
        item.kind.encode(),
        label,
        item.status,
        len(item.payload),
        item.payload,
    )


class SegmentWriter:
    """Appends inputs to numbered segments of a directory, and goes to the next where one is large or old enough.

    Args: `number`, the first segment's (it must not exist); `max_bytes`, compressed size after which a segment is
    closed; `max_seconds`, span of received time after which it is; `on_close`, told of each segment that was closed.

    Not a thread-safe object. Any OSError of the disk is the caller's to see; after one nothing more is taken
    (RecordingError), since a stream with a hole could not be read past it, and what was written before stays readable.
    """

    def __init__(
        self,
        directory: Path,
        *,
        number: int = 0,
        max_bytes: int = 1 << 25,
        max_seconds: float = 3600.0,
        on_close: Callable[[SegmentInfo], None] | None = None,
    ) -> None:
        if max_bytes <= 0 or max_seconds <= 0:
            raise ValueError(f"expected positive limits of a segment, got {max_bytes} bytes and {max_seconds} seconds")
        self.number = number
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_ns = int(max_seconds * 1e9)
        self._on_close = on_close
        self._descriptor = -1
        self._failed = False
        self._pending = bytearray()
        self._unflushed = False

    @property
    def path(self) -> Path:
        """The segment being written, or the one that the next input will begin."""
        return self._directory / segment_name(self.number)

    @property
    def bytes_written(self) -> int:
        """Compressed bytes of the open segment that have reached the operating system; 0 where none is open."""
        return self._bytes if self._descriptor >= 0 else 0

    def write(self, item: Input) -> None:
        """Append one input. Raises OSError (the disk), RecordingError (after a failure), ValueError (a bad label)."""
        if self._failed:
            raise RecordingError(
                f"expected a disk that can be written, got an earlier failure at {self.path}; start again"
            )
        record = encode_record(item)
        if self._descriptor >= 0 and (
            self._bytes >= self._max_bytes or item.received_ns - self._first_ns >= self._max_ns
        ):
            self.close()
        if self._descriptor < 0:
            self._open(item.received_ns)
        self._records += 1
        self._last_ns = max(self._last_ns, item.received_ns)
        self._unflushed = True
        self._put(self._deflate.compress(record))
        # The clock may jump back, hence the absolute value.
        if abs(item.received_ns - self._flushed_ns) >= FLUSH_NS:
            self.flush()
            self._flushed_ns = item.received_ns

    def flush(self) -> None:
        """Hand everything written so far to the operating system, which keeps it should this process die."""
        if self._unflushed and not self._failed:
            self._put(self._deflate.flush(zlib.Z_SYNC_FLUSH))
            self._unflushed = False

    def close(self) -> None:
        """Finish the open segment: trailer, fsync, `on_close`. After a failure the file is left as it is."""
        if self._descriptor < 0:
            return
        try:
            if not self._failed:
                self._put(self._deflate.flush(zlib.Z_FINISH))
                self._synced(os.fsync, self._descriptor)
                self._synced(sync_directory, self._directory)
        finally:
            os.close(self._descriptor)
            self._descriptor = -1
            self._unflushed = False
            self._pending.clear()
        info = SegmentInfo(
            self.path.name, self._records, self._bytes, self._first_ns, self._last_ns, self._digest.hexdigest()
        )
        self.number += 1
        if self._on_close is not None and not self._failed:
            self._on_close(info)

    def _open(self, received_ns: int) -> None:
        # O_EXCL: a segment that exists is never written over.
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, GZIP_WINDOW)
        self._digest = blake2b(digest_size=16)
        self._records = self._bytes = 0
        self._first_ns = self._last_ns = self._flushed_ns = received_ns

    def _put(self, compressed: bytes) -> None:
        if compressed:
            self._pending += compressed
            self._synced(write_fully, self._descriptor, self._pending)
            self._digest.update(compressed)
            self._bytes += len(compressed)

    def _synced(self, action: Callable[..., None], *arguments: object) -> None:
        try:
            action(*arguments)
        except OSError:
            self._failed = True
            raise


def read_segment(path: str | Path, report: SegmentReport | None = None) -> Iterator[Input]:
    """Inputs of one segment, in order, in memory that does not grow with the file.

    A file that stops short (a crash, a copy cut off, an empty file) gives its whole records, and `report` says how much
    of a partial one was left out. A tail of NUL bytes, which some file systems leave behind a power cut, counts as
    stopping short.

    Raises RecordingError, naming the file and the offset, where the bytes are damaged: the compressed stream, a header,
    an unknown kind, or the CRC of a closed file. Damage that compression cannot see comes out only with that CRC, after
    the records: to know beforehand, compare the file with the manifest's digest, as
    `feeds.recording.replay.read_inputs` does.
    """
    path = Path(path)
    report = report if report is not None else SegmentReport()
    buffer, start = b"", 0  # `start`: decompressed offset of the buffer's first byte
    for data in _decompressed(path, report):
        buffer += data
        position = 0
        while (end := buffer.find(b"\n", position, position + MAX_HEADER_BYTES)) >= 0:
            received_ns, kind, label, status, length = _parse_header(buffer[position:end], path, start + position)
            after = end + 1 + length
            if len(buffer) <= after:
                break
            if buffer[after] != 0x0A:
                raise _damaged(path, start + after, "a record that does not end with a line feed")
            if not report.records:
                report.first_ns = report.last_ns = received_ns
            report.records += 1
            report.last_ns = max(report.last_ns, received_ns)
            yield Input(received_ns, kind, label, status, buffer[end + 1 : after])
            position = after + 1
        else:
            if len(buffer) - position > MAX_HEADER_BYTES:
                raise _damaged(path, start + position, "a header line without an end")
        buffer = buffer[position:]
        start += position
    report.cut_bytes = len(buffer)
    if buffer and report.closed:
        raise _damaged(path, start, "a record cut short inside a closed segment")


def _decompressed(path: Path, report: SegmentReport) -> Iterator[bytes]:
    inflate = zlib.decompressobj(GZIP_WINDOW)
    with path.open("rb") as file:
        left = _written_bytes(file.fileno())
        try:
            while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
                left -= len(chunk)
                while chunk:
                    if inflate.eof:  # gzip members may follow one another, as after `cat a.gz b.gz`
                        inflate = zlib.decompressobj(GZIP_WINDOW)
                    yield inflate.decompress(chunk, 4 * CHUNK_BYTES)
                    chunk = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if not inflate.eof:
                yield inflate.flush()
        except zlib.error as error:
            near = file.tell()
            raise RecordingError(
                f"{path}: expected gzip data, got damaged bytes ({error}) "
                f"at or up to {CHUNK_BYTES} bytes before byte {near} of the file"
            ) from None
    report.closed = inflate.eof


def _written_bytes(descriptor: int) -> int:
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        begin = max(0, end - CHUNK_BYTES)
        content = os.pread(descriptor, end - begin, begin).rstrip(b"\0")
        if content:
            end = begin + len(content)
            break
        end = begin
    # The length in gzip's trailer may itself end in a few NUL bytes.
    return end if size - end >= NUL_TAIL_BYTES else size


def _parse_header(header: bytes, path: Path, offset: int) -> tuple[int, InputKind, str, int, int]:
    try:
        received_ns, kind, label, status, length = header.split(b" ")
        parsed = int(received_ns), _KINDS[kind], label.decode(), int(status), int(length)
    except KeyError as error:
        raise _damaged(path, offset, f"a record of unknown kind {error}") from None
    except ValueError:
        raise _damaged(path, offset, f"the header line {header[:80]!r}") from None
    if not 0 <= parsed[-1] <= MAX_PAYLOAD_BYTES:
        raise _damaged(path, offset, f"a payload of {parsed[-1]} bytes")
    return parsed


def _damaged(path: Path, offset: int, what: str) -> RecordingError:
    return RecordingError(f"{path}: expected a record at byte {offset} of the decompressed segment, got {what}")
