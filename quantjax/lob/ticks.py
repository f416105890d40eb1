"""Prices as integer ticks and back: integers tell prices apart exactly, floats do not."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["price_ticks", "tick_prices", "ticks_on_grid"]

Array = jax.Array | np.ndarray

# How near 1 / tick_size is to a whole number where it is one, in doubles and in singles.
_WHOLE, _WHOLE_SINGLE = 1e-9, 1e-6
# Ticks; prices that are decimals are off by their rounding alone.
_GRID_TOLERANCE = 1e-6


def tick_prices(tick: Array, tick_size, dtype: np.dtype | type = np.float64) -> Array:
    """Prices of integer ticks: tick / (1 / tick_size) where 1 / tick_size is whole, else tick x tick_size.

    The quotient of two whole numbers is the double nearest to the decimal price, as a parser of that price gives it;
    the product may be its neighbour. While JAX's x64 mode is off, the results of JAX arrays are within an ulp of the
    nearest float32. numpy in, numpy out. Broadcasting.

    >>> tick_prices(np.array([6_113_455]), 0.01), 6_113_455 * 0.01
    (array([61134.55]), 61134.55)
    """
    if isinstance(tick, np.ndarray) and isinstance(tick_size, float | int):
        per_unit = round(1 / tick_size)
        whole = abs(per_unit * tick_size - 1) < _WHOLE
        return (tick / float(per_unit) if whole else tick * float(tick_size)).astype(dtype, copy=False)
    double = jax.config.read("jax_enable_x64")
    tick_size = jnp.asarray(tick_size, np.float64 if double else np.float32)
    per_unit, whole = _per_unit(tick_size)
    if double:
        tick = jnp.asarray(tick, np.float64)
        # XLA would turn the quotient by a scalar into a product with its inverse, off by a bit: make it an array.
        quotient = tick / jnp.where(tick < 2.0**53, per_unit, 1.0)
    else:
        # 100,000.01 is more ticks than a float32 counts: whole units and the rest apart.
        units, rest = jnp.divmod(jnp.asarray(tick), per_unit.astype(int))
        quotient = units + rest / per_unit
    return jnp.where(whole, quotient, tick * tick_size).astype(dtype)


def price_ticks(price: Array, tick_size) -> Array:
    """The nearest tick of each price, an integer; 0 where the price is NaN. Broadcasting.

    Right where the dtype of the price tells ticks apart; `ticks_on_grid` makes sure, on the host.

    >>> price_ticks(np.array([61134.55, np.nan]), 0.01), price_ticks(np.array([61134.55], np.float32), 0.01)
    (array([6113455,       0]), array([6113455]))
    """
    if isinstance(price, np.ndarray) and isinstance(tick_size, float | int):
        tick = np.rint(price.astype(np.float64) / tick_size)
        return np.where(np.isnan(tick), 0, tick).astype(np.int64)
    price = jnp.asarray(price)
    tick_size = jnp.asarray(tick_size, price.dtype)
    per_unit, whole = _per_unit(tick_size)
    integer = jnp.result_type(int)
    # Whole units and the rest apart: the product of the price would lose the digits that tell ticks apart in float32.
    units = jnp.floor(jnp.where(jnp.isnan(price), 0, price))
    rest = jnp.rint((jnp.where(jnp.isnan(price), 0, price) - units) * per_unit)
    split = units.astype(integer) * per_unit.astype(integer) + rest.astype(integer)
    quotient = jnp.rint(jnp.where(jnp.isnan(price), 0, price) / tick_size).astype(integer)
    return jnp.where(whole, split, quotient)


def ticks_on_grid(price: np.ndarray, present: np.ndarray, tick_size: float) -> np.ndarray:
    """Integer ticks of the prices where `present`, 0 elsewhere. Driver.

    Raises ValueError for prices that are no multiples of the tick size, and for a dtype too coarse to tell.

    >>> ticks_on_grid(np.array([1.25, np.nan]), np.array([True, False]), 0.05)
    array([25,  0])
    """
    ratio = np.where(present, price, 0.0).astype(np.float64) / tick_size
    ticks = np.rint(ratio)
    # The nearest float is off by half an ulp; a sum or product of such by one or two.
    ulp = float(np.finfo(price.dtype).eps) * float(np.abs(ratio).max(initial=0.0))
    if ulp / 2 >= 0.45:
        raise ValueError(
            f"expected prices whose dtype tells ticks of {tick_size:g} apart, got {price.dtype} prices up to "
            f"{np.abs(ratio).max():.0f} ticks; read them with dtype=float64, or state a coarser tick size"
        )
    off = np.abs(ratio - ticks) > max(_GRID_TOLERANCE, min(2 * ulp, 0.45))
    if off.any():
        first = tuple(np.argwhere(off)[0])
        raise ValueError(
            f"expected prices that are multiples of the tick size {tick_size:g}, got {int(off.sum())} of "
            f"{int(np.count_nonzero(present))} that are not, the first {price[first]:.12g} in row "
            f"{first[-2] if len(first) > 1 else 0}; make the series with the tick size of its prices"
        )
    return ticks.astype(np.int64)


def _per_unit(tick_size: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Ticks in one unit of price, and whether that is a whole number."""
    per_unit = jnp.rint(1 / tick_size)
    tolerance = _WHOLE if tick_size.dtype == np.float64 else _WHOLE_SINGLE
    return per_unit, (jnp.abs(per_unit * tick_size - 1) < tolerance) & (per_unit > 0)
