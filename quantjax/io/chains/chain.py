"""A loaded option chain: the quotes table, its expiries, and an account of what is not used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quantjax.io.chains.surface import EXPIRY, by_expiry
from quantjax.numerics.arguments import whole_number
from quantjax.pricing import OptionQuotes
from quantjax.pricing.arbitrage import calendar_arbitrage, slice_arbitrage

__all__ = ["OptionChain"]


@dataclass(frozen=True, eq=False)
class OptionChain:
    """Option quotes of one underlying at one time, as `io.load_chain` gives them.

    `table`: a row a quote, every one of the file, in the order of expiry and strike; its columns are those of
    `io.CHAIN_COLUMNS`. `expiries`: a row an expiry: `expiry`, `settlement`, `maturity`, `exercise`; `forward`,
    `discount` with `forward_std_error`, `discount_std_error` (NaN where it is borrowed), `forward_source`,
    `discount_source`; `atm_vol`; `rate` = -ln(D) / T; `num_pairs` of a call and a put, the median
    `parity_error` |C - P - D (F - K)| over them, and the share of them in which that is within half the two spreads,
    `parity_within_spread`; `num_quotes`, `num_used`.

    `symbol`; `as_of`, the time of the quotes, UTC; `spot`, NaN where nobody said; `counts`: `rows_read`, `rows` of the
    table (a row of CBOE's has two options), and what could not be read, by the names of `io.COUNT_NAMES`; `source`,
    `format`; `metadata`: `as_of_source`, `currency`, `source_unit` (of the prices in the file, where it is another),
    `roots` of the options' symbols, `first_malformed_line`.
    """

    table: pd.DataFrame
    expiries: pd.DataFrame
    symbol: str
    as_of: pd.Timestamp
    spot: float
    counts: dict[str, int]
    source: Path
    format: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def to_pandas(self) -> pd.DataFrame:
        """The quotes table, a copy."""
        return self.table.copy()

    @property
    def report(self) -> dict[str, int]:
        """Quotes by what became of them: `used`, and the reasons of `io.CHAIN_REASONS` for the others; all together
        are the rows of the table."""
        found = self.table["reason"].value_counts()
        return {"used": int(found.get("", 0))} | {str(name): int(n) for name, n in found.items() if name}

    @property
    def smiles(self) -> pd.DataFrame:
        """The used quotes out of the money, one a strike: what models are fitted to."""
        return self.table[self.table["used"] & self.table["out_of_the_money"]].reset_index(drop=True)

    def select(
        self,
        *,
        min_maturity: float = 0.0,
        max_maturity: float = np.inf,
        settlement: str | None = None,
        max_deviations: float = np.inf,
        max_relative_spread: float = np.inf,
        max_strikes: int | None = None,
        min_strikes: int = 3,
    ) -> pd.DataFrame:
        """The rows of `smiles` that a model is to be fitted to.

        `min_maturity`, `max_maturity` in years; `settlement`: "AM" or "PM" alone; `max_deviations`: no quotes with
        |ln(K / F)| above so many at-the-money standard deviations, `atm_vol` sqrt(T), and none of an expiry without
        `atm_vol`; `max_relative_spread`: none with (ask - bid) / mid above it; `max_strikes`: at most so many an
        expiry, evenly taken over the log-moneyness; `min_strikes`: expiries left with fewer are left out.

        Raises ValueError where nothing is left.
        """
        rows = self.smiles.merge(self.expiries[[*EXPIRY, "atm_vol"]], on=EXPIRY, how="left")
        deviation = rows["atm_vol"] * np.sqrt(rows["maturity"])
        kept = rows["maturity"].between(min_maturity, max_maturity)
        kept &= (rows["ask"] - rows["bid"]) <= max_relative_spread * rows["mid"]
        if np.isfinite(max_deviations):
            kept &= rows["log_moneyness"].abs() <= max_deviations * deviation
        if settlement is not None:
            kept &= rows["settlement"] == settlement
        rows = rows[kept]
        if max_strikes is not None:
            whole_number(max_strikes, "max_strikes")
            rows = rows[rows.groupby(EXPIRY)["log_moneyness"].transform(_evenly, max_strikes).astype(bool)]
        rows = rows[rows.groupby(EXPIRY)["strike"].transform("size") >= min_strikes]
        if rows.empty:
            raise ValueError(
                f"{self.source}: expected quotes that the selection keeps, got none of {len(self.smiles)} used ones "
                f"out of the money; widen it (the chain: {self.report})"
            )
        return rows.drop(columns="atm_vol").reset_index(drop=True)

    def quotes(self, *, least_error: float = 1e-3, **selection: Any) -> OptionQuotes:
        """The selected quotes as `pricing.OptionQuotes`, `[maturity, strike]`: what `pricing.calibrate` takes.

        `selection`: as in `select`; `least_error`: of a vol, see `OptionQuotes.from_vols`. Rows are the expiries in
        order, those of one day but different settlement among them.
        """
        rows = self.select(**selection)
        expiries = rows.groupby(EXPIRY, sort=True)[["maturity", "forward", "discount"]].first().reset_index()
        strikes, vols, bid, ask = by_expiry(rows, expiries, ["strike", "mid_vol", "bid_vol", "ask_vol"])
        maturity, forward, discount = (expiries[name].to_numpy() for name in ("maturity", "forward", "discount"))
        return OptionQuotes.from_vols(
            strikes,
            maturity,
            vols,
            forward=forward,
            discount=discount,
            bid_vols=bid,
            ask_vols=ask,
            least_error=least_error,
        )

    def arbitrage(self) -> pd.DataFrame:
        """What the used out-of-the-money quotes would let one lock in, a row a quote that is sold; empty if nothing.

        Columns: `kind` ('call spread', 'wide spread', 'butterfly', 'calendar'), `expiry`, `settlement`, `strike`,
        `call`, `bid` of the quote that is sold, `gain` in quote currency an option: selling at bids and buying at asks,
        after `pricing.slice_arbitrage` and `pricing.calendar_arbitrage` (against the next expiry). Puts are turned into
        calls by parity, so that between a put and a call a gain within the forward's error says nothing.
        """
        smiles = self.smiles
        discount, forward, strike = (smiles[name].to_numpy() for name in ("discount", "forward", "strike"))
        carried = np.where(smiles["call"], 0.0, discount * (forward - strike))
        priced = smiles.assign(call_bid=smiles["bid"] + carried, call_ask=smiles["ask"] + carried, row=smiles.index)
        kept = self.expiries[self.expiries["forward"].notna()]
        strike, bid, ask, row = by_expiry(
            priced, kept, ["strike", "call_bid", "call_ask", "row"], expiry_step=8, strike_step=64
        )
        forward, discount = np.ones((2, len(strike)))
        forward[: len(kept)], discount[: len(kept)] = kept["forward"], kept["discount"]
        inside = slice_arbitrage(strike, bid, ask, discount)
        later = np.minimum(np.arange(len(strike)) + 1, len(strike) - 1)
        between = calendar_arbitrage(
            strike, bid, forward, discount, strike[later], ask[later], forward[later], discount[later]
        )
        gains = {
            "call spread": inside.call_spread,
            "wide spread": inside.wide_spread,
            "butterfly": inside.butterfly,
            "calendar": between.gain,
        }
        columns = [*EXPIRY, "strike", "call", "bid"]
        found = []
        for kind, gain in gains.items():
            gain = np.asarray(gain)
            # Below a rounding of the prices there is nothing.
            at = np.nonzero(gain > 1e-9 * np.maximum(np.abs(bid), 1.0))
            found.append(smiles.loc[row[at].astype(int), columns].assign(kind=kind, gain=gain[at]))
        return pd.concat(found, ignore_index=True)[["kind", *columns, "gain"]]


def _evenly(log_moneyness: pd.Series, most: int) -> np.ndarray:
    """Which of the values of an expiry are kept: those nearest to `most` points of equal distance."""
    values = log_moneyness.to_numpy()
    if len(values) <= most:
        return np.ones(len(values), bool)
    points = np.linspace(values.min(), values.max(), most)
    kept = np.zeros(len(values), bool)
    kept[np.abs(values[:, None] - points).argmin(axis=0)] = True
    return kept
