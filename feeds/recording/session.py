"""One process's turn at a recording: raw segments, the books derived from them, the manifest. No event loop in here.

    <directory>/
      manifest.json                    settings, closed segments, counters
      raw-00000.gz, raw-00001.gz ...   the inputs, as they came: the truth
      books-BTCUSDT.jsonl              sampled books, derived
      books-BTCUSDT-00000.parquet ...  the same, derived
      recording.lock                   held by the recorder that writes here

Derived rows reach the disk only after the inputs they come from, so that a crash leaves nothing derived that the raw
segments cannot explain. What a crash takes from the derived files (at most the rows of an unfinished part and the last
second's lines) stays in the raw segments, and `feeds.recording.replay.rebuild` brings it back.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

import msgspec

from feeds.counters import Counters
from feeds.errors import RecordingError
from feeds.inputs import Input, InputKind
from feeds.recording.files import DirectoryLock
from feeds.recording.manifest import MANIFEST_NAME, Manifest, PartsInfo, read_manifest, write_manifest
from feeds.recording.playback import tick_size_text
from feeds.recording.sampler import BookRow, BookSampler, to_interval_ns
from feeds.recording.segments import (
    SegmentInfo,
    SegmentReport,
    SegmentWriter,
    list_segments,
    read_segment,
    segment_number,
)
from feeds.recording.storage import DerivedBooks, Storage
from feeds.venue import Output, Venue

__all__ = ["RECORDING_REASONS", "Recording"]

PENDING_BYTES = 1 << 20

RECORDING_REASONS: dict[str, str] = {
    "inputs": "inputs recorded",
    "rows": "sampled books written or replayed",
    "samples_missed": "boundaries that passed without an input of their own, or again after the clock jumped back",
    "not_synced": "boundaries at which a symbol's book was not in sync: no row",
    "beyond_snapshot": "rows that reach beyond the prices of a snapshot with as many levels as were asked for: levels "
    "that rest there unchanged since are unknown",
    "sampler_clock_back": "inputs received before their predecessor, by this machine's clock",
    "torn_lines": "JSON lines that a crash had cut and a restart removed",
    "recorder_restarted": "sessions that continued an earlier recording",
    "storage_failed": "recordings that ended because the disk refused a write",
    "manifest_damaged": "manifests that could not be read",
    "segments_unclosed": "segments without an end, as a crash leaves them; read up to there",
    "bytes_cut": "decompressed bytes of partial records at the end of such segments",
    "segments_damaged": "segments whose bytes are not those that were written; the rest of each was skipped",
    "segments_truncated": "closed segments that lost their end since; read up to there",
    "segments_missing": "segments that the manifest lists and the directory has not",
    "inputs_before_session": "inputs that no session describes the venue of; skipped",
}
"""What recorder and replay count besides `feeds.faults.REASONS`. Names are stable."""


class Recording:
    """Writes what a venue is fed and what becomes of its books.

    Call `before(item)` and `after(item, output)` around each `venue.process(item)`, `flush()` at least once a second,
    `close()` at the end. A directory that holds a recording is continued with new segments; nothing in it is written
    over.

    Args: `levels` and `snapshot_interval` (seconds, None: at every change) shape the sampled rows. `counters` takes
    what is counted here; `client_counters` gives what the client counted, which the manifest holds too.
    Raises RecordingError where another recorder writes there, or the recording there was made with other settings;
    OSError of the disk.
    """

    def __init__(
        self,
        storage: Storage,
        venue: Venue,
        *,
        symbols: tuple[str, ...],
        max_levels: int,
        snapshot_interval: float | None,
        counters: Counters,
        client_counters: Callable[[], Counters] = Counters,
    ) -> None:
        self.storage = storage
        self.venue = venue
        self.counters = counters
        self._client_counters = client_counters
        self._failed = False
        self._began = False
        self._manifest_due = False
        interval_ns = to_interval_ns(snapshot_interval)
        directory = storage.directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock: DirectoryLock | None = DirectoryLock(directory)
        try:
            self._manifest = Manifest(
                exchange=venue.name,
                symbols=symbols,
                venue=msgspec.json.decode(venue.describe()),
                max_levels=max_levels,
                snapshot_interval=snapshot_interval,
                rows_per_part=storage.rows_per_part,
                jsonl=storage.jsonl,
                parquet=storage.parquet,
                sessions=1,
            )
            number = self._continue(directory)
            self._earlier = Counters(self._manifest.counters)
            # One that derives nothing need not sample.
            self._sampler = BookSampler(
                symbols if storage.jsonl or storage.parquet else (),
                max_levels,
                interval_ns,
                counters=counters,
                after_ns=max((segment.last_ns for segment in self._manifest.segments), default=0),
            )
            self._derived = DerivedBooks(
                storage,
                exchange=venue.name,
                levels=max_levels,
                tick_size=lambda symbol: tick_size_text(venue, symbol),
                on_part=self._part_written,
                counters=counters,
            )
            self._segments = SegmentWriter(
                directory,
                number=number,
                max_bytes=storage.max_segment_bytes,
                max_seconds=storage.max_segment_seconds,
                on_close=self._segment_closed,
            )
            self._write_manifest()
        except BaseException:
            self._release()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def num_segments(self) -> int:
        """Segments of the recording, the open one included."""
        return len(self._manifest.segments) + (self._segments.bytes_written > 0)

    @property
    def num_bytes(self) -> int:
        """Compressed bytes of all raw segments so far."""
        return sum(segment.bytes for segment in self._manifest.segments) + self._segments.bytes_written

    def before(self, item: Input) -> None:
        """Take the rows that `item` makes due and record it, before the venue processes it. Raises OSError."""
        if self._failed:
            return
        try:
            if not self._began and item.kind is not InputKind.SESSION:
                # Replay needs to know which venue it was, also where the feeder did not say.
                self._segments.write(Input(item.received_ns, InputKind.SESSION, payload=self.venue.describe()))
            self._began = True
            rows = self._sampler.before(item, self.venue.books)
            self._segments.write(item)
            self._write(rows)
            self.counters.count("inputs")
        except OSError:
            self._fail()
            raise

    def after(self, item: Input, output: Output) -> None:
        """Take the rows of the books that `item` changed, after the venue processed it. Raises OSError."""
        if self._failed:
            return
        try:
            self._write(self._sampler.after(item, output, self.venue.books))
        except OSError:
            self._fail()
            raise

    def flush(self) -> None:
        """Hand all to the operating system: first the inputs, then what was derived from them. Raises OSError."""
        if self._failed:
            return
        try:
            self._segments.flush()
            self._derived.flush()
            if self._manifest_due:
                self._write_manifest()
        except OSError:
            self._fail()
            raise

    def close(self) -> None:
        """Close every file and write the manifest, then give the directory back.

        Raises OSError where the disk refused; all that could be closed is, and what had been written before is
        untouched.
        """
        if self._lock is None:
            return
        errors: list[OSError] = []
        # What derives from inputs that may be lost is not written; `rebuild` derives what the inputs that are there
        # give.
        finish_derived = self._derived.abandon if self._failed else self._derived.close
        for finish in (self._segments.close, finish_derived, lambda: self._write_manifest(closed=not errors)):
            try:
                finish()
            except OSError as error:
                if not self._failed:
                    self._fail()
                errors.append(error)
        self._release()
        if errors:
            raise errors[0]

    def _write(self, rows: list[BookRow]) -> None:
        for row in rows:
            if self._derived.part_due(row.symbol):
                self._segments.flush()
            self._derived.write(row)
        if self._derived.pending_bytes > PENDING_BYTES:
            self.flush()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _fail(self) -> None:
        self._failed = True
        self.counters.count("storage_failed")

    def _segment_closed(self, info: SegmentInfo) -> None:
        self._manifest.segments.append(info)
        self._write_manifest()

    def _part_written(self, symbol: str, rows: int, first_ns: int, last_ns: int) -> None:
        parts = self._manifest.parts.get(symbol, PartsInfo())
        self._manifest.parts[symbol] = parts.add(rows, first_ns, last_ns)
        self._manifest_due = True  # at the next flush: many symbols complete their parts at the same boundary

    def _write_manifest(self, closed: bool = False) -> None:
        self._manifest_due = False
        self._manifest.closed = closed and not self._failed
        total = self._earlier + self.counters + self.venue.counters + self._client_counters()
        self._manifest.counters = dict(sorted(total.items()))
        self._manifest.venue = msgspec.json.decode(self.venue.describe())
        write_manifest(self.storage.directory, self._manifest)

    def _continue(self, directory: Path) -> int:
        """Take over what an earlier recorder left; the number of the first segment to write."""
        for temporary in directory.glob(".*.tmp"):
            temporary.unlink()
        for temporary in directory.glob(".rebuild-*"):
            shutil.rmtree(temporary, ignore_errors=True)
        segments = list_segments(directory)
        path = directory / MANIFEST_NAME
        earlier = read_manifest(directory) if segments or path.exists() else None
        if earlier is None and path.exists():
            self.counters.count("manifest_damaged")
            path.rename(directory / f"{MANIFEST_NAME}.damaged")
        manifest = self._manifest
        if earlier is not None:
            for name in ("exchange", "max_levels", "snapshot_interval", "rows_per_part"):
                if getattr(earlier, name) != getattr(manifest, name):
                    raise RecordingError(
                        f"expected the settings of the recording in {directory}, {name}={getattr(earlier, name)!r}, "
                        f"got {getattr(manifest, name)!r}; continue with the same or choose another directory"
                    )
            manifest.symbols = tuple(dict.fromkeys((*earlier.symbols, *manifest.symbols)))
            manifest.sessions = earlier.sessions + 1
            manifest.segments, manifest.parts, manifest.counters = earlier.segments, earlier.parts, earlier.counters
        if segments or manifest.segments:
            self.counters.count("recorder_restarted")
        listed = {info.file for info in manifest.segments}
        manifest.segments += [self._adopt(segment) for segment in segments if segment.name not in listed]
        manifest.segments.sort(key=lambda info: segment_number(info.file) or 0)
        numbers = [segment_number(info.file) for info in manifest.segments]
        return max((number for number in numbers if number is not None), default=-1) + 1

    def _adopt(self, path: Path) -> SegmentInfo:
        """Describe a segment that a crash left out of the manifest."""
        report = SegmentReport()
        try:
            for _ in read_segment(path, report):
                pass
        except RecordingError as error:
            warnings.warn(
                f"a damaged segment of the earlier recording is kept as it is: {error}", RuntimeWarning, stacklevel=2
            )
        if not report.closed:
            self.counters.count("segments_unclosed")
            self.counters.count("bytes_cut", by=report.cut_bytes)
        digest = blake2b(digest_size=16)
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return SegmentInfo(
            path.name,
            report.records,
            path.stat().st_size,
            report.first_ns,
            report.last_ns,
            digest.hexdigest(),
            closed=report.closed,
        )
