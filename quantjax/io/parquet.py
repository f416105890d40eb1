"""Parquet parts of books, as `feeds` and `io.write_books` write them: a row a book, a column a level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feeds.recording.parquet import PART_SCHEMA_VERSION, SIDES
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.rows import RowSampler, screen
from quantjax.io.ticks import TickGuess
from quantjax.lob import Book, BookSeries

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["read_parquet"]

_PART = re.compile(r"books-(?P<symbol>.+)-(?P<number>\d{5,})\.parquet")


def read_parquet(path: Path, options: ReadOptions, report: ReadReport) -> Iterator[BookSeries]:
    """Books of one part, or of all parts of a directory (`books-SYMBOL-00000.parquet`), symbol after symbol, in blocks.

    Columns `time_ns`, `exchange_ns`, `bid_price_1`, `bid_size_1`, `ask_price_1`, ...; symbol and tick size are in the
    file's metadata. Raises DataError that names the columns which are missing.
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
    present: dict[str, None] = {}
    guesses: dict[str, TickGuess] = {}
    samplers: dict[str, RowSampler] = {}
    for file in files:
        with _open(file) as part:
            about = {key.decode(): value.decode() for key, value in (part.schema_arrow.metadata or {}).items()}
            if about.get("schema_version", "1") > str(PART_SCHEMA_VERSION):
                raise DataError(f"{file}: expected schema version {PART_SCHEMA_VERSION}, got {about['schema_version']}")
            symbol = about.get("symbol") or file.name.partition(".")[0]
            present[symbol] = None
            if not options.wants(symbol):
                report.counts["other_symbols"] += part.metadata.num_rows
                continue
            report.symbols[symbol] = None
            report.metadata["exchange"] = about.get("exchange") or None
            report.metadata["source_unit"][symbol] = about.get("source_unit") or "as written"
            levels = _check_columns(file, part, options)
            report.metadata["levels"] = max(levels, report.metadata["levels"])
            guess = guesses.setdefault(symbol, TickGuess())
            if interval_ns is not None and symbol not in samplers:
                samplers[symbol] = RowSampler(interval_ns, report.counts)
            for series in _blocks(file, part, symbol, levels, options, report):
                tick_size = float(about.get("tick_size") or "nan")
                if not tick_size > 0:
                    guess.see(np.asarray(series.book.bid_price, np.float64))
                    guess.see(np.asarray(series.book.ask_price, np.float64))
                    tick_size = guess.size
                    report.metadata["tick_size"][symbol] = guess.describe()
                else:
                    report.metadata["tick_size"][symbol] = f"{about['tick_size']}, stated in the file"
                report.tick_sizes[symbol] = tick_size
                block = BookSeries(series.time_ns, series.book, symbol, tick_size)
                yield samplers[symbol](block) if interval_ns is not None else block
    options.check_symbols(present, path)


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


def _blocks(
    path: Path, part: pq.ParquetFile, symbol: str, levels: int, options: ReadOptions, report: ReadReport
) -> Iterator[BookSeries]:
    import pyarrow as pa

    clock = "exchange_ns" if options.clock == "exchange" else "time_ns"
    names = [clock, *(f"{side}_{level + 1}" for side in SIDES for level in range(levels))]
    try:
        for batch in part.iter_batches(options.block_rows, columns=names):
            report.counts["rows_read"] += batch.num_rows
            time_ns = np.asarray(batch.column(clock).to_numpy(zero_copy_only=False), np.int64)
            sides = {
                side: np.stack(
                    [batch.column(f"{side}_{level + 1}").to_numpy(zero_copy_only=False) for level in range(levels)], 1
                ).astype(options.dtype, copy=False)
                for side in SIDES
            }
            for side in ("bid", "ask"):  # a level of size 0 is absent whatever its price
                sides[f"{side}_price"] = np.where(sides[f"{side}_size"] == 0, np.nan, sides[f"{side}_price"])
            series = BookSeries(time_ns, Book(**sides), symbol, 1.0)
            if options.clock == "exchange" and not time_ns.all():
                report.counts["no_exchange_time"] += int(np.count_nonzero(time_ns == 0))
                series = series[time_ns != 0]
            yield screen(series, report.counts)[0]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: expected a whole Parquet file, got damaged content: {error}") from None
