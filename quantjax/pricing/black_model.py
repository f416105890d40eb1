"""Black's model: one volatility for all strikes and maturities."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Complex, Float

from quantjax.numerics.arguments import as_floating, holds
from quantjax.numerics.split_complex import SplitComplex, split

__all__ = ["Black"]

Value = Float[jax.Array, "*batch"]


class Black(eqx.Module):
    """Black (1976) as a model for the engines: dS/S = (r - q) dt + vol dW. `vol`: decimal a root year, a leaf.

    `black_price` and `black_greeks` are its closed forms. Raises ValueError for a negative vol that is known, and for
    float64 while JAX's x64 mode is off.

    >>> Black(0.2).log_cf(jax.numpy.array(1 + 0j), 1.0).round(12).item()
    (-0.02-0.02j)
    """

    vol: Value = eqx.field(converter=lambda value: _vol(value))

    def log_cf(self, u: Complex[jax.Array, "*batch"], t: Value) -> Complex[jax.Array, "*batch"]:
        """ln E exp(i u ln(S_t / F_t)) = -vol^2 t (u^2 + i u) / 2, `[...]`. Broadcasting."""
        z = split(u)
        vol = jnp.where(self.vol >= 0, self.vol, jnp.nan)  # where only computing knows
        return (-0.5 * vol * vol * t * (z * SplitComplex(z.re, z.im + 1))).joined()

    def critical_moments(self, t: Value) -> tuple[Value, Value]:
        """The moments between which E (S_t / F_t)^p is finite, here all. Broadcasting."""
        infinite = jnp.full_like(t * self.vol, jnp.inf)
        return -infinite, infinite

    def total_variance(self, t: Value) -> Value:
        """vol^2 t. Broadcasting."""
        return self.vol * self.vol * t


def _vol(value) -> jax.Array:
    value = as_floating(float(value) if isinstance(value, int) else value, "vol")
    if not holds(lambda x: ~(x < 0), value):
        raise ValueError(f"expected vol >= 0, got {value}")
    return value
