"""What is left out of a chain, and why: the rules with their thresholds, and the reasons that a quote may carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantjax.numerics.arguments import check_positive, whole_number

__all__ = ["REASONS", "ChainRules", "screen", "screen_prices"]

REASONS: dict[str, str] = {
    "": "used",
    "expired": "the expiry is not after the time of the quotes",
    "duplicate": "an option that stands in the file before; the first is kept",
    "no_quote": "neither bid nor ask",
    "no_bid": "the bid is missing or 0: nobody says what the option is worth at least",
    "no_ask": "the ask is missing or 0",
    "crossed": "the bid is above the ask",
    "stale": "last updated more than `max_age_s` before the latest quote of the file",
    "wide": "the spread is more than `max_relative_spread` times the mid",
    "no_forward": "the expiry has too few pairs of a call and a put for its forward",
    "in_the_money": "American and in the money: the price holds the right to exercise early",
    "outside_bounds": "the mid is at or beyond the bounds of no arbitrage, D max(F - K, 0) and D F for a call",
    "no_vol": "the mid has no implied volatility",
}
"""Reasons that the column `reason` may hold, in the order in which they are looked at."""


@dataclass(frozen=True)
class ChainRules:
    """Thresholds of `io.load_chain`.

    `max_relative_spread`: a quote whose spread is more than so many times its mid is left out (1: an ask of three times
    the bid). `max_age_s`: so are quotes that were last updated so long before the latest one, where the file has times.
    `min_pairs`: an expiry needs so many pairs of a call and a put. `min_discount_maturity`, `max_rate_error`: the
    discount factor is taken from parity where the expiry is at least so many years away and the standard error of
    -ln(D) / T is at most so much; else its rate is borrowed from the expiries that have one.
    """

    max_relative_spread: float = 1.0
    max_age_s: float = 900.0
    min_pairs: int = 4
    min_discount_maturity: float = 30 / 365
    max_rate_error: float = 0.003

    def __post_init__(self) -> None:
        for name in ("max_relative_spread", "max_age_s", "min_discount_maturity", "max_rate_error"):
            check_positive(name, getattr(self, name))
        whole_number(self.min_pairs, "min_pairs", least=1)


def screen(quotes: pd.DataFrame, rules: ChainRules) -> pd.Series:
    """The reason of each quote that can be seen without a forward, "" where there is none; the first that holds."""
    bid, ask = quotes["bid"].to_numpy(), quotes["ask"].to_numpy()
    has_bid, has_ask = bid > 0, ask > 0
    return _first(
        quotes,
        {
            "expired": quotes["maturity"].to_numpy() <= 0,
            "duplicate": quotes.duplicated(["expiry", "settlement", "strike", "call"]).to_numpy(),
            "no_quote": ~has_bid & ~has_ask,
            "no_bid": ~has_bid,
            "no_ask": ~has_ask,
            "crossed": bid > ask,
            "stale": quotes["age_s"].to_numpy() > rules.max_age_s,
            "wide": ask - bid > rules.max_relative_spread * (ask + bid) / 2,
        },
    )


def screen_prices(quotes: pd.DataFrame) -> pd.Series:
    """The reason of each quote that a forward is needed for, "" where there is none."""
    forward, discount, strike, mid = (quotes[name].to_numpy() for name in ("forward", "discount", "strike", "mid"))
    call = quotes["call"].to_numpy()
    gain = np.where(call, forward - strike, strike - forward)
    bound = discount * np.where(call, forward, strike)
    american = quotes["exercise"].to_numpy() == "american"
    return _first(
        quotes,
        {
            "no_forward": ~np.isfinite(forward),
            "in_the_money": american & ~quotes["out_of_the_money"].to_numpy(),
            "outside_bounds": ~((mid > discount * np.maximum(gain, 0)) & (mid < bound)),
        },
    )


def _first(quotes: pd.DataFrame, found: dict[str, np.ndarray]) -> pd.Series:
    reason = np.select(list(found.values()), list(found), default="")
    return pd.Series(reason, index=quotes.index, dtype="str")
