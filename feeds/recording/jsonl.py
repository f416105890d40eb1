"""Books as JSON lines, one file a symbol:

    {"timestamp": "2026-07-21T12:00:01.000000000Z", "symbol": "BTCUSDT", "last_update_id": 160, "exchange": "binance",
     "bids": [[price, size], ...], "asks": [[price, size], ...]}

Prices and sizes are JSON numbers, best level first; the timestamp is the received clock with all nine decimals.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from feeds.decimals import to_float
from feeds.recording.files import file_symbol, write_fully
from feeds.recording.sampler import BookRow

__all__ = ["JsonLines", "encode_row", "jsonl_name"]

CHUNK_BYTES = 1 << 16


def jsonl_name(symbol: str) -> str:
    """File name of a symbol's rows: `books-BTCUSDT.jsonl`."""
    return f"books-{file_symbol(symbol)}.jsonl"


def encode_row(row: BookRow, exchange: str) -> bytes:
    """One row as a line, with its line feed."""
    seconds, nanoseconds = divmod(row.time_ns, 10**9)
    line = {
        "timestamp": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z",
        "symbol": row.symbol,
        "last_update_id": row.last_update_id,
        "exchange": exchange,
        "bids": [(to_float(price), to_float(size)) for price, size in row.bids],
        "asks": [(to_float(price), to_float(size)) for price, size in row.asks],
    }
    return msgspec.json.encode(line) + b"\n"


class JsonLines:
    """Appends rows to one file, in whole lines only, and only when flushed.

    A torn last line, which a crash may leave, is cut off when the file is opened again; `torn_bytes` says how much that
    was.
    Raises OSError; lines that could not be written whole are cut off again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pending_bytes = 0
        self._pending: list[bytes] = []
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._size, whole = os.fstat(self._descriptor).st_size, _whole_lines(self._descriptor)
            self.torn_bytes = self._size - whole
            if self.torn_bytes:
                os.ftruncate(self._descriptor, whole)
                self._size = whole
        except OSError:
            os.close(self._descriptor)
            raise

    def write(self, row: BookRow, exchange: str) -> None:
        """Take one row, kept in memory until `flush`."""
        line = encode_row(row, exchange)
        self._pending.append(line)
        self.pending_bytes += len(line)

    def flush(self) -> None:
        """Hand the rows taken so far to the operating system."""
        if not self._pending:
            return
        content = bytearray(b"".join(self._pending))
        self._pending, self.pending_bytes = [], 0
        size = self._size + len(content)
        try:
            write_fully(self._descriptor, content)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size = size

    def close(self) -> None:
        """Flush, make durable, close."""
        if self._descriptor < 0:
            return
        try:
            self.flush()
            os.fsync(self._descriptor)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without writing what is still in memory."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._pending, self.pending_bytes = [], 0


def _whole_lines(descriptor: int) -> int:
    """Bytes up to and with the last line feed."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        begin = max(0, end - CHUNK_BYTES)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
