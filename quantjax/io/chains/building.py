"""From raw quotes to the quotes table: maturities, forwards, implied volatilities, reasons for what is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantjax.io.chains.as_of import infer_as_of
from quantjax.io.chains.forwards import fit_forwards
from quantjax.io.chains.raw import RawChain, RawQuote
from quantjax.io.chains.rules import ChainRules, screen, screen_prices
from quantjax.io.chains.surface import EXPIRY
from quantjax.io.chains.vols import implied_vols

__all__ = ["COLUMNS", "build_tables", "raw_table", "time_of"]

COLUMNS: dict[str, str] = {
    "expiry": "moment of settlement, UTC",
    "settlement": "'AM' (opening, 9:30 New York), 'PM' (close, 16:00 or 13:00 New York) or '08:00 UTC'",
    "maturity": "years from the quotes to the expiry, ACT/365",
    "strike": "in quote currency",
    "call": "True for a call, False for a put",
    "bid": "in quote currency; NaN: none, or in another unit and without a forward to convert it by",
    "ask": "likewise",
    "mid": "(bid + ask) / 2",
    "bid_size": "contracts; NaN: not in the file",
    "ask_size": "contracts; NaN: not in the file",
    "volume": "contracts of the day; NaN: not in the file",
    "open_interest": "contracts; NaN: not in the file",
    "age_s": "seconds since the last update of the quote, at the latest of the file; NaN: not in the file",
    "forward": "F of the expiry",
    "discount": "D of the expiry",
    "log_moneyness": "ln(K / F)",
    "out_of_the_money": "a call with K >= F or a put with K < F",
    "bid_vol": "implied volatility of the bid, per year; NaN where the bid has none (below the bounds)",
    "mid_vol": "of the mid",
    "ask_vol": "of the ask",
    "vendor_bid_vol": "as the vendor printed it, a decimal per year; NaN: none",
    "vendor_vol": "of no stated side, likewise",
    "vendor_ask_vol": "likewise",
    "exercise": "'european' or 'american'",
    "used": "whether the quote is clean: nothing in `reason`",
    "reason": "why it is not, a name of `io.CHAIN_REASONS`",
    "line": "of the file",
}
"""Columns of `OptionChain.table`, in order."""

_SECONDS_A_YEAR = 365 * 86_400


def raw_table(raw: RawChain) -> pd.DataFrame:
    """The quotes as a table; a missing number is NaN."""
    table = pd.DataFrame(raw.quotes, columns=list(RawQuote._fields))
    return table.astype({"call": bool, "strike": float, "settlement": "str", "exercise": "str"})


def time_of(raw: RawChain, quotes: pd.DataFrame) -> tuple[pd.Timestamp | None, str]:
    """When the quotes were taken, from the file or from the volatilities in it, and how that is known."""
    if raw.as_of is not None:
        return raw.as_of, raw.as_of_source
    bid, ask = quotes["bid"], quotes["ask"]
    clean = (bid > 0) & (ask >= bid) & ~quotes.duplicated([*EXPIRY, "strike", "call"])
    found = infer_as_of(quotes, clean, inverse=raw.inverse)
    if found is None:
        return None, ""
    return found[0], f"inferred from the implied volatilities in the file, to about {found[1]:.0f} s"


def build_tables(
    raw: RawChain, quotes: pd.DataFrame, *, as_of: pd.Timestamp, spot: float, rate: float | None, rules: ChainRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The quotes table and the expiries, a row each."""
    quotes = quotes.assign(maturity=(quotes["expiry"] - as_of).dt.total_seconds() / _SECONDS_A_YEAR)
    reason = screen(quotes, rules)
    expiries = fit_forwards(quotes, reason == "", inverse=raw.inverse, spot=spot, rate=rate, rules=rules)
    quotes = quotes.merge(expiries[[*EXPIRY, "forward", "discount"]], on=EXPIRY, how="left", validate="many_to_one")
    if raw.inverse:
        quotes[["bid", "ask"]] = quotes[["bid", "ask"]].mul(quotes["forward"], axis=0)
    quotes["mid"] = (quotes["bid"] + quotes["ask"]) / 2
    forward, strike = quotes["forward"].to_numpy(), quotes["strike"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        quotes["log_moneyness"] = np.log(strike / forward)
    quotes["out_of_the_money"] = np.where(quotes["call"], strike >= forward, strike < forward)
    reason = reason.where(reason != "", screen_prices(quotes))
    for side in ("bid", "mid", "ask"):
        quotes[f"{side}_vol"] = implied_vols(quotes, quotes[side].where(reason == "").to_numpy())
    reason = reason.where((reason != "") | quotes["mid_vol"].notna(), "no_vol")
    quotes["reason"], quotes["used"] = reason, reason == ""
    quotes = quotes[list(COLUMNS)].sort_values([*EXPIRY, "strike", "call"], kind="stable", ignore_index=True)
    counts = quotes.groupby(EXPIRY).agg(num_quotes=("used", "size"), num_used=("used", "sum"))
    expiries = expiries.merge(counts.reset_index(), on=EXPIRY, how="left")
    expiries.insert(list(expiries.columns).index("rate"), "atm_vol", _atm_vols(quotes, expiries))
    return quotes, expiries


def _atm_vols(quotes: pd.DataFrame, expiries: pd.DataFrame) -> np.ndarray:
    """Volatility at the forward, between the nearest out-of-the-money mids; NaN where they do not enclose it."""
    smiles = dict(list(quotes[quotes["used"] & quotes["out_of_the_money"]].groupby(EXPIRY)))
    found = np.full(len(expiries), np.nan)
    for i, key in enumerate(expiries[EXPIRY].itertuples(index=False, name=None)):
        if (smile := smiles.get(key)) is not None:
            k, vol = smile["log_moneyness"].to_numpy(), smile["mid_vol"].to_numpy()
            found[i] = np.interp(0.0, k, vol, left=np.nan, right=np.nan)
    return found
