"""Forward prices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.arguments import as_floating

__all__ = ["forward_curve"]


def forward_curve(spot, rate, dividend, maturities) -> Float[jax.Array, "*batch"]:
    """F(T) = S e^((r - q) T), `[...]`.

    `spot` S; `rate` r and `dividend` q: continuously compounded, decimals a year; `maturities` T in years; all of them
    broadcast, so curves of rates by maturity may be given. The discount is e^(-r T). Broadcasting. Raises ValueError
    for float64 while JAX's x64 mode is off, TypeError for what is no number. Source: Hull, Options, Futures and Other
    Derivatives, section 5.6.

    >>> [round(forward, 4) for forward in forward_curve(100.0, 0.03, 0.01, jnp.array([0.5, 1.0])).tolist()]
    [101.005, 102.0201]
    """
    spot, maturities = as_floating(spot, "spot"), as_floating(maturities, "maturities")
    return spot * jnp.exp((as_floating(rate, "rate") - as_floating(dividend, "dividend")) * maturities)
