"""Files that a crash cannot spoil: replaced whole or not at all, and a directory with one owner at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from urllib.parse import quote

from feeds.errors import RecordingError

__all__ = ["DirectoryLock", "file_symbol", "replace_file", "sync_directory", "write_fully"]


def write_fully(descriptor: int, pending: bytearray) -> None:
    """Write all of `pending` and empty it; on an OSError what is left in it has not been written, all before it has.

    A disk that fills up takes a part of a write first and refuses the rest at the next call.
    """
    while pending:
        written = os.write(descriptor, pending)
        del pending[:written]


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable, after a file was created or renamed in it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place whole: written under a temporary name, made durable, renamed.

    On an OSError the file that stood there is untouched and the temporary one is gone.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_fully(descriptor, bytearray(content))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def file_symbol(symbol: str) -> str:
    """A symbol as a part of a file name: `BTCUSDT` as it is, `BTC/USD` as `BTC%2FUSD`."""
    return quote(symbol, safe="")


class DirectoryLock:
    """The right to write into a directory, held by one process; the system takes it back when that process ends."""

    def __init__(self, directory: Path) -> None:
        """Raises RecordingError where another recorder holds it."""
        path = directory / "recording.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise RecordingError(
                f"expected a directory that no other recorder writes to, got {directory}, which process {owner} "
                "is recording into; stop that process or choose another directory"
            ) from None
        # The number is for people to read. The lock is the kernel's, so a stale number locks nobody out, and a full
        # disk is no reason to refuse here: the segment that cannot be written will say so.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Give the directory back; the file stays, or two owners could lock two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
