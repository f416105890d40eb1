"""What highs and lows tell: Parkinson's variance and Corwin & Schultz's spread."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float

__all__ = ["corwin_schultz_spread", "parkinson_variance"]

Prices = Float[jax.Array, "*batch period"]

_DENOMINATOR = 3 - 2 * math.sqrt(2)


def parkinson_variance(high: Prices, low: Prices) -> Prices:
    """Variance of each period from its range: ln(H / L)^2 / (4 ln 2), `[..., period]`.

    `high` and `low` in quote currency; NaN where they are not positive or the high is below the low. Of the time a
    period lasts, not annualised. Broadcasting. Source: Parkinson (1980), The extreme value method for estimating the
    variance of the rate of return, Journal of Business 53(1), eq. 5.

    >>> round(float(parkinson_variance(jnp.array(101.0), jnp.array(100.0))), 9)
    3.571e-05
    """
    return _log_range(high, low) ** 2 / (4 * math.log(2))


def corwin_schultz_spread(
    high: Prices, low: Prices, *, negative: Literal["zero", "nan", "keep"] = "zero"
) -> Float[jax.Array, "*batch pair"]:
    """Spread of each pair of successive periods from their highs and lows: S = 2 (e^alpha - 1) / (1 + e^alpha).

    alpha = (sqrt(2 beta) - sqrt(beta)) / (3 - 2 sqrt 2) - sqrt(gamma / (3 - 2 sqrt 2)), beta the sum of the two squared
    log ranges, gamma the squared log range of the two periods as one. As a share of the price, `[..., period - 1]`.

    `high` and `low` `[..., period]` in quote currency, with no gap between periods (markets that close overnight: shift
    the second period by the gap first). Estimates below 0 become 0, as in the paper, NaN, or are kept. NaN as in
    `parkinson_variance`. Broadcasting. Raises ValueError for fewer than two periods and another `negative`. Source:
    Corwin & Schultz (2012), A simple way to estimate bid-ask spreads from daily high and low prices, Journal of Finance
    67(2), eqs. 14 and 18.

    >>> round(float(corwin_schultz_spread(jnp.array([10.1, 10.1]), jnp.array([10.0, 10.0]))[0]), 8)
    0.00995025
    """
    if negative not in ("zero", "nan", "keep"):
        raise ValueError(f"expected negative as 'zero', 'nan' or 'keep', got {negative!r}")
    high, low = jnp.asarray(high), jnp.asarray(low)
    if high.ndim == 0 or high.shape[-1] < 2:
        raise ValueError(f"expected high [..., period] of at least two periods, got shape {list(high.shape)}")
    each = _log_range(high, low)
    beta = each[..., 1:] ** 2 + each[..., :-1] ** 2
    both = _log_range(jnp.maximum(high[..., 1:], high[..., :-1]), jnp.minimum(low[..., 1:], low[..., :-1]))
    # sqrt(gamma) is the range itself; the inner where keeps the gradient of sqrt(beta) finite where both ranges are 0.
    moved = beta != 0
    root = jnp.where(moved, jnp.sqrt(jnp.where(moved, beta, 1.0)), 0.0)
    alpha = (math.sqrt(2) - 1) / _DENOMINATOR * root - both / math.sqrt(_DENOMINATOR)
    spread = 2 * jnp.tanh(0.5 * alpha)
    if negative == "keep":
        return spread
    return jnp.where(spread < 0, 0.0 if negative == "zero" else jnp.nan, spread)


def _log_range(high, low) -> jax.Array:
    """ln(H / L), NaN where it is not defined; log1p keeps the digits of close prices."""
    high, low = jnp.asarray(high), jnp.asarray(low)
    defined = (low > 0) & (high >= low)
    base = jnp.where(defined, low, 1.0)
    return jnp.where(defined, jnp.log1p((jnp.where(defined, high, 1.0) - base) / base), jnp.nan)
