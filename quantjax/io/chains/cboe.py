"""CBOE's downloads of quote tables: a row a strike, the call's columns, the strike, the put's columns."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pandas as pd

from quantjax.io.chains.raw import Malformed, RawChain, RawQuote, csv_rows, find_header, number, to_chain
from quantjax.io.chains.settlement import CLOSE, INDEX_CLOSE, NEW_YORK, OPEN, close_of, new_york, quotes_stand_at
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError

__all__ = ["is_cboe", "read_cboe"]

_INDEX_ROOTS = {
    "SPX": "AM",
    "SPXW": "PM",
    "XSP": "PM",
    "NDX": "AM",
    "NDXP": "PM",
    "RUT": "AM",
    "RUTW": "PM",
    "DJX": "AM",
}
"""European, cash-settled index options by the opening (AM) or closing (PM) prices; other roots are American and PM."""

_STAMP = re.compile(
    r"(?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>\d{1,2}),? (?P<year>\d{4})(?:,| @| at)? "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?: (?P<half>[AP]M))? E[SD]?T\b"
)
_SPOT = re.compile(r"Last: ?(?P<last>[\d.]+)|^[^,]*\),(?P<bare>[\d.]+),")
_OPTION = re.compile(r"(?P<root>[A-Z]{1,6})(?P<day>\d{6})(?P<right>[CP])(?P<strike>\d{8})")


def is_cboe(head: str) -> bool:
    """Whether the beginning of a file is that of a quote table."""
    return "Expiration Date,Calls" in head


def read_cboe(path: Path, counts: Counts) -> RawChain:
    """The quotes of a table in either style of header (`Vol`, `Open Int` and `Volume`, `Open Interest`).

    The root of the option's symbol says how it settles: SPX at the opening of its expiry day (AM, 9:30 New York), SPXW
    at the close (PM, 16:00; 13:00 on short days). A table saved outside trading hours holds the quotes of the last
    close, which for index options is 16:15. Raises DataError.
    """
    rows = csv_rows(path, counts)
    header = find_header(path, rows, "Expiration Date", "Calls", "Strike")
    wanted = {"bid": ("Bid",), "ask": ("Ask",), "vendor_vol": ("IV",), "volume": ("Vol", "Volume")}
    wanted["open_interest"] = ("Open Int", "Open Interest")
    columns = {
        call: {name: header.column(path, *aliases, number=side) for name, aliases in wanted.items()}
        | {"symbol": header.column(path, "Calls" if call else "Puts")}
        for side, call in enumerate((True, False))
    }
    strike_at = header.column(path, "Strike")
    malformed = Malformed(counts)
    quotes: list[RawQuote] = []
    roots: dict[str, None] = {}
    for line, fields in rows:
        counts["rows_read"] += 1
        try:
            if len(fields) != len(header.names):
                raise ValueError(f"expected {len(header.names)} fields, got {len(fields)}")
            strike = number(fields[strike_at], "the strike")
            pair = [_quote(line, fields, columns[call], strike, call) for call in (True, False)]
        except ValueError as error:
            malformed.add(line, error)
            continue
        for root, quote in pair:
            roots[root] = None
            quotes.append(quote)
    as_of, as_of_source = _as_of(path, header.before, roots)
    spot = next((float(m["last"] or m["bare"]) for line in header.before if (m := _SPOT.search(line))), float("nan"))
    symbol = min(roots, key=len, default="")
    chain = RawChain(quotes, symbol, as_of, as_of_source, spot, metadata={"roots": tuple(roots), "currency": "USD"})
    return to_chain(path, chain, malformed)


def _quote(line: int, fields: list[str], columns: dict[str, int], strike: float, call: bool) -> tuple[str, RawQuote]:
    match = _OPTION.fullmatch(fields[columns["symbol"]])
    if match is None or (match["right"] == "C") != call or int(match["strike"]) != round(1000 * strike):
        option = f"a {'call' if call else 'put'} of strike {strike:g}"
        raise ValueError(f"expected the symbol of {option}, got {fields[columns['symbol']][:40]!r}")
    day = datetime.strptime(match["day"], "%y%m%d").date()
    settlement = _INDEX_ROOTS.get(match["root"], "PM")
    expiry = new_york(day, OPEN if settlement == "AM" else close_of(day))
    values = {name: number(fields[at], name) for name, at in columns.items() if name != "symbol"}
    if not values["vendor_vol"] > 0:
        values["vendor_vol"] = float("nan")
    exercise = "european" if match["root"] in _INDEX_ROOTS else "american"
    return match["root"], RawQuote(line, expiry, settlement, exercise, strike, call, **values)


def _as_of(path: Path, before: list[str], roots: dict[str, None]) -> tuple[pd.Timestamp | None, str]:
    for line in before:
        if match := _STAMP.search(line):
            half = match["half"]
            text = f"{match['month']} {match['day']} {match['year']} {match['hour']}:{match['minute']} {half or ''}"
            try:
                stamp = datetime.strptime(text.strip(), "%b %d %Y %I:%M %p" if half else "%b %d %Y %H:%M")
            except ValueError:
                raise DataError(f"{path}: expected the time of the table, got {match[0]!r}") from None
            stamp = stamp.replace(tzinfo=NEW_YORK)
            stands = quotes_stand_at(stamp, INDEX_CLOSE if set(roots) <= set(_INDEX_ROOTS) else CLOSE)
            source = "stated in the file"
            if stands != stamp:
                source = f"the close before the time stated in the file, {stamp:%Y-%m-%d %H:%M} New York"
            return pd.Timestamp(stands).tz_convert("UTC"), source
    return None, ""
