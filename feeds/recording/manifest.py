"""`manifest.json`: what a recording is and which closed segments it has; replaced whole at every rotation and at the
end.

The manifest adds to the raw segments and never stands for them: without it, or with a damaged one, a recording still
reads.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import msgspec

from feeds.errors import RecordingError
from feeds.recording.files import replace_file
from feeds.recording.segments import SegmentInfo

__all__ = ["MANIFEST_NAME", "SCHEMA_VERSION", "Manifest", "PartsInfo", "read_manifest", "write_manifest"]

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"


class PartsInfo(msgspec.Struct, frozen=True):
    """The Parquet parts of one symbol taken together (their number grows with the recording, this does not)."""

    parts: int = 0
    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def add(self, rows: int, first_ns: int, last_ns: int) -> PartsInfo:
        """With one more part; times in ns UTC."""
        return PartsInfo(self.parts + 1, self.rows + rows, self.first_ns if self.parts else first_ns, last_ns)


class Manifest(msgspec.Struct, kw_only=True):
    """Settings and contents of a recording.

    `venue` is the last session's description, from which an equal venue is built; `snapshot_interval` is in seconds,
    None for a row at every change; `counters` are totals over all sessions; `closed` is False while a recorder writes
    and after a crash.
    """

    schema_version: int = SCHEMA_VERSION
    exchange: str
    symbols: tuple[str, ...]
    venue: Any
    max_levels: int
    snapshot_interval: float | None
    rows_per_part: int
    jsonl: bool = True
    parquet: bool = True
    sessions: int = 0
    closed: bool = False
    segments: list[SegmentInfo] = msgspec.field(default_factory=list)
    parts: dict[str, PartsInfo] = msgspec.field(default_factory=dict)
    counters: dict[str, int] = msgspec.field(default_factory=dict)


class _Version(msgspec.Struct):
    schema_version: int


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Put the manifest in place whole. Raises OSError, and then the one before is untouched."""
    content = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1)
    replace_file(directory / MANIFEST_NAME, content + b"\n")


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest of a recording; None, with a RuntimeWarning, where it is missing or damaged.

    Raises RecordingError for a newer schema version than this library knows, since the segments may then mean something
    else.
    """
    path = directory / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        _warn(f"{path}: expected a manifest, found none; the raw segments are read without it")
        return None
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise RecordingError(
                f"{path}: expected schema version {SCHEMA_VERSION} or older, got {version}; use a newer quantjax"
            )
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _warn(f"{path}: expected a manifest, got damaged content ({error}); the raw segments are read without it")
        return None


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=4)
