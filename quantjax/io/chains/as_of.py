"""When quotes were taken, found from the implied volatilities that the vendor printed beside the prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantjax.io.chains.forwards import fit_forwards
from quantjax.io.chains.rules import ChainRules
from quantjax.io.chains.surface import EXPIRY
from quantjax.io.chains.vols import implied_vols

__all__ = ["infer_as_of"]

_SECONDS_A_YEAR = 365 * 86_400
_LEAST_QUOTES = 20
_LARGEST_ERROR_S = 3_600.0
_PRICE_STEP = 1e-4  # the usual step of the venue's prices, in the underlying
_VOL_STEP = 1e-4  # volatilities are printed in percent with two decimals


def infer_as_of(quotes: pd.DataFrame, clean: pd.Series, *, inverse: bool) -> tuple[pd.Timestamp, float] | None:
    """The time of the quotes and its error in seconds; None where fewer than 20 quotes, or not well enough, tell it.

    A bid and the volatility printed beside it give the maturity, T = w / vol^2, where w is the total variance that the
    price holds; the expiry less T is the time. It is the median over bids and asks, each weighted by how well its
    rounding lets it tell, and the error comes from the median distance to it.
    """
    table = quotes.assign(maturity=1.0)  # total variance does not know it
    expiries = fit_forwards(table, clean, inverse=inverse, spot=np.nan, rate=0.0, rules=ChainRules())
    table = table[clean].merge(expiries[[*EXPIRY, "forward"]], on=EXPIRY)
    times, weights = [], []
    for side in ("bid", "ask"):
        vol = table[f"vendor_{side}_vol"].to_numpy()
        unit = table["forward"].to_numpy() if inverse else np.ones(len(table))
        at, above = (
            implied_vols(table, price) ** 2
            for price in (table[side].to_numpy() * unit, (table[side].to_numpy() + _PRICE_STEP / 2) * unit)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            maturity_s = at / vol**2 * _SECONDS_A_YEAR
            error_s = (above - at) / vol**2 * _SECONDS_A_YEAR + maturity_s * _VOL_STEP / vol
        times.append(table["expiry"].astype("int64").to_numpy() / _per_second(table["expiry"]) - maturity_s)
        weights.append(1 / error_s)
    time, weight = np.concatenate(times), np.concatenate(weights)
    known = np.isfinite(time) & np.isfinite(weight) & (weight > 0)
    time, weight = time[known], weight[known]
    if len(time) < _LEAST_QUOTES:
        return None
    middle = _median(time, weight)
    error = float(1.2533 * 1.4826 * _median(np.abs(time - middle), weight) / np.sqrt(len(time)))
    if not error <= _LARGEST_ERROR_S:
        return None
    return pd.Timestamp(round(middle), unit="s", tz="UTC"), error


def _per_second(times: pd.Series) -> int:
    return {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[times.dt.unit]


def _median(values: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])
