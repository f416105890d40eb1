"""What trades cost their takers: effective spread, realised spread, price impact, and Roll's estimate from prices."""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from quantjax.lob.metrics.sides import ratio

__all__ = [
    "SpreadSplit",
    "effective_spread",
    "effective_spread_bps",
    "roll_spread",
    "split_spread",
    "split_spread_bps",
    "volume_weighted_mean",
]

Value = Float[jax.Array, "*batch"]

# Basis points lie on a grid (powers of two), on which sums are exact as long as they are below 2^53 (2^24) steps.
_STEP_BPS = {jnp.dtype("float64"): 2.0**-36, jnp.dtype("float32"): 2.0**-14}


class SpreadSplit(eqx.Module):
    """Effective spread = realised spread + price impact, to the last bit; all in quote currency or in basis points.

    `effective`: what the taker paid over the mid, twice; `realised`: what of it the maker kept after tau; `impact`:
    what of it the mid's move took. NaN where the side is unknown, and `realised` and `impact` where there is no mid
    after tau.
    """

    effective: Value
    realised: Value
    impact: Value


def effective_spread(price: Value, side: Int[jax.Array, "*batch"], mid: Value) -> Value:
    """Effective spread: 2 D (p - m), in quote currency, `[...]`.

    `price` p of the trade, `side` D = +1, -1, or 0 (unknown, which gives NaN), `mid` m of the book that stood before
    the trade. Negative for a trade inside the spread beyond the mid. Broadcasting. Source: Huang & Stoll (1996), Dealer
    versus auction markets, Journal of Financial Economics 41(3), section 3.

    >>> round(float(effective_spread(100.02, 1, 100.01)), 8)
    0.02
    """
    return _twice(side, jnp.asarray(price) - mid)


def effective_spread_bps(price: Value, side: Int[jax.Array, "*batch"], mid: Value) -> Value:
    """Effective spread in basis points of the mid: 2e4 D (p - m) / m, `[...]`. Broadcasting.

    Arguments as in `effective_spread`. Rounded to steps of 2^-36 basis points (2^-14 in float32, whose prices carry no
    more), on which `split_spread_bps` adds up exactly; the gradient is that of the formula.

    >>> round(float(effective_spread_bps(100.02, 1, 100.01)), 6)
    1.9998
    """
    return _in_steps(effective_spread(price, side, mid) * (1e4 / jnp.asarray(mid)))


def split_spread(price: Value, side: Int[jax.Array, "*batch"], mid: Value, future_mid: Value) -> SpreadSplit:
    """2 D (p - m) = 2 D (p - m_tau) + 2 D (m_tau - m), in quote currency, `[...]`.

    `future_mid` m_tau: the mid of the book at the trade's time plus tau (`future_mids`); the others as in
    `effective_spread`. Exact: differences of prices within a factor of two of each other have no rounding, so the two
    parts are measured each on its own and their floating-point sum is the effective spread to the last bit.
    Broadcasting. Source: Huang & Stoll (1996), section 3.

    >>> split = split_spread(100.02, 1, 100.01, 100.015)
    >>> bool(split.effective == split.realised + split.impact), round(float(split.impact), 8)
    (True, 0.01)
    """
    price, mid, future_mid = jnp.asarray(price), jnp.asarray(mid), jnp.asarray(future_mid)
    realised, impact = _twice(side, price - future_mid), _twice(side, future_mid - mid)
    return SpreadSplit(effective_spread(price, side, mid), realised, impact)


def split_spread_bps(price: Value, side: Int[jax.Array, "*batch"], mid: Value, future_mid: Value) -> SpreadSplit:
    """`split_spread` in basis points of the mid before the trade: each part times 1e4 / m, `[...]`. Broadcasting.

    Effective and realised spread are rounded to steps of 2^-36 basis points (2^-14 in float32) and the impact is their
    difference: so effective = realised + impact to the last bit while they stay below 131,072 basis points (1,024 in
    float32).
    """
    mid = jnp.asarray(mid)
    parts = split_spread(price, side, mid, future_mid)
    scale = 1e4 / mid
    effective, realised = _in_steps(parts.effective * scale), _in_steps(parts.realised * scale)
    return SpreadSplit(effective, realised, effective - realised)


def volume_weighted_mean(values: Float[jax.Array, "*batch trade"], size: Float[jax.Array, "*batch trade"]) -> Value:
    """sum q x / sum q over the last axis, `[...]`; values that are NaN take no part, NaN where no volume is left.

    Broadcasting.

    >>> float(volume_weighted_mean(jnp.array([1.0, 2.0, jnp.nan]), jnp.array([1.0, 3.0, 5.0])))
    1.75
    """
    values, size = jnp.asarray(values), jnp.asarray(size)
    known = ~jnp.isnan(values)
    weight = jnp.where(known, size, 0.0)
    return ratio((weight * jnp.where(known, values, 0.0)).sum(axis=-1), weight.sum(axis=-1))


def roll_spread(
    price: Float[jax.Array, "*batch trade"],
    *,
    demean: bool = True,
    positive: Literal["nan", "zero"] = "nan",
) -> Value:
    """Roll's spread: 2 sqrt(-cov(dp_i, dp_{i-1})), in quote currency, `[...]`.

    `price` `[..., trade]`, in order. The covariance is over the n pairs of successive price changes, divided by n;
    `demean=True` takes the mean of each of the two lagged series off, False takes both as 0 (no drift). Where it is
    positive there is no such spread: NaN, or 0 with `positive="zero"`. NaN prices give NaN. Broadcasting. Raises
    ValueError for fewer than three prices. Source: Roll (1984), A simple implicit measure of the effective bid-ask
    spread, Journal of Finance 39(4), eq. 2.

    >>> float(roll_spread(jnp.array([10.0, 11.0, 10.0, 11.0, 10.0]), demean=False))
    2.0
    """
    if positive not in ("nan", "zero"):
        raise ValueError(f"expected positive as 'nan' or 'zero', got {positive!r}")
    price = jnp.asarray(price)
    if price.ndim == 0 or price.shape[-1] < 3:
        raise ValueError(f"expected price [..., trade] of at least three trades, got shape {list(price.shape)}")
    change = price[..., 1:] - price[..., :-1]
    later, earlier = change[..., 1:], change[..., :-1]
    if demean:
        later = later - later.mean(axis=-1, keepdims=True)
        earlier = earlier - earlier.mean(axis=-1, keepdims=True)
    covariance = (later * earlier).mean(axis=-1)
    negative = covariance < 0
    # The inner where keeps the gradient of the root finite where it is not taken.
    root = 2 * jnp.sqrt(jnp.where(negative, -covariance, 1.0))
    instead = jnp.where((covariance == 0) | (positive == "zero"), 0.0, jnp.nan)
    return jnp.where(negative, root, jnp.where(jnp.isnan(covariance), jnp.nan, instead)).astype(price.dtype)


def _twice(side, difference: jax.Array) -> jax.Array:
    """2 D x: exact, as D is +1 or -1; NaN where it is not."""
    side = jnp.asarray(side)
    double = 2 * difference
    return jnp.where(side == 1, double, jnp.where(side == -1, -double, jnp.nan))


def _in_steps(bps: jax.Array) -> jax.Array:
    step = _STEP_BPS.get(bps.dtype)
    if step is None:
        raise TypeError(f"expected float64 or float32 prices, got {bps.dtype}")
    # The rounding is added as a constant: the gradient passes through.
    return bps + jax.lax.stop_gradient(jnp.round(bps / step) * step - bps)
