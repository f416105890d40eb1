"""What bars count in integers: sizes in lots, notionals in ticks times lots."""

from __future__ import annotations

from decimal import Decimal

import jax
import numpy as np

from quantjax.lob.bars.blocks import in_parallel, pieces
from quantjax.lob.lots import to_lots
from quantjax.lob.trades.series import TradeSeries

__all__ = ["threshold_units", "units_of"]


def threshold_units(name: str, value: float | Decimal, unit_name: str, unit: float | Decimal) -> int:
    """How many units a threshold is, both read as their decimal digits: sums of floats are a few eps off. Driver.

    n = round(value / unit), where |n unit - value| <= 4 eps value, the rule of `to_lots`; a threshold of more than
    1 / (8 eps) units, where every number would look like a multiple, is to be one exactly. Raises ValueError where it
    is no multiple.

    >>> threshold_units("volume", 0.1 + 0.2, "lot_size", 0.1)
    3
    """
    exact, step, eps = Decimal(str(value)), Decimal(str(unit)), Decimal(float(np.finfo(np.float64).eps))
    count = (exact / step).to_integral_value()
    tolerance = 4 * eps * exact if 8 * eps * count <= 1 else 0
    if not count or abs(count * step - exact) > tolerance:
        nearest = format((max(count, Decimal(1)) * step).normalize(), "f")
        raise ValueError(
            f"expected {name} as a multiple of {unit_name} {unit}, got {value}; the nearest multiple is {nearest}"
        )
    return int(count)


def units_of(
    trades: TradeSeries, threshold: int, *, lot_size: float | Decimal, tick_size: float | Decimal | None
) -> np.ndarray:
    """Size in lots `[trade]`, or price in ticks times size in lots; int64, int32 while x64 is off. Driver.

    Raises ValueError for a size or price that is no multiple, and where a bar's sum would not fit the integers.
    """
    amount = _whole(trades, "size", lot_size, "lot_size")
    largest = float(amount.max(initial=0))
    dtype = jax.dtypes.canonicalize_dtype(np.int64)
    most = 0.99 * np.iinfo(dtype).max
    if tick_size is not None:
        ticks = _whole(trades, "price", tick_size, "tick_size")
        largest *= float(ticks.max(initial=0))
        if largest + threshold > most:
            # The largest size may not have had the largest price. As floats: the integers may wrap.
            largest = float(np.max(amount.astype(np.float64) * ticks))
        amount *= ticks
    if largest + threshold > most:
        raise ValueError(
            f"expected a bar of {trades.symbol} to count fewer units than {dtype} holds, got up to "
            f"{largest + threshold:.3g}; give a larger lot_size, or None to add amounts as they are"
        )
    return amount.astype(dtype, copy=False)


def _whole(trades: TradeSeries, column: str, unit: float | Decimal, unit_name: str) -> np.ndarray:
    array, names = np.asarray(getattr(trades, column)), {"name": f"{column} of {trades.symbol}", "unit_name": unit_name}
    units = np.empty(len(array), np.int64)

    def convert(rows: slice) -> None:
        units[rows] = to_lots(array[rows], unit, **names)

    try:
        in_parallel(convert, pieces(len(array)))
    except ValueError:
        # Of all rows at once, so that the error names the row.
        try:
            return to_lots(array, unit, **names)
        except ValueError as error:
            raise ValueError(f"{error}, or None to add amounts as they are") from None
    return units
