"""Where a calibration of Heston's model starts when nothing else is known."""

from __future__ import annotations

import jax.numpy as jnp

from quantjax.pricing.heston import Heston
from quantjax.pricing.quotes import OptionQuotes

__all__ = ["initial_heston"]

_KAPPA, _XI = 2.0, 0.8
_STEEPEST = 0.7  # |rho| at most
_LEAST_VARIANCE, _LARGEST_VARIANCE = 1e-4, 2.0  # inside the bounds of v0 and theta


def initial_heston(quotes: OptionQuotes) -> Heston:
    """A Heston model near quotes, the first start of `calibrate`: level and skew are theirs, kappa 2 and xi 0.8.

    `v0` and `theta`: the squared vols nearest to the forward of the shortest and the longest maturity with quotes,
    within 1e-4 and 2; `rho`: four times the slope of all vols over ln(K / F), within 0.7. Per item. Raises ValueError
    for a stack of surfaces.

    >>> vols = [[0.25, 0.2, 0.18], [0.24, 0.21, 0.19]]
    >>> start = initial_heston(OptionQuotes.from_vols([80.0, 100.0, 120.0], [0.25, 1.0], vols, forward=100.0))
    >>> [round(float(value), 4) for value in (start.v0, start.theta, start.rho)]
    [0.04, 0.0441, -0.5965]
    """
    if quotes.vols.ndim != 2:
        raise ValueError(f"expected one surface, got vols{list(quotes.vols.shape)}; jax.vmap takes several")
    known = jnp.isfinite(quotes.vols) & jnp.isfinite(quotes.log_moneyness)
    k, vols = (jnp.where(known, array, 0.0) for array in (quotes.log_moneyness, quotes.vols))
    nearest = jnp.where(known, jnp.abs(k), jnp.inf).argmin(-1)
    variances = jnp.take_along_axis(vols, nearest[:, None], -1)[:, 0] ** 2
    variances = jnp.clip(variances, _LEAST_VARIANCE, _LARGEST_VARIANCE)
    quoted = known.any(-1)
    shortest = jnp.where(quoted, quotes.maturities, jnp.inf).argmin()
    longest = jnp.where(quoted, quotes.maturities, -jnp.inf).argmax()
    count = jnp.maximum(known.sum(), 1)
    offset = jnp.where(known, k - k.sum() / count, 0.0)
    spread = (offset**2).sum()
    slope = (offset * vols).sum() / jnp.where(spread > 0, spread, 1.0)  # 0 for one strike
    rho = jnp.clip(4 * slope, -_STEEPEST, _STEEPEST)
    return Heston(variances[shortest], jnp.full_like(rho, _KAPPA), variances[longest], jnp.full_like(rho, _XI), rho)
