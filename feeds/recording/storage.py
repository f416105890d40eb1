"""Where and how a recording is kept, and the books derived from it: JSON lines and Parquet parts of a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from feeds.counters import Counters
from feeds.recording.arrays import BookArraysBuilder
from feeds.recording.jsonl import JsonLines, jsonl_name
from feeds.recording.parquet import next_part_number, part_name, write_part
from feeds.recording.sampler import BookRow

__all__ = ["DerivedBooks", "Storage", "derived_files"]


@dataclass(frozen=True)
class Storage:
    """Directory and shape of a recording.

    Args: `parquet`, `jsonl`: which derived files to write beside the raw segments; `max_segment_bytes` (compressed) and
    `max_segment_seconds`: when a raw segment is closed and the next begun; `rows_per_part`: books in a Parquet part,
    the most that are held in memory for a symbol.
    """

    path: str | Path
    parquet: bool = True
    jsonl: bool = True
    max_segment_bytes: int = 1 << 25
    max_segment_seconds: float = 3600.0
    rows_per_part: int = 3600

    def __post_init__(self) -> None:
        if self.max_segment_bytes <= 0 or self.max_segment_seconds <= 0 or self.rows_per_part <= 0:
            raise ValueError(
                "expected positive max_segment_bytes, max_segment_seconds and rows_per_part, got "
                f"{self.max_segment_bytes}, {self.max_segment_seconds} and {self.rows_per_part}"
            )

    @property
    def directory(self) -> Path:
        """`path` as a Path."""
        return Path(self.path)


class DerivedBooks:
    """Writes the sampled rows of one session as JSON lines and Parquet parts; what it writes is a function of those
    rows.

    A part is cut every `rows_per_part` rows and at the end of the session. `tick_size` gives a symbol's tick as the
    venue states it at the time of the cut; `on_part(symbol, rows, first_ns, last_ns)` is told of each part. Raises
    OSError.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        exchange: str,
        levels: int,
        tick_size: Callable[[str], str],
        on_part: Callable[[str, int, int, int], None] | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._storage = storage
        self._exchange = exchange
        self._levels = levels
        self._tick_size = tick_size
        self._on_part = on_part
        self._counters = counters if counters is not None else Counters()
        self._lines: dict[str, JsonLines] = {}
        self._rows: dict[str, BookArraysBuilder] = {}
        self._part_number: dict[str, int] = {}
        if storage.parquet:
            # It takes a third of a second: better now than while frames wait, and better missed now than after hours.
            import pyarrow.parquet  # noqa: F401

    @property
    def pending_bytes(self) -> int:
        """Bytes of JSON lines that wait for `flush`."""
        return sum(lines.pending_bytes for lines in self._lines.values())

    def part_due(self, symbol: str) -> bool:
        """Whether the next row of the symbol completes a part."""
        return self._storage.parquet and len(self._rows.get(symbol, ())) == self._storage.rows_per_part - 1

    def write(self, row: BookRow) -> None:
        """Take one row; JSON lines reach the disk at `flush`, Parquet when a part is complete."""
        self._counters.count("rows")
        if self._storage.jsonl:
            if row.symbol not in self._lines:
                lines = self._lines[row.symbol] = JsonLines(self._storage.directory / jsonl_name(row.symbol))
                if lines.torn_bytes:
                    self._counters.count("torn_lines", row.symbol)
            self._lines[row.symbol].write(row, self._exchange)
        if self._storage.parquet:
            builder = self._rows.get(row.symbol)
            if builder is None:
                block_rows = min(self._storage.rows_per_part, 4096)
                builder = self._rows[row.symbol] = BookArraysBuilder(row.symbol, self._levels, block_rows=block_rows)
            builder.append(row.time_ns, row.exchange_ns, row.last_update_id, row.bids, row.asks)
            if len(builder) >= self._storage.rows_per_part:
                self._cut(builder)

    def flush(self) -> None:
        """Hand all complete lines to the operating system."""
        for lines in self._lines.values():
            lines.flush()

    def close(self) -> None:
        """End of the session: the rows left make a last, shorter part. All files are closed, also where one raises."""
        errors = []
        for finish in [*(lines.close for lines in self._lines.values()), self._cut_all]:
            try:
                finish()
            except OSError as error:
                errors.append(error)
        self._lines.clear()
        self._rows.clear()
        if errors:
            raise errors[0]

    def abandon(self) -> None:
        """Close without writing what is still in memory."""
        for lines in self._lines.values():
            lines.abandon()
        self._lines.clear()
        self._rows.clear()

    def _cut_all(self) -> None:
        for builder in self._rows.values():
            if len(builder):
                self._cut(builder)

    def _cut(self, builder: BookArraysBuilder) -> None:
        symbol = builder.symbol
        directory = self._storage.directory
        number = self._part_number[symbol] if symbol in self._part_number else next_part_number(directory, symbol)
        tick_size = self._tick_size(symbol)
        books = builder.build(float(tick_size or "nan"))
        write_part(directory / part_name(symbol, number), books, exchange=self._exchange, tick_size=tick_size)
        self._part_number[symbol] = number + 1
        if self._on_part is not None:
            self._on_part(symbol, len(books), int(books.time_ns[0]), int(books.time_ns[-1]))


def derived_files(directory: Path) -> list[Path]:
    """JSON lines and Parquet parts in a directory, sorted by name."""
    return sorted(path for path in directory.glob("books-*") if path.suffix in (".jsonl", ".parquet"))
