"""Rows of a table as arrays `[expiry, strike]`, NaN-padded."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["EXPIRY", "by_expiry", "round_up"]

EXPIRY = ["expiry", "settlement"]
"""What tells one expiry from another: AM and PM options of one day are apart."""


def round_up(size: int, step: int) -> int:
    """The least multiple of `step` that is no smaller than `size` and 1."""
    return -(-max(size, 1) // step) * step


def by_expiry(
    rows: pd.DataFrame, expiries: pd.DataFrame, names: list[str], *, expiry_step: int = 1, strike_step: int = 1
) -> list[np.ndarray]:
    """Columns of `rows` as arrays `[expiry, strike]` in the order of the rows, NaN where an expiry has no more.

    Both lengths are multiples of the steps: kernels are compiled for few shapes then.
    """
    index = pd.MultiIndex.from_frame(expiries[EXPIRY]).get_indexer(pd.MultiIndex.from_frame(rows[EXPIRY]))
    order = rows.groupby(EXPIRY).cumcount().to_numpy()
    shape = (round_up(len(expiries), expiry_step), round_up(int(order.max(initial=0)) + 1, strike_step))
    arrays = []
    for name in names:
        values = np.full(shape, np.nan)
        values[index, order] = rows[name].to_numpy(float)
        arrays.append(values)
    return arrays
