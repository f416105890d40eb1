"""Parquet parts of books, as `feeds` and `io.write_books` write them: a row a book, a column a level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from feeds.recording.parquet import PART_SCHEMA_VERSION, SIDES
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.rows import RowSampler, screen
from quantjax.io.ticks import TickGuess
from quantjax.lob import Book, BookSeries

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["read_parquet"]

_PART = re.compile(r"books-(?P<symbol>.+)-(?P<number>\d{5,})\.parquet")


def read_parquet(path: Path, options: ReadOptions, report: ReadReport) -> Iterator[BookSeries]:
    """Books of one part, or of all parts of a directory (`books-SYMBOL-00000.parquet`), symbol after symbol, in blocks.

    Columns `time_ns`, `exchange_ns`, `bid_price_1`, `bid_size_1`, `ask_price_1`, ...; symbol and tick size are in the
    file's metadata. All blocks of a symbol have the levels of its deepest part. Raises DataError that names the columns
    which are missing.
    """
    interval_ns = options.interval_ns
    files = _files(path)
    report.metadata |= {
        "files": [str(file) for file in files],
        "clock": options.clock,
        "levels": 0,
        "tick_size": {},
        "source_unit": {},
    }
    parts = [_about(file, options) for file in files]
    options.check_symbols({part.symbol: None for part in parts}, path)
    wanted = [part for part in parts if options.wants(part.symbol)]
    report.counts["other_symbols"] += sum(part.rows for part in parts if not options.wants(part.symbol))
    # Parts of one symbol may differ in depth where a recording was continued with other settings.
    levels: dict[str, int] = {}
    stated: dict[str, float] = {}
    for part in wanted:
        levels[part.symbol] = max(part.levels, levels.get(part.symbol, 0))
        if part.tick_size > 0:
            stated[part.symbol] = part.tick_size
        report.symbols[part.symbol] = None
        report.metadata["exchange"] = part.exchange
        report.metadata["source_unit"][part.symbol] = part.source_unit
        report.metadata["levels"] = max(part.levels, report.metadata["levels"])
    guesses = {symbol: TickGuess() for symbol in levels}
    samplers = {symbol: RowSampler(interval_ns, report.counts) for symbol in levels if interval_ns is not None}
    for part in wanted:
        symbol, guess = part.symbol, guesses[part.symbol]
        for series in _blocks(part, levels[symbol], options, report):
            if symbol in stated:
                tick_size = stated[symbol]
                report.metadata["tick_size"][symbol] = f"{tick_size:.12g}, stated in the file"
            else:
                guess.see(np.asarray(series.book.bid_price, np.float64))
                guess.see(np.asarray(series.book.ask_price, np.float64))
                tick_size = guess.size
                report.metadata["tick_size"][symbol] = guess.describe()
            report.tick_sizes[symbol] = tick_size
            block = BookSeries(series.time_ns, series.book, symbol, tick_size)
            yield samplers[symbol](block) if interval_ns is not None else block


class _Part(NamedTuple):
    """What the footer of a file says; `levels`: those to read, 0 in a file that is not asked for."""

    path: Path
    symbol: str
    exchange: str | None
    source_unit: str
    tick_size: float  # NaN where it is not stated
    levels: int
    rows: int


def _about(path: Path, options: ReadOptions) -> _Part:
    with _open(path) as file:
        about = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
        version, tick_size = about.get("schema_version", "1"), about.get("tick_size") or "nan"
        if not version.isdecimal() or int(version) > PART_SCHEMA_VERSION:
            raise DataError(f"{path}: expected schema version {PART_SCHEMA_VERSION} or older, got {version}")
        symbol = about.get("symbol") or path.name.partition(".")[0]
        levels = _check_columns(path, file, options) if options.wants(symbol) else 0
        return _Part(
            path,
            symbol,
            about.get("exchange") or None,
            about.get("source_unit") or "as written",
            float(tick_size),
            levels,
            file.metadata.num_rows,
        )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [(match, file) for file in path.iterdir() if (match := _PART.fullmatch(file.name))]
    if not found:
        raise DataError(f"{path}: expected books-SYMBOL-00000.parquet parts in the directory, found none")
    found.sort(key=lambda item: (item[0]["symbol"], int(item[0]["number"])))
    return [file for _, file in found]


def _open(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise DataError(f"{path}: expected a whole Parquet file, got one that cannot be read: {error}") from None


def _check_columns(path: Path, part: pq.ParquetFile, options: ReadOptions) -> int:
    """Number of levels to read; the columns that this takes are there."""
    names = set(part.schema_arrow.names)
    levels = 0
    while levels < options.levels and f"bid_price_{levels + 1}" in names:
        levels += 1
    needed = ["time_ns", *(["exchange_ns"] if options.clock == "exchange" else [])]
    needed += [f"{side}_{level + 1}" for side in SIDES for level in range(max(levels, 1))]
    if missing := [name for name in needed if name not in names]:
        raise DataError(
            f"{path}: expected columns {', '.join(needed[:6])}, ... of books, got none named {', '.join(missing[:6])}; "
            f"the file has {', '.join(sorted(names)[:12])}"
        )
    return levels


def _blocks(part: _Part, levels: int, options: ReadOptions, report: ReadReport) -> Iterator[BookSeries]:
    """The rows of a part as books of `levels` levels; those that it does not have are absent."""
    import pyarrow as pa

    clock = "exchange_ns" if options.clock == "exchange" else "time_ns"
    names = [clock, *(f"{side}_{level + 1}" for side in SIDES for level in range(part.levels))]
    try:
        with _open(part.path) as file:
            for batch in file.iter_batches(options.block_rows, columns=names):
                report.counts["rows_read"] += batch.num_rows
                time_ns = _times(part.path, clock, batch.column(clock))
                sides = {side: _side(batch, side, part.levels, levels, options) for side in SIDES}
                for side in ("bid", "ask"):  # a level of size 0 is absent whatever its price
                    sides[f"{side}_price"] = np.where(sides[f"{side}_size"] == 0, np.nan, sides[f"{side}_price"])
                series = BookSeries(time_ns, Book(**sides), part.symbol, 1.0)
                if options.clock == "exchange" and not time_ns.all():
                    report.counts["no_exchange_time"] += int(np.count_nonzero(time_ns == 0))
                    series = series[time_ns != 0]
                yield screen(series, report.counts)[0]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{part.path}: expected a whole Parquet file, got damaged content: {error}") from None


def _side(batch: pa.RecordBatch, side: str, present: int, levels: int, options: ReadOptions) -> np.ndarray:
    values = np.zeros((batch.num_rows, levels), options.dtype)
    for level in range(present):
        values[:, level] = batch.column(f"{side}_{level + 1}").to_numpy(zero_copy_only=False)
    return values


def _times(path: Path, name: str, column: pa.Array) -> np.ndarray:
    """Nanoseconds; of timestamps of any unit, which are UTC where they have no zone."""
    import pyarrow as pa

    if column.null_count or not (pa.types.is_int64(column.type) or pa.types.is_timestamp(column.type)):
        raise DataError(
            f"{path}: expected the column {name} as int64 nanoseconds UTC or timestamps, without nulls, got "
            f"{column.type} with {column.null_count} nulls; cast it first"
        )
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    return column.to_numpy(zero_copy_only=False)
