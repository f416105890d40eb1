"""Quote bars of American equity options in LEAN's units: a row a contract, its last one-minute bar."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from pathlib import Path

import pandas as pd

from quantjax.io.chains.raw import Malformed, RawChain, RawQuote, csv_rows, find_header, number, to_chain
from quantjax.io.chains.settlement import close_of, new_york
from quantjax.io.counts import Counts

__all__ = ["is_lean", "read_lean"]

PRICE_UNITS = 10_000
_BAR_MS = 60_000
_COLUMNS = ("right", "strike", "expiry", "time", "bid_close", "ask_close", "bid_size", "ask_size")
_SYMBOL = re.compile(r"(?:lean_)?(?P<symbol>[A-Za-z]{1,6})_")
_DAY = re.compile(r"(?<!\d)(?P<day>(?:19|20)\d{6})(?!\d)")


def is_lean(head: str) -> bool:
    """Whether the beginning of a file is that of quote bars of options."""
    return set(_COLUMNS) <= set(head.partition("\n")[0].strip().split(","))


def read_lean(path: Path, counts: Counts) -> RawChain:
    """The quotes at the end of each contract's bar; prices in the file are in 1/10,000 USD, times in ms of the day.

    The day is that of the file's name, and the quotes are as of the end of the latest bar; bars before it leave older
    quotes, whose age is known. Options expire at the close of trading. Raises DataError.
    """
    rows = csv_rows(path, counts)
    header = find_header(path, rows, *_COLUMNS)
    at = {name: header.column(path, name) for name in _COLUMNS}
    malformed = Malformed(counts)
    found: list[tuple[RawQuote, float]] = []
    for line, fields in rows:
        counts["rows_read"] += 1
        try:
            if len(fields) != len(header.names):
                raise ValueError(f"expected {len(header.names)} fields, got {len(fields)}")
            found.append(_quote(line, fields, at))
        except ValueError as error:
            malformed.add(line, error)
    latest_ms = max((end_ms for _, end_ms in found), default=0.0)
    quotes = [quote._replace(age_s=(latest_ms - end_ms) / 1000) for quote, end_ms in found]
    as_of = None
    if match := _DAY.search(path.name):
        day = date.fromisoformat(match["day"])
        as_of = new_york(day, time(0)) + pd.Timedelta(milliseconds=latest_ms)
    symbol = _SYMBOL.match(path.name)
    chain = RawChain(
        quotes,
        symbol["symbol"].upper() if symbol else "",
        as_of,
        "the day in the file's name, and the end of the latest bar",
        metadata={"currency": "USD", "source_unit": f"USD / {PRICE_UNITS:,}"},
    )
    return to_chain(path, chain, malformed)


def _quote(line: int, fields: list[str], at: dict[str, int]) -> tuple[RawQuote, float]:
    right = fields[at["right"]].lower()
    if right not in ("call", "put"):
        raise ValueError(f"expected 'call' or 'put', got {right[:40]!r}")
    day = datetime.strptime(fields[at["expiry"]], "%Y%m%d").date()
    bid, ask, bid_size, ask_size, strike, start_ms = (
        number(fields[at[name]], name) for name in ("bid_close", "ask_close", "bid_size", "ask_size", "strike", "time")
    )
    if not (strike >= 0 and start_ms < 86_400_000):
        raise ValueError(f"expected a strike and a time of the day, got {strike:g} and {start_ms:g} ms")
    quote = RawQuote(
        line,
        new_york(day, close_of(day)),
        "PM",
        "american",
        strike,
        right == "call",
        bid / PRICE_UNITS,
        ask / PRICE_UNITS,
        bid_size,
        ask_size,
    )
    return quote, start_ms + _BAR_MS
