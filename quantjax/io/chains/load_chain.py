"""The front door: a file of option quotes of any format as one cleaned table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from quantjax.io.chains.building import build_tables, raw_table, time_of
from quantjax.io.chains.cboe import is_cboe, read_cboe
from quantjax.io.chains.chain import OptionChain
from quantjax.io.chains.deribit import is_deribit, read_deribit
from quantjax.io.chains.lean import is_lean, read_lean
from quantjax.io.chains.raw import RawChain
from quantjax.io.chains.rules import ChainRules
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.text import peek
from quantjax.numerics.arguments import check_positive

__all__ = ["CHAIN_FORMATS", "find_chain_format", "load_chain"]

CHAIN_FORMATS: dict[str, str] = {
    "cboe": "CBOE's download of a quote table, a row a strike with the call's and the put's columns",
    "deribit": "Deribit's web export, a row an instrument, prices in the underlying",
    "lean": "quote bars of American equity options in LEAN's units, a row a contract",
}
"""Names that `format=` takes, and what each stands for."""

_READERS: dict[str, tuple[Callable[[str], bool], Callable[[Path, Counts], RawChain]]] = {
    "cboe": (is_cboe, read_cboe),
    "deribit": (is_deribit, read_deribit),
    "lean": (is_lean, read_lean),
}
_DAY = re.compile(r"(?<!\d)(?P<day>(?:19|20)\d{6})(?!\d)")


def find_chain_format(path: str | Path) -> str:
    """Name of the format that a file of option quotes is in, found by its first lines; gzip is looked through.

    Raises FileNotFoundError, and DataError that lists what was looked for.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file of option quotes, found none there")
    head = peek(path, 4096).decode("utf-8", "replace").lstrip("\ufeff")
    if not head.strip():
        raise DataError(f"{path}: expected option quotes, got a file that is empty or cut before its first byte")
    for name, (fits, _) in _READERS.items():
        if fits(head):
            return name
    looked_for = "\n".join(f"  {name}: {meaning}" for name, meaning in CHAIN_FORMATS.items())
    raise DataError(f"{path}: expected a known format with bids and asks, got none of these:\n{looked_for}")


def load_chain(
    path: str | Path,
    *,
    format: str | None = None,
    as_of: str | datetime | pd.Timestamp | None = None,
    spot: float | None = None,
    rate: float | None = None,
    rules: ChainRules | None = None,
) -> OptionChain:
    """The option quotes of a file as one clean table, with forwards, discount factors, implied volatilities. Driver.

    Every quote of the file is in the table; what is not clean is marked with the first reason that holds and counted
    (`OptionChain.report`). Forward F and discount factor D of an expiry come from put-call parity, C - P = D (F - K),
    over all pairs of clean quotes, weighted by their spreads (`pricing.fit_parity`). Where the expiry is too short to
    tell D, it is borrowed: -ln D is interpolated in maturity between the expiries that tell it, and the rate of the
    nearest holds before and after them. AM and PM options that expire on one day are two expiries.

    Arguments: `format`: a name of `io.CHAIN_FORMATS`; None finds it by looking. `as_of`: when the quotes were taken,
    a time with its zone (UTC where it has none); None takes it from the file: for CBOE's tables the time in them, or
    the close before it where they were saved outside trading hours; for Deribit's exports, which do not say, the time
    at which the volatilities printed beside the prices agree with them, or else noon UTC of the day in the file's
    name. `metadata["as_of_source"]` says which. `spot`: of the underlying; None takes the file's, if it has one.
    `rate`: continuously compounded, per year; given, it is what D is made of: exp(-rate T). `rules`: what is left out,
    see `io.ChainRules`.

    American options (LEAN, CBOE's tables of shares) are used out of the money only, where early exercise is worth
    little, and flagged. Parity does not hold for them: with `spot` and `rate` given the forward is spot exp(rate T) (no
    dividends); else it is the parity of the pairs within 5% of the money, an approximation that `forward_source` names,
    with D = 1 if no rate is given. Inverse options (Deribit's BTC and ETH), quoted in the coin, are converted by the
    forward of their expiry, undiscounted (D = 1): C - P = F - K is c - p = 1 - K / F in coins.

    Returns `io.OptionChain`. Raises FileNotFoundError, ValueError for options that make no sense and while JAX's x64
    mode is off, and `io.DataError` (a ValueError) for a file that is not what it should be, with the line.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "chain_20260422.csv")
    >>> header = "Instrument,Volume,Open,Size,IV Bid,Bid,Ask,IV Ask,Size"
    >>> rows = [f"BTC-25SEP26-{k}-{side},1,1,1,-,{bid},{bid + 0.001:.4f},-,1" for k, side, bid in (
    ...     (70000, "C", 0.19), (70000, "P", 0.065), (80000, "C", 0.127), (80000, "P", 0.127),
    ...     (90000, "C", 0.083), (90000, "P", 0.208), (100000, "C", 0.053), (100000, "P", 0.303))]
    >>> _ = path.write_text("\\n".join([header, *rows]))
    >>> chain = load_chain(path, as_of="2026-04-22T17:20Z")
    >>> chain.expiries[["maturity", "forward"]].round(3).to_numpy().tolist(), chain.report
    ([[0.426, 80000.0]], {'used': 8})
    """
    path = Path(path)
    if format is not None and format not in CHAIN_FORMATS:
        raise ValueError(f"expected a format of {', '.join(CHAIN_FORMATS)}, got {format!r}")
    if not jax.config.read("jax_enable_x64"):
        raise ValueError(
            "expected JAX's x64 mode, which implied volatilities need; call jax.config.update('jax_enable_x64', True) "
            "at the start"
        )
    if spot is not None:
        check_positive("spot", spot)
    if rate is not None and not -1 < rate < 1:
        raise ValueError(f"expected rate as a decimal per year, such as 0.03, got {rate!r}")
    found = find_chain_format(path)
    format = format or found
    counts = Counts()
    raw = _READERS[format][1](path, counts)
    quotes = raw_table(raw)
    moment, source = (_moment(as_of), "given") if as_of is not None else time_of(raw, quotes)
    if moment is None:
        moment, source = _named_day(path)
    spot = raw.spot if spot is None else float(spot)
    table, expiries = build_tables(raw, quotes, as_of=moment, spot=spot, rate=rate, rules=rules or ChainRules())
    counts["rows"] = len(table)
    metadata: dict[str, Any] = {"as_of_source": source, **raw.metadata}
    return OptionChain(table, expiries, raw.symbol, moment, spot, counts.as_dict(), path, format, metadata)


def _moment(as_of: str | datetime | pd.Timestamp) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(as_of)
    except (ValueError, TypeError):
        raise ValueError(f"expected as_of as a time such as '2026-04-22T17:20Z', got {as_of!r}") from None
    if moment is pd.NaT:
        raise ValueError(f"expected as_of as a time such as '2026-04-22T17:20Z', got {as_of!r}")
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


def _named_day(path: Path) -> tuple[pd.Timestamp, str]:
    match = _DAY.search(path.name)
    if match is None:
        raise DataError(f"{path}: expected the time of the quotes, which the file does not tell; pass as_of='...'")
    day = datetime.strptime(match["day"], "%Y%m%d").date()
    noon = pd.Timestamp(datetime.combine(day, time(12), UTC))
    return noon, "noon UTC of the day in the file's name, so up to half a day off; as_of= sets it"
