"""JSON lines and Parquet made again from the raw segments, as the recorder would have written them."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from feeds.counters import Counters
from feeds.errors import RecordingError
from feeds.recording.files import DirectoryLock
from feeds.recording.playback import BuildVenue, Replay, tick_size_text
from feeds.recording.reading import Damaged
from feeds.recording.storage import DerivedBooks, Storage, derived_files

__all__ = ["rebuild"]

DEFAULT_ROWS_PER_PART = Storage("").rows_per_part


def rebuild(
    path: str | Path,
    out: str | Path | None = None,
    *,
    counters: Counters | None = None,
    damaged: Damaged = "raise",
    build_venue: BuildVenue | None = None,
) -> list[Path]:
    """Write a recording's derived files from its raw segments; paths of the files written.

    They are byte for byte what the recorder wrote, and whole where a crash had kept it from writing (its unfinished
    parts and last lines). Given `out`, they go there, and `out` must not have any; without it they replace those of the
    recording, once all are made.

    Raises RecordingError as `feeds.recording.reading.read_inputs` does, where `out` holds derived files, and where a
    recorder is still writing the recording whose files are to be replaced; OSError of the disk.
    """
    path = Path(path)
    if out is None:
        if not path.is_dir():
            raise RecordingError(f"expected the directory of a recording, or `out` to write to, got {path}")
        return _replace(path, counters, damaged, build_venue)
    directory = Path(out)
    directory.mkdir(parents=True, exist_ok=True)
    if existing := derived_files(directory):
        raise RecordingError(
            f"expected a directory without books-* files, got {directory}, which holds {existing[0].name}"
        )
    return _write(path, directory, counters, damaged, build_venue)


def _replace(path: Path, counters: Counters | None, damaged: Damaged, build_venue: BuildVenue | None) -> list[Path]:
    lock = DirectoryLock(path)
    try:
        # In the same directory, so that renaming is all that is left to do.
        temporary = Path(mkdtemp(prefix=".rebuild-", dir=path))
        try:
            made = _write(path, temporary, counters, damaged, build_venue)
            for file in derived_files(path):
                file.unlink()
            return [file.rename(path / file.name) for file in made]
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    finally:
        lock.release()


def _write(
    path: Path, out: Path, counters: Counters | None, damaged: Damaged, build_venue: BuildVenue | None
) -> list[Path]:
    source = Replay(path, counters=counters, damaged=damaged, build_venue=build_venue)
    manifest = source.manifest
    if manifest is None:
        storage = Storage(out, rows_per_part=DEFAULT_ROWS_PER_PART)
    else:
        storage = Storage(out, manifest.parquet, manifest.jsonl, rows_per_part=manifest.rows_per_part)
    session, derived = 0, None
    try:
        for row in source.rows():
            if derived is None or session != source.sessions:
                if derived is not None:
                    derived.close()
                session, venue = source.sessions, source.venue
                assert venue is not None
                derived = DerivedBooks(
                    storage,
                    exchange=venue.name,
                    levels=source.levels,
                    tick_size=lambda symbol, venue=venue: tick_size_text(venue, symbol),
                    counters=source.counters,
                )
            derived.write(row)
            if derived.pending_bytes > 1 << 20:
                derived.flush()
    except BaseException:
        if derived is not None:
            derived.abandon()
        raise
    if derived is not None:
        derived.close()
    return derived_files(out)
