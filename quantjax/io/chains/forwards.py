"""Forward and discount factor of every expiry of a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantjax.io.chains.rules import ChainRules
from quantjax.io.chains.surface import EXPIRY, by_expiry, round_up
from quantjax.pricing.parity import fit_parity

__all__ = ["fit_forwards"]

_NEAR = 0.05  # American options: pairs whose strike is so near the forward, relative
_LEAST_PAIRS_FOR_A_RATE = 10
_HIGHEST_RATE = 0.5


def fit_forwards(
    quotes: pd.DataFrame, clean: pd.Series, *, inverse: bool, spot: float, rate: float | None, rules: ChainRules
) -> pd.DataFrame:
    """A row an expiry: forward, discount, their standard errors, and how they were found.

    `quotes`: of the table, `bid` and `ask` in the file's unit; `clean`: those that `screen` has no objection to, which
    alone make pairs.
    """
    expiries = quotes.groupby(EXPIRY, sort=True).agg(maturity=("maturity", "first"), exercise=("exercise", "first"))
    expiries = expiries.reset_index()
    pairs = _pairs(quotes[clean])
    strike, difference, spread = by_expiry(pairs, expiries, ["strike", "difference", "spread"], strike_step=64)
    american = (expiries["exercise"] == "american").to_numpy()
    if inverse:
        # c - p = 1 - K / F in units of the underlying, so each pair has its forward K / (1 - (c - p)); in money and
        # undiscounted that is C - P = F - K.
        left = np.where(difference < 1, 1 - difference, np.nan)
        difference, spread = strike * difference / left, spread * strike / left**2
    if american.any():
        near = _near_the_money(strike, difference)
        difference = np.where(american[:, None] & ~near, np.nan, difference)
    maturity = expiries["maturity"].to_numpy()
    free = _fit(strike, difference, spread, None)
    if inverse:
        log_discount, source = np.zeros(len(expiries)), np.full(len(expiries), "1: prices in the underlying")
    elif rate is not None:
        log_discount, source = -rate * maturity, np.full(len(expiries), "given")
    else:
        log_discount, source = _log_discounts(free, maturity, american, rules)
    discount = np.exp(log_discount)
    held = _fit(strike, difference, spread, discount)
    own = source == "parity"
    enough = free["num_pairs"] >= rules.min_pairs
    for name in ("forward", "forward_std_error"):
        expiries[name] = np.where(enough, np.where(own, free[name], held[name]), np.nan)
    expiries["discount"] = np.where(own, free["discount"], discount)
    expiries["discount_std_error"] = np.where(own, free["discount_std_error"], np.where(source == "given", 0.0, np.nan))
    expiries["rate"] = np.log(1 / expiries["discount"]) / maturity
    expiries["num_pairs"] = free["num_pairs"]
    residual = np.where(own[:, None], free["residual"], held["residual"])
    expiries["parity_error"] = _nanmedian(np.abs(residual))
    expiries["parity_within_spread"] = _share(np.abs(residual) <= spread / 2, np.isfinite(residual))
    expiries["forward_source"] = np.where(american, "near-the-money parity of American options", "parity")
    expiries["discount_source"] = source
    if rate is not None and np.isfinite(spot):
        expiries.loc[american, "forward"] = spot * np.exp(rate * maturity[american])
        expiries.loc[american, "forward_std_error"] = 0.0
        expiries.loc[american, "forward_source"] = "spot carried at the rate"
    return expiries


def _pairs(quotes: pd.DataFrame) -> pd.DataFrame:
    calls, puts = (quotes[quotes["call"] == side] for side in (True, False))
    pairs = calls.merge(puts, on=[*EXPIRY, "strike"], suffixes=("_call", "_put"))
    mid = [(pairs[f"bid_{side}"] + pairs[f"ask_{side}"]) / 2 for side in ("call", "put")]
    spread = sum(pairs[f"ask_{side}"] - pairs[f"bid_{side}"] for side in ("call", "put"))
    pairs["difference"] = mid[0] - mid[1]
    # A locked pair is not known without error either: the finest step of prices there is.
    pairs["spread"] = np.maximum(spread, 1e-4 * np.maximum(mid[0] + mid[1], 1e-12))
    return pairs


def _fit(strike, difference, spread, discount) -> dict[str, np.ndarray]:
    count = len(strike)
    rows = round_up(count, 8) - count

    def more(values, fill):
        return np.concatenate([values, np.full((rows, *values.shape[1:]), fill)])

    strike, difference, spread = (more(values, np.nan) for values in (strike, difference, spread))
    discount = None if discount is None else more(discount, 1.0)
    fit = fit_parity(strike, difference, np.zeros_like(difference), spread, discount)
    return {name: np.asarray(value)[:count] for name, value in vars(fit).items()}


def _near_the_money(strike: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Pairs about the strike at which call and put cost the same."""
    distance = np.where(np.isfinite(difference), np.abs(difference), np.inf)
    middle = np.take_along_axis(strike, np.argmin(distance, axis=1)[:, None], axis=1)
    return np.abs(strike / middle - 1) <= _NEAR


def _log_discounts(
    free: dict[str, np.ndarray], maturity: np.ndarray, american: np.ndarray, rules: ChainRules
) -> tuple[np.ndarray, np.ndarray]:
    """ln D and where it is from: parity, neighbours, or 1 where no expiry of the chain has one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = -np.log(free["discount"]) / maturity
        rate_error = free["discount_std_error"] / free["discount"] / maturity
    own = (
        ~american
        & (free["num_pairs"] >= max(rules.min_pairs, _LEAST_PAIRS_FOR_A_RATE))
        & (maturity >= rules.min_discount_maturity)
        & (rate_error <= rules.max_rate_error)
        & (np.abs(rate) <= _HIGHEST_RATE)
    )
    if not own.any():
        return np.zeros_like(maturity), np.full(len(maturity), "1: no expiry determines it")
    known = np.argsort(maturity[own])
    times, logs = maturity[own][known], (-rate * maturity)[own][known]
    # -ln D is straight between expiries (the forward rate is constant there), and the rate flat before and after.
    inside = np.interp(maturity, times, logs)
    nearest = np.where(maturity < times[0], logs[0] / times[0], logs[-1] / times[-1])
    outside = (maturity < times[0]) | (maturity > times[-1])
    log_discount = np.where(own, -rate * maturity, np.where(outside, nearest * maturity, inside))
    return log_discount, np.where(own, "parity", "neighbours")


def _nanmedian(values: np.ndarray) -> np.ndarray:
    return np.array([np.nanmedian(row) if np.isfinite(row).any() else np.nan for row in values])


def _share(condition: np.ndarray, known: np.ndarray) -> np.ndarray:
    count = known.sum(axis=1)
    return np.where(count > 0, (condition & known).sum(axis=1) / np.maximum(count, 1), np.nan)
