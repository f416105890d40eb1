"""The inputs of a recording, whole or damaged, in order."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from feeds.counters import Counters
from feeds.errors import RecordingError
from feeds.inputs import Input
from feeds.recording.manifest import MANIFEST_NAME, Manifest, read_manifest
from feeds.recording.segments import SegmentInfo, SegmentReport, list_segments, read_segment, segment_number

__all__ = ["Damaged", "read_inputs", "read_recorded", "recording_manifest"]

Damaged = Literal["raise", "skip"]
"""What to do about bytes that are not those that were written: raise RecordingError, or skip them and count."""


def recording_manifest(path: str | Path) -> Manifest | None:
    """Manifest of the recording that `path` (its directory, or one segment) belongs to; None, with a warning, where
    there is none.

    Raises RecordingError where nothing of a recording is there, or it is of a newer schema.
    """
    path = Path(path)
    if path.is_file():
        return read_manifest(path.parent) if (path.parent / MANIFEST_NAME).exists() else None
    if not path.is_dir():
        raise RecordingError(f"expected a recording (a directory or a segment), got {path}, which does not exist")
    if not (path / MANIFEST_NAME).exists() and not list_segments(path):
        raise RecordingError(f"expected a recording, got {path}, which holds no manifest and no raw-*.gz segments")
    return read_manifest(path)


def read_inputs(path: str | Path, *, counters: Counters | None = None, damaged: Damaged = "raise") -> Iterator[Input]:
    """Inputs of a recording (its directory), or of one segment, in the order in which they came; memory does not grow
    with the recording.

    Segments that the manifest does not list, as a crash leaves them, are read too, as far as they go
    (`segments_unclosed`, `bytes_cut`). Closed segments are first compared with the manifest's digest, so that damage is
    known before any input of the segment is given.

    Args: `damaged="skip"` leaves out what is damaged, lost or cut and counts it in `counters` (`segments_damaged`,
    `segments_missing`, `segments_truncated`); the venue's sequence rules then see the hole as a gap, so no wrong book
    comes of it.
    Raises RecordingError: nothing there, a newer schema, and with `damaged="raise"` any damage.
    """
    counters = counters if counters is not None else Counters()
    yield from read_recorded(Path(path), recording_manifest(path), counters, damaged)


def read_recorded(
    path: Path, manifest: Manifest | None, counters: Counters, damaged: Damaged = "raise"
) -> Iterator[Input]:
    """`read_inputs` for one who has read the manifest already."""
    listed = {info.file: info for info in manifest.segments} if manifest else {}
    if path.is_file():
        yield from _read(path, listed.get(path.name), counters, damaged)
        return
    if manifest is None:
        counters.count("manifest_damaged")
    present = {segment.name: segment for segment in list_segments(path)}
    for name in sorted(listed.keys() | present.keys(), key=lambda name: segment_number(name) or 0):
        if name in present:
            yield from _read(present[name], listed.get(name), counters, damaged)
        else:
            _refuse(
                f"{path / name}: expected the segment that the manifest lists, found none", "missing", counters, damaged
            )


def _read(path: Path, info: SegmentInfo | None, counters: Counters, damaged: Damaged) -> Iterator[Input]:
    if info is not None and not _is_as_written(path, info, counters, damaged):
        return
    report = SegmentReport()
    try:
        yield from read_segment(path, report)
    except RecordingError as error:
        _refuse(str(error), "damaged", counters, damaged)
        return
    if not report.closed:
        counters.count("segments_unclosed")
        counters.count("bytes_cut", by=report.cut_bytes)


def _is_as_written(path: Path, info: SegmentInfo, counters: Counters, damaged: Damaged) -> bool:
    """Whether to read the segment: it is as the manifest says, or it is the beginning of that."""
    size = path.stat().st_size
    if size < info.bytes:
        text = f"{path}: expected {info.bytes} bytes as the manifest says, got {size}: the end of the segment is lost"
        _refuse(text, "truncated", counters, damaged)
        return True
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() == info.blake2b:
        return True
    text = f"{path}: expected the bytes that the manifest's digest stands for, got others: the segment is damaged"
    _refuse(text, "damaged", counters, damaged)
    return False


def _refuse(text: str, what: str, counters: Counters, damaged: Damaged) -> None:
    counters.count(f"segments_{what}")
    if damaged == "raise":
        raise RecordingError(f'{text}; pass damaged="skip" to read the rest')
    warnings.warn(f"{text}; skipped", RuntimeWarning, stacklevel=4)
