"""Implied volatilities of a table's prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantjax.io.chains.surface import round_up
from quantjax.pricing import implied_vol

__all__ = ["implied_vols"]

_BLOCK = 1024


def implied_vols(quotes: pd.DataFrame, price: np.ndarray) -> np.ndarray:
    """Implied volatility of a price for each row; NaN where the price has none. In round sizes: few shapes compile."""
    discount = quotes["discount"].to_numpy() if "discount" in quotes else np.ones(len(quotes))
    size = round_up(len(quotes), _BLOCK)

    def padded(values: np.ndarray, fill) -> np.ndarray:
        return np.concatenate([values, np.full(size - len(values), fill, values.dtype)])

    forward, strike, maturity = (padded(quotes[name].to_numpy(), np.nan) for name in ("forward", "strike", "maturity"))
    call = padded(quotes["call"].to_numpy(bool), True)
    vol = implied_vol(padded(price, np.nan), forward, strike, maturity, padded(discount, np.nan), call)
    vol = np.asarray(vol)[: len(quotes)]
    return np.where((vol > 0) & np.isfinite(vol), vol, np.nan)  # at the bounds it is 0 or infinite
