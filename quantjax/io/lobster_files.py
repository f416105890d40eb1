"""LOBSTER's files: which two belong together, and their rows as integers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.text import line_chunks
from quantjax.io.times import midnight_ns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LobsterPair", "find_pair", "is_lobster_name", "read_rows"]

_NAME = re.compile(
    r"(?P<symbol>.+)_(?P<day>\d{4}-\d\d-\d\d)_(?P<span>\d+_\d+)_(?P<kind>message|orderbook)_(?P<levels>\d+)"
    r"(?P<variant>(?:\.[\w-]+)*?)\.csv(?:\.gz)?"
)
TIME_DECIMALS = 14
MESSAGE_COLUMNS = ("time", "type", "order id", "size", "price", "direction")


@dataclass(frozen=True)
class LobsterPair:
    """A message file and the order-book file of the same rows; `midnight_ns` is what its times count from."""

    messages: Path
    books: Path
    symbol: str
    day: str
    levels: int
    midnight_ns: int


def is_lobster_name(name: str) -> bool:
    """Whether a file is named as LOBSTER names its files."""
    return _NAME.fullmatch(name) is not None


def find_pair(path: Path) -> LobsterPair:
    """The pair that `path`, either file of it, belongs to; the other may be compressed or not.

    Raises DataError for other names, and FileNotFoundError where the other file is not there.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DataError(
            f"{path}: expected a name as LOBSTER gives it, SYMBOL_YYYY-MM-DD_START_END_message_LEVELS.csv[.gz] (or "
            f"orderbook), got {path.name}; the date and the symbol are only in the name, so rename the files"
        )
    other = "orderbook" if match["kind"] == "message" else "message"
    stem = f"{path.name[: match.start('kind')]}{other}_{match['levels']}{match['variant']}.csv"
    names = (f"{stem}.gz", stem) if path.suffix == ".gz" else (stem, f"{stem}.gz")
    partner = next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
    if partner is None:
        beside = sorted(entry.name for entry in path.parent.iterdir() if is_lobster_name(entry.name))
        raise FileNotFoundError(
            f"{path}: expected its {other} file beside it, {' or '.join(names)}, found none; there are "
            f"{', '.join(name for name in beside if name != path.name) or 'no other LOBSTER files'}"
        )
    try:
        midnight = midnight_ns(match["day"])
    except ValueError as error:
        raise DataError(f"{path}: expected a date in the name, got {match['day']} ({error})") from None
    messages, books = (path, partner) if match["kind"] == "message" else (partner, path)
    return LobsterPair(messages, books, match["symbol"], match["day"], int(match["levels"]), midnight)


def read_rows(path: Path, levels: int | None, counts: Counts) -> Iterator[np.ndarray]:
    """Rows of a message file (`levels=None`) or an order-book file, int64 `[row, column]`, in pieces.

    Message times are nanoseconds after midnight: LOBSTER counts nanoseconds, but a few rows show the digits of a double
    (43002.632812672004), hence rounded. Raises DataError that names the file, the line and the columns expected.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = _columns(levels)
    # Decimals hold the digits of the times exactly; their buffer is the number of steps of 1e-14 s, below 2**63.
    types = {name: pa.decimal128(19, TIME_DECIMALS) if name == "time" else pa.int64() for name in names}
    read = arrow_csv.ReadOptions(column_names=list(names), block_size=1 << 20)
    convert = arrow_csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False)
    first_line = 1
    for chunk in line_chunks(path, counts):
        try:
            table = arrow_csv.read_csv(pa.py_buffer(chunk), read_options=read, convert_options=convert)
        except pa.ArrowException as error:
            raise _explain(path, chunk, first_line, names, error) from None
        first_line += chunk.count(b"\n")
        rows = _as_integers(table)
        if levels is None:
            step = 10 ** (TIME_DECIMALS - 9)
            rows[:, 0] = (rows[:, 0] + step // 2) // step
        yield rows


def _columns(levels: int | None) -> tuple[str, ...]:
    if levels is None:
        return MESSAGE_COLUMNS
    sides = ("ask price", "ask size", "bid price", "bid size")
    return tuple(f"{side} {level + 1}" for level in range(levels) for side in sides)


def _as_integers(table: pa.Table) -> np.ndarray:
    rows = np.empty((table.num_rows, table.num_columns), np.int64)
    for number, column in enumerate(table.columns):
        start = 0
        for chunk in column.chunks:
            width = chunk.type.bit_width // 64  # decimals take 128 bits, of which the low 64 come first
            values = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset * width :: width][: len(chunk)]
            rows[start : start + len(chunk), number] = values
            start += len(chunk)
    return rows


def _explain(path: Path, chunk: bytes, first_line: int, names: tuple[str, ...], error: Exception) -> DataError:
    """What is wrong in words: a slow look for the line, since the fast parser does not know its number."""
    expected = f"{len(names)} columns ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})"
    text = io.StringIO(chunk.decode(errors="replace"), newline="")
    for number, row in enumerate(csv.reader(text), start=first_line):
        if row and len(row) != len(names):
            return DataError(
                f"{path}: line {number}: expected {expected}, got {len(row)} columns: {','.join(row)[:80]}"
            )
        for name, field in zip(names, row, strict=False):
            pattern = r"\d{1,5}(\.\d{1,14})?" if name == "time" else r"-?\d{1,18}"
            if not re.fullmatch(pattern, field):
                kind = "seconds after midnight" if name == "time" else "an integer"
                return DataError(
                    f"{path}: line {number}: expected {expected}, got {field[:40]!r} as {name}, which is not {kind}"
                )
    return DataError(f"{path}: after line {first_line - 1}: expected {expected}, got {error}")
