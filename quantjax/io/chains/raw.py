"""What the readers of option chains give: every quote as it stands in the file, and what the file says of itself."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.text import lines

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Header", "Malformed", "RawChain", "RawQuote", "csv_rows", "find_header", "number", "to_chain"]

_MISSING = ("", "-")
_HEADER_WITHIN = 10  # lines


class RawQuote(NamedTuple):
    """A quote of one option; NaN where the file has nothing.

    `expiry`: the moment of settlement, UTC; `bid`, `ask` in the file's unit; sizes and counts in contracts; `age_s`:
    seconds from the last update of the quote to the latest one in the file; `vendor_*_vol`: the vendor's implied
    volatilities, decimals per year.
    """

    line: int
    expiry: pd.Timestamp
    settlement: str
    exercise: str
    strike: float
    call: bool
    bid: float
    ask: float
    bid_size: float = math.nan
    ask_size: float = math.nan
    volume: float = math.nan
    open_interest: float = math.nan
    age_s: float = math.nan
    vendor_bid_vol: float = math.nan
    vendor_vol: float = math.nan
    vendor_ask_vol: float = math.nan


@dataclass(frozen=True, eq=False)
class RawChain:
    """A file of option quotes: the quotes in the order of the file, and what it says of itself.

    `as_of`: when the quotes were taken, UTC, None where the file does not tell; `as_of_source`: how that is known;
    `spot`: of the underlying, NaN where the file has none; `inverse`: whether prices are in units of the underlying.
    """

    quotes: list[RawQuote]
    symbol: str
    as_of: pd.Timestamp | None
    as_of_source: str
    spot: float = math.nan
    inverse: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


class Header(NamedTuple):
    """Where the columns of a file are; `line`: the number of the header's line; `before`: the lines above it."""

    line: int
    names: list[str]
    before: list[str]

    def column(self, path: Path, *aliases: str, number: int = 0) -> int:
        """Index of the column of one of these names, of several the one of that number. Raises DataError."""
        found = [i for i, name in enumerate(self.names) if name in aliases]
        if len(found) <= number:
            which = "" if number == 0 else f" {number + 1} times"
            raise DataError(
                f"{path}, line {self.line}: expected a column {' or '.join(map(repr, aliases))}{which}, "
                f"got the columns {', '.join(map(repr, self.names[:30]))}"
            )
        return found[number]


def csv_rows(path: Path, counts: Counts) -> Iterator[tuple[int, list[str]]]:
    """Lines of a CSV file with their numbers, from 1; blank ones are left out, and no field spans two lines."""
    for number, line in enumerate(lines(path, counts), start=1):
        # The byte order mark that spreadsheets put before UTF-8.
        text = line.decode("utf-8", "replace").lstrip("\ufeff").strip("\r\n\0")
        if text.strip():
            try:
                fields = next(csv.reader([text]))
            except csv.Error:
                fields = [text]
            yield number, [one.strip() for one in fields]


def find_header(path: Path, rows: Iterator[tuple[int, list[str]]], *names: str) -> Header:
    """The header, which holds all of these names, of the first lines. Raises DataError."""
    before: list[str] = []
    for line, fields in rows:
        if all(name in fields for name in names):
            return Header(line, fields, before)
        before.append(",".join(fields))
        if len(before) >= _HEADER_WITHIN:
            break
    if not before:
        raise DataError(f"{path}: expected option quotes, got an empty file")
    columns = ", ".join(map(repr, names))
    raise DataError(
        f"{path}: expected a header with the columns {columns} in the first {_HEADER_WITHIN} lines, "
        f"got {before[0][:80]!r}, ..."
    )


def number(text: str, name: str) -> float:
    """A number of 0 or more; NaN where the field is empty or a dash. Raises ValueError for anything else."""
    if text in _MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"expected {name} as a number >= 0, got {text[:40]!r}")
    return value


class Malformed:
    """Counts the rows that cannot be read, and remembers the first: for the metadata, or the error where all are."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self.first: str | None = None

    def add(self, line: int, error: Exception | str) -> None:
        """Another one."""
        self._counts["malformed_lines"] += 1
        if self.first is None:
            self.first = f"line {line}: {error}"


def to_chain(path: Path, chain: RawChain, malformed: Malformed) -> RawChain:
    """The chain with the first malformed row in its metadata. Raises DataError where there is no quote at all."""
    if not chain.quotes:
        why = f"; the first row that cannot be read is {malformed.first}" if malformed.first else ""
        raise DataError(f"{path}: expected option quotes, got none{why}")
    if malformed.first is not None:
        chain.metadata["first_malformed_line"] = malformed.first
    return chain
