"""Books and analyses into files, piece by piece, under a temporary name until they are whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from feeds.recording.files import file_symbol
from feeds.recording.parquet import PART_SCHEMA_VERSION, SIDES
from quantjax.io.ticks import InferredTick
from quantjax.io.times import ns_to_iso
from quantjax.lob import BookAnalysis, BookSeries

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["write_analysis", "write_books", "write_table"]


def write_books(path: str | Path, series: BookSeries | Iterable[BookSeries], *, exchange: str = "") -> int:
    """Write books as Parquet (`.parquet`, one symbol) or as JSON lines (`.jsonl`); the number of books written. Driver.

    `series`: a BookSeries, or pieces, as `io.stream_books` gives them, which are not held. Both kinds of file are read
    back by `io.read_books`, and Parquet by `feeds.recording.parquet.read_part`. A tick size that reading inferred is
    left out, and inferred again (`float(series.tick_size)` makes it a stated one). The file appears under its name once
    it is whole. Raises ValueError for other suffixes, for no pieces, and for several symbols in one Parquet file.
    """
    path = Path(path)
    pieces = [series] if isinstance(series, BookSeries) else series
    if path.suffix == ".jsonl":
        return _write_jsonl(path, pieces, exchange)
    if path.suffix != ".parquet":
        raise ValueError(f"expected a path that ends in .parquet or .jsonl, got {path.name}")
    count = 0
    with _ParquetFile(path) as file:
        for piece in pieces:
            file.check_symbol(piece.symbol)
            file.write(_table(piece, exchange))
            count += len(piece)
    return count


def write_analysis(path: str | Path, blocks: BookAnalysis | Iterable[BookAnalysis]) -> list[Path]:
    """Write the tables of analyses (`BookAnalysis.to_pandas()`) as Parquet without holding them all; the files. Driver.

    `path`: a file that ends in `.parquet`, for one symbol, or a directory, made where it is not there, which gets
    `analysis-SYMBOL.parquet` for each. `blocks`: as `lob.analysis.analyze_blocks` gives them. A file appears under its
    name once it is whole. Raises ValueError for no blocks and for several symbols in one file.
    """
    import pyarrow as pa

    path = Path(path)
    files: dict[str, _ParquetFile] = {}
    with contextlib.ExitStack() as stack:
        for block in [blocks] if isinstance(blocks, BookAnalysis) else blocks:
            symbol = block.symbol
            if path.suffix == ".parquet":
                if not files:
                    files[""] = stack.enter_context(_ParquetFile(path))
                file = files[""]
                file.check_symbol(symbol)
            else:
                path.mkdir(parents=True, exist_ok=True)
                if symbol not in files:
                    name = path / f"analysis-{file_symbol(symbol)}.parquet"
                    files[symbol] = stack.enter_context(_ParquetFile(name))
                file = files[symbol]
            table = pa.Table.from_pandas(block.to_pandas(), preserve_index=True)
            file.write(table.replace_schema_metadata({**(table.schema.metadata or {}), b"symbol": symbol.encode()}))
        if not files:
            raise ValueError("expected at least one block of an analysis, got none")
    return [file.path for file in files.values()]


def write_table(path: str | Path, table: pd.DataFrame) -> Path:
    """Write a result's table (its `to_pandas()`), index and all, as Parquet or CSV; the path. Driver.

    `path` ends in `.parquet` or `.csv`; its folder is made where it is not there, and the file appears under its name
    once it is whole. The symbol in `table.attrs` goes into the metadata of a Parquet file. Raises ValueError for other
    suffixes.

    >>> import pandas, tempfile
    >>> path = write_table(Path(tempfile.mkdtemp(), "new", "bars.csv"), pandas.DataFrame({"close": [9.5]}))
    >>> path.read_text()
    ',close\\n0,9.5\\n'
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise ValueError(f"expected a path that ends in .parquet or .csv, got {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        if path.suffix == ".csv":
            table.to_csv(temporary)
        else:
            whole = pa.Table.from_pandas(table, preserve_index=True)
            symbol = str(table.attrs.get("symbol", "")).encode()
            metadata = {**(whole.schema.metadata or {}), b"symbol": symbol}
            pq.write_table(whole.replace_schema_metadata(metadata), temporary, compression="zstd")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


class _ParquetFile:
    """A Parquet file written in pieces; renamed into place at the end, removed where that is not reached."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._writer: pq.ParquetWriter | None = None
        self._symbol: str | None = None

    def __enter__(self) -> _ParquetFile:
        return self

    def check_symbol(self, symbol: str) -> None:
        if self._symbol is not None and symbol != self._symbol:
            raise ValueError(f"{self.path}: expected one symbol in a file, got {self._symbol} and then {symbol}")
        self._symbol = symbol

    def write(self, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._temporary, table.schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
            if kind is None and self._writer is None:
                raise ValueError(f"{self.path}: expected at least one piece to write, got none")
            if kind is None:
                os.replace(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


def _table(series: BookSeries, exchange: str) -> pa.Table:
    """Columns and metadata as `feeds.recording.parquet` has them; what a series does not know is 0."""
    import pyarrow as pa

    time_ns = np.asarray(series.time_ns)
    nothing = np.zeros(len(series), np.int64)
    columns = {"time_ns": time_ns, "exchange_ns": nothing, "last_update_id": nothing}
    for side in SIDES:
        values = np.asarray(getattr(series.book, side), np.float64)
        columns |= {
            f"{side}_{level + 1}": np.ascontiguousarray(values[:, level]) for level in range(series.book.levels)
        }
    metadata = {
        "schema_version": str(PART_SCHEMA_VERSION),
        "exchange": exchange,
        "symbol": series.symbol,
        "levels": str(series.book.levels),
        # Inferred, it is left open, as `feeds` leaves it; stated, it would be taken for the exchange's word.
        "tick_size": "" if isinstance(series.tick_size, InferredTick) else repr(float(series.tick_size)),
    }
    arrays = [pa.array(column) for column in columns.values()]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(columns, arrays, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata))


def _write_jsonl(path: Path, pieces: Iterable[BookSeries], exchange: str) -> int:
    temporary = path.with_name(f".{path.name}.tmp")
    count = 0
    try:
        with temporary.open("wb") as file:
            for piece in pieces:
                for line in _json_lines(piece, exchange):
                    file.write(msgspec.json.encode(line) + b"\n")
                count += len(piece)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _json_lines(series: BookSeries, exchange: str) -> Iterator[dict[str, Any]]:
    sides = [np.asarray(getattr(series.book, side), np.float64) for side in SIDES]
    for row, time_ns in enumerate(np.asarray(series.time_ns).tolist()):
        bid_price, bid_size, ask_price, ask_size = (side[row].tolist() for side in sides)
        yield {
            "timestamp": ns_to_iso(time_ns),
            "symbol": series.symbol,
            "exchange": exchange,
            "bids": [level for level in zip(bid_price, bid_size, strict=True) if level[1] != 0],
            "asks": [level for level in zip(ask_price, ask_size, strict=True) if level[1] != 0],
        }
