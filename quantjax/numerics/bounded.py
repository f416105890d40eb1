"""Parameters with bounds as free numbers: smooth bijections between an interval and the real line."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import plain_float

__all__ = ["Interval"]

Value = Float[jax.Array, "*batch"]

# How far free numbers go: there an interval's end is within 3e-7 of its width, or of 1 where it has none.
_REACH = 15.0


class Interval(eqx.Module):
    """The open interval (lower, upper), either of which may be infinite.

    x = lower + (upper - lower) / (1 + e^-y) if both are finite, lower + e^y or upper - e^-y if one is, y if none. Near
    a finite end y is the logarithm of the distance to it: a positive parameter far below its upper bound moves by
    factors. Raises ValueError unless lower < upper.

    >>> interval = Interval(0.0, 4.0)
    >>> interval.bounded(interval.free(jnp.array([1e-9, 0.04, 3.9]))).round(12).tolist()
    [1e-09, 0.04, 3.9]
    """

    lower: float = eqx.field(static=True, default=-math.inf, converter=plain_float)
    upper: float = eqx.field(static=True, default=math.inf, converter=plain_float)

    def __check_init__(self):
        if not self.lower < self.upper:
            raise ValueError(f"expected lower < upper, got {self.lower} and {self.upper}")

    def contains(self, x: Value) -> Bool[jax.Array, "*batch"]:
        """Whether x lies inside, ends excluded. Broadcasting."""
        return (x > self.lower) & (x < self.upper)

    def free(self, x: Value) -> Value:
        """y for x inside the interval; infinite at its ends, NaN outside. Broadcasting."""
        x = jnp.asarray(x)
        if math.isfinite(self.lower) and math.isfinite(self.upper):
            return jnp.log(x - self.lower) - jnp.log(self.upper - x)
        if math.isfinite(self.lower):
            return jnp.log(x - self.lower)
        if math.isfinite(self.upper):
            return -jnp.log(self.upper - x)
        return x

    def bounded(self, y: Value) -> Value:
        """x for any y. Broadcasting."""
        y = jnp.asarray(y)
        if math.isfinite(self.lower) and math.isfinite(self.upper):
            # From the nearer end, so that the distance to it keeps its digits.
            share = (self.upper - self.lower) * jax.nn.sigmoid(-jnp.abs(y))
            return jnp.where(y < 0, self.lower + share, self.upper - share)
        if math.isfinite(self.lower):
            return self.lower + jnp.exp(y)
        if math.isfinite(self.upper):
            return self.upper - jnp.exp(-y)
        return y

    @property
    def reach(self) -> tuple[float, float]:
        """The y beyond which x counts as at its lower, at its upper bound; infinite where there is none."""
        return (
            -_REACH if math.isfinite(self.lower) else -math.inf,
            _REACH if math.isfinite(self.upper) else math.inf,
        )
