"""Deribit's web export of option chains: a row an instrument, prices in units of the underlying."""

from __future__ import annotations

import re
from datetime import datetime, time
from pathlib import Path

import pandas as pd

from quantjax.io.chains.raw import Malformed, RawChain, RawQuote, csv_rows, find_header, number, to_chain
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError

__all__ = ["is_deribit", "read_deribit"]

_INSTRUMENT = re.compile(
    r"(?P<symbol>[A-Z_]+)-(?P<day>\d{1,2}[A-Z]{3}\d\d)-(?P<strike>\d+(?:d\d+)?)-(?P<right>[CP])", re.ASCII
)
_SETTLES = time(8, 0)


def is_deribit(head: str) -> bool:
    """Whether the beginning of a file is that of an export, of one expiry or several one after the other."""
    first = head.partition("\n")[0]
    return "Instrument" in first and "IV Bid" in first


def read_deribit(path: Path, counts: Counts) -> RawChain:
    """The quotes of an export; expiries settle at 08:00 UTC.

    Options on BTC and ETH are inverse, quoted in the coin itself; linear ones (BTC_USDC) in their quote currency. Of
    the two columns named `Size` the first is the bid's and the second the ask's. A dash is no value. The file does not
    say when it was taken: `as_of` is None here. Raises DataError, also where the options are on several underlyings.
    """
    rows = csv_rows(path, counts)
    header = find_header(path, rows, "Instrument", "Bid", "Ask")
    at = {
        name: header.column(path, *aliases, number=which)
        for name, aliases, which in (
            ("instrument", ("Instrument",), 0),
            ("bid", ("Bid",), 0),
            ("ask", ("Ask",), 0),
            ("bid_size", ("Size",), 0),
            ("ask_size", ("Size",), 1),
            ("volume", ("Volume",), 0),
            ("open_interest", ("Open",), 0),
            ("vendor_bid_vol", ("IV Bid",), 0),
            ("vendor_ask_vol", ("IV Ask",), 0),
        )
    }
    malformed = Malformed(counts)
    quotes: list[RawQuote] = []
    symbols: dict[str, None] = {}
    for line, fields in rows:
        if fields == header.names:
            continue  # exports joined into one file
        counts["rows_read"] += 1
        try:
            if len(fields) != len(header.names):
                raise ValueError(f"expected {len(header.names)} fields, got {len(fields)}")
            symbol, quote = _quote(line, fields, at)
        except ValueError as error:
            malformed.add(line, error)
            continue
        symbols[symbol] = None
        quotes.append(quote)
    if len(symbols) > 1:
        raise DataError(f"{path}: expected options on one underlying, got {', '.join(symbols)}; split the file")
    symbol = next(iter(symbols), "")
    inverse = "_" not in symbol
    chain = RawChain(quotes, symbol, None, "", inverse=inverse, metadata={"currency": "USD"})
    if inverse:
        chain.metadata["source_unit"] = symbol
    return to_chain(path, chain, malformed)


def _quote(line: int, fields: list[str], at: dict[str, int]) -> tuple[str, RawQuote]:
    match = _INSTRUMENT.fullmatch(fields[at["instrument"]])
    if match is None:
        raise ValueError(f"expected an option such as BTC-1MAY26-60000-C, got {fields[at['instrument']][:40]!r}")
    day = datetime.strptime(match["day"].title(), "%d%b%y").date()
    expiry = pd.Timestamp(datetime.combine(day, _SETTLES), tz="UTC")
    values = {name: number(fields[index], name) for name, index in at.items() if name != "instrument"}
    for name in ("vendor_bid_vol", "vendor_ask_vol"):
        values[name] = values[name] / 100 if values[name] > 0 else float("nan")
    strike = number(match["strike"].replace("d", "."), "the strike")
    return match["symbol"], RawQuote(line, expiry, "08:00 UTC", "european", strike, match["right"] == "C", **values)
