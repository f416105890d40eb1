"""The lab's JSON lines, one book a line, several symbols as they come:

    {"timestamp": "2026-07-21T12:00:01.5Z", "symbol": "BTCUSDT", "last_update_id": 160, "exchange": "binance",
     "bids": [[price, size], ...], "asks": [[price, size], ...]}

Prices and sizes are numbers or decimal strings, best level first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.rows import RowSampler, screen
from quantjax.io.text import lines
from quantjax.io.ticks import TickGuess
from quantjax.io.times import iso_to_ns
from quantjax.lob import Book, BookSeries

__all__ = ["read_jsonl"]

Levels = list[tuple[float, float]]


class _Line(msgspec.Struct):
    timestamp: str
    symbol: str
    bids: Levels
    asks: Levels
    last_update_id: int | None = None
    exchange: str | None = None


_ROWS_AS_LISTS = 512  # Python's floats and tuples take seven times the memory of an array's
_REQUIRED = ("timestamp", "symbol", "bids", "asks")
# Not strict: it takes numbers in strings too.
_decoder = msgspec.json.Decoder(_Line, strict=False)


def read_jsonl(path: Path, options: ReadOptions, report: ReadReport) -> Iterator[BookSeries]:
    """Books of a file, or of a directory of `books-*.jsonl[.gz]`, in blocks of one symbol each, as they fill.

    Lines that cannot be read are skipped and counted by reason. Levels out of order are kept (`unsorted_kept`); books
    of fewer levels than asked for are filled up with absent ones. The only clock is the one that the line has, the
    recorder's. Raises DataError where no line can be read, and for `clock="exchange"`.
    """
    if options.clock == "exchange":
        raise DataError(f"{path}: expected clock='received': JSON lines do not have the exchange's time")
    interval_ns = options.interval_ns
    files = _files(path)
    exchanges: dict[str, None] = {}
    report.metadata |= {"files": [str(file) for file in files], "clock": "received", "levels": options.levels}
    columns: dict[str, _Columns] = {}
    for file in files:
        for line in _readable(file, report.counts):
            if not options.wants(line.symbol):
                report.counts["other_symbols"] += 1
                continue
            if line.symbol not in columns:
                report.symbols[line.symbol] = None
                sampler = None if interval_ns is None else RowSampler(interval_ns, report.counts)
                columns[line.symbol] = _Columns(line.symbol, options, report, sampler)
            if line.exchange:
                exchanges[line.exchange] = None
            mine = columns[line.symbol]
            mine.append(line)
            if len(mine) >= options.block_rows:
                yield mine.build()
    for mine in columns.values():
        if len(mine):
            yield mine.build()
    report.metadata |= {
        "exchange": ", ".join(exchanges) or None,
        "tick_size": {symbol: mine.tick.describe() for symbol, mine in columns.items()},
        "source_unit": dict.fromkeys(columns, "as written"),
    }
    options.check_symbols(report.symbols, path)
    if not columns and not report.counts["other_symbols"]:
        problems = ", ".join(f"{count} {name}" for name, count in report.counts.as_dict().items() if count)
        raise DataError(
            f"{path}: expected JSON lines with {', '.join(_REQUIRED)}, got none that can be read ({problems})"
        )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted([*path.glob("books-*.jsonl"), *path.glob("books-*.jsonl.gz")])
    if not files:
        raise DataError(f"{path}: expected books-*.jsonl files in the directory, found none")
    return files


class _TimedLine(msgspec.Struct):
    time_ns: int
    symbol: str
    bids: Levels
    asks: Levels
    last_update_id: int | None
    exchange: str | None


def _readable(path: Path, counts: Counts) -> Iterator[_TimedLine]:
    """The lines that can be read; the others are counted."""
    for text in lines(path, counts):
        if text.isspace():
            continue
        counts["rows_read"] += 1
        try:
            line = _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            line = _second_look(text, counts)
            if line is None:
                continue
        try:
            time_ns = iso_to_ns(line.timestamp)
        except (ValueError, OverflowError):
            counts["bad_timestamp"] += 1
            continue
        yield _TimedLine(time_ns, line.symbol, line.bids, line.asks, line.last_update_id, line.exchange)


def _second_look(text: bytes, counts: Counts) -> _Line | None:
    """What is wrong with a line, counted; or the line, where only its NaN is no JSON (its book is skipped later)."""
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        if any(key not in content for key in _REQUIRED):
            counts["missing_key"] += 1
            return None
        sides = [[(float(price), float(size)) for price, size in content[side]] for side in ("bids", "asks")]
        return _Line(str(content["timestamp"]), str(content["symbol"]), sides[0], sides[1])
    except (ValueError, TypeError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        if text.endswith(b"\n"):
            counts["malformed_lines"] += 1
        else:
            counts["torn_lines"] += 1
            counts["bytes_cut"] += len(text)
        return None


class _Columns:
    """Rows of one symbol, until there are enough for a block."""

    def __init__(self, symbol: str, options: ReadOptions, report: ReadReport, sampler: RowSampler | None) -> None:
        self.tick = TickGuess()
        self._symbol = symbol
        self._options = options
        self._report = report
        self._sampler = sampler
        self._last_id: int | None = None
        self._clear()

    def __len__(self) -> int:
        return len(self._time_ns)

    def append(self, line: _TimedLine) -> None:
        if line.last_update_id is not None:
            if self._last_id is not None and line.last_update_id < self._last_id:
                self._report.counts["update_id_went_back"] += 1
            self._last_id = line.last_update_id
        self._time_ns.append(line.time_ns)
        levels = self._options.levels
        for values, side in zip(self._sides, (line.bids, line.asks), strict=True):
            present = [level for level in side if level[1] != 0]
            self._report.counts["zero_size_levels"] += len(side) - len(present)
            values += present[:levels]
            values += self._absent[len(present) :]
        if len(self) % _ROWS_AS_LISTS == 0:
            self._pack()

    def build(self) -> BookSeries:
        """The rows so far as a block, and begin anew."""
        self._pack()
        bids, asks = (np.concatenate(pieces) for pieces in self._packed)
        time_ns = np.array(self._time_ns, np.int64)
        self._clear()
        arrays = (bids[..., 0], bids[..., 1], asks[..., 0], asks[..., 1])
        book = Book(*(np.ascontiguousarray(array, self._options.dtype) for array in arrays))
        series, kept = screen(BookSeries(time_ns, book, self._symbol, 1.0), self._report.counts)
        self.tick.see(bids[kept, :, 0])
        self.tick.see(asks[kept, :, 0])
        self._report.tick_sizes[self._symbol] = self.tick.size
        series = BookSeries(series.time_ns, series.book, self._symbol, self.tick.size)
        return series if self._sampler is None else self._sampler(series)

    def _pack(self) -> None:
        for values, pieces in zip(self._sides, self._packed, strict=True):
            pieces.append(np.array(values, np.float64).reshape(-1, self._options.levels, 2))
            values.clear()

    def _clear(self) -> None:
        self._time_ns: list[int] = []
        self._sides: tuple[Levels, Levels] = ([], [])
        self._packed: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self._absent = [(float("nan"), 0.0)] * self._options.levels
