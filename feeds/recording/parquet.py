"""Books as Parquet parts, `books-BTCUSDT-00000.parquet`: each is written whole, closed, and renamed into place.

Columns: `time_ns`, `exchange_ns`, `last_update_id` (int64), then `bid_price_1` ... `bid_price_L`, `bid_size_1` ...,
`ask_price_1` ..., `ask_size_1` ... (float64; level 1 is the best; an absent level has price NaN and size 0). The
schema's metadata holds `schema_version`, `exchange`, `symbol`, `levels` and `tick_size` (the venue's decimal string,
empty where it did not say).
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feeds.errors import RecordingError
from feeds.recording.arrays import BookArrays
from feeds.recording.files import file_symbol, replace_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["list_parts", "next_part_number", "part_name", "read_part", "write_part"]

PART_SCHEMA_VERSION = 1
STAMPS = ("time_ns", "exchange_ns", "last_update_id")
SIDES = ("bid_price", "bid_size", "ask_price", "ask_size")


def part_name(symbol: str, number: int) -> str:
    """File name of a symbol's part."""
    return f"books-{file_symbol(symbol)}-{number:05d}.parquet"


def list_parts(directory: Path, symbol: str) -> list[Path]:
    """Paths of a symbol's parts, in order."""
    pattern = re.compile(rf"books-{re.escape(file_symbol(symbol))}-(\d{{5,}})\.parquet")
    found = [(match, path) for path in directory.iterdir() if (match := pattern.fullmatch(path.name))]
    return [path for _, path in sorted((int(match[1]), path) for match, path in found)]


def next_part_number(directory: Path, symbol: str) -> int:
    """One more than the largest number of a symbol's parts."""
    parts = list_parts(directory, symbol)
    return int(parts[-1].stem.rpartition("-")[2]) + 1 if parts else 0


def write_part(path: Path, books: BookArrays, *, exchange: str, tick_size: str) -> None:
    """Write one part whole and rename it into place. Raises OSError, and then nothing stands under its name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {
        "schema_version": str(PART_SCHEMA_VERSION),
        "exchange": exchange,
        "symbol": books.symbol,
        "levels": str(books.levels),
        "tick_size": tick_size,
    }
    columns = {name: getattr(books, name) for name in STAMPS}
    for side in SIDES:
        values = getattr(books, side)
        columns |= {f"{side}_{level + 1}": values[:, level] for level in range(books.levels)}
    # pa.array() and to_numpy() would import pandas, which a recorder has no use for; buffers do not.
    arrays = [
        pa.Array.from_buffers(_arrow_type(name), len(books), [None, pa.py_buffer(np.ascontiguousarray(column))])
        for name, column in columns.items()
    ]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(columns, arrays, strict=True)]
    content = BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata)), content, compression="zstd")
    replace_file(path, content.getvalue())


def read_part(path: str | Path) -> BookArrays:
    """Books of one part. Raises RecordingError for a file that is not one, and for one of a newer schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
        about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        version, levels = int(about["schema_version"]), int(about["levels"])
        if version > PART_SCHEMA_VERSION:
            raise RecordingError(f"{path}: expected schema version {PART_SCHEMA_VERSION} or older, got {version}")
        stamps = [_column(table, name) for name in STAMPS]
        sides = [np.stack([_column(table, f"{side}_{level + 1}") for level in range(levels)], axis=1) for side in SIDES]
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise RecordingError(f"{path}: expected a Parquet part of recorded books, got {error}") from None
    return BookArrays(*stamps, *sides, symbol=about["symbol"], tick_size=float(about["tick_size"] or "nan"))


def _arrow_type(name: str) -> pa.DataType:
    import pyarrow as pa

    return pa.int64() if name in STAMPS else pa.float64()


def _column(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name)
    if column.type != _arrow_type(name) or column.null_count:
        raise ValueError(f"a column {name} of {column.type} with {column.null_count} nulls")
    dtype = np.int64 if name in STAMPS else np.float64
    chunks = [np.frombuffer(chunk.buffers()[1], dtype)[chunk.offset :][: len(chunk)] for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.empty(0, dtype)
