"""Prices and sizes as integers: ticks and lots, or an error where they are no multiples."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.lob.bars.blocks import blocks_of
from quantjax.lob.trades import TradeSeries

__all__ = ["units_of", "whole_units"]


def whole_units(name: str, value: float | Decimal, unit_name: str, unit: float | Decimal) -> int:
    """How many units a value is, exactly, both read as their decimal digits; ValueError where no whole number."""
    count = Decimal(str(value)) / Decimal(str(unit))
    if count != int(count):
        raise ValueError(f"expected {name} as a multiple of {unit_name} {unit}, got {value}; choose a multiple")
    return int(count)


def units_of(
    trades: TradeSeries, threshold: int, *, lot_size: float | Decimal, tick_size: float | Decimal | None
) -> np.ndarray:
    """Size in lots `[trade]`, or price in ticks times size in lots; int64, int32 while x64 is off. Driver.

    Raises ValueError for a size or price that is no multiple, and where a bar's sum would not fit the integers.
    """
    price, size = np.asarray(trades.price), np.asarray(trades.size)
    amount = np.empty(len(trades), jax.dtypes.canonicalize_dtype(np.int64))
    largest = 0.0
    for start, count, (p, q) in blocks_of(price, size):
        units, lots_whole, ticks_whole, most = _units(p, q, lot_size=_static(lot_size), tick_size=_static(tick_size))
        for column, array, unit_name, unit, whole in (
            ("size", size, "lot_size", lot_size, lots_whole),
            ("price", price, "tick_size", tick_size, ticks_whole),
        ):
            bad = ~np.asarray(whole)[:count]
            if bad.any():
                row = start + int(np.argmax(bad))
                raise ValueError(
                    f"expected every {column} of {trades.symbol} as a multiple of {unit_name} {unit} that "
                    f"{array.dtype} can tell, got {array[row]} in row {row}; give the {unit_name} of the market, or "
                    "None to add amounts as they are"
                )
        largest = max(largest, float(most))
        amount[start : start + count] = np.asarray(units)[:count]
    if largest + threshold > 0.99 * np.iinfo(amount.dtype).max:
        raise ValueError(
            f"expected a bar of {trades.symbol} to count fewer units than {amount.dtype} holds, got up to "
            f"{largest + threshold:.3g}; give a larger lot_size, or None to add amounts as they are"
        )
    return amount


def _static(unit: float | Decimal | None) -> float | None:
    return None if unit is None else float(unit)


@partial(jax.jit, static_argnames=("lot_size", "tick_size"))
def _units(price, size, *, lot_size: float, tick_size: float | None):
    """Units, which sizes and which prices are whole, and the largest number of units as a float."""
    lots, lots_whole = _count(size, lot_size)
    if tick_size is None:
        ticks, ticks_whole = jnp.ones_like(lots), jnp.ones(lots.shape, bool)
    else:
        ticks, ticks_whole = _count(price, tick_size)
    most = jnp.max(lots * ticks, initial=0.0)
    return lots.astype(int) * ticks.astype(int), lots_whole, ticks_whole, most


def _count(value, unit: float):
    """The nearest whole number of units, as a float, and whether the value is that number but for its own rounding."""
    eps = jnp.finfo(value.dtype).eps
    count = jnp.round(value / unit)
    # Beyond 1 / 8 eps the rounding of the value is no longer small against a unit.
    return count, (jnp.abs(count * unit - value) <= 4 * eps * value) & (count <= 0.125 / eps)
