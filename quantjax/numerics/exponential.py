"""Exponentials that XLA's CPU backend turns into few vector instructions.

Its own have a division, and that less one a hyperbolic tangent besides; these are polynomials, e^x - 1 in a third of
the time.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics.float_bits import LN2_HIGH, LN2_LOW, MANTISSA_BITS, ONE_BITS, TO_LOWEST_BITS
from quantjax.numerics.polynomials import horner

__all__ = ["vector_exp", "vector_expm1"]

_LOG2_E = 1.44269504088896338700
# (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, by Taylor's series.
_TAYLOR = tuple(1 / math.factorial(power) for power in range(2, 14))
# Beyond these e^x is as good as 0, or beyond the largest number; below the third, e^x - 1 is -1.
_LOWEST, _HIGHEST, _LOWEST_LESS_ONE = -707.0, 709.0, -40.0


@jax.custom_jvp
def vector_exp(x: jax.Array) -> jax.Array:
    """e^x, elementwise, to within one unit in the last place.

    float64 on a CPU is computed here, everything else by `jnp.exp`. Beyond -707 and 709 it is what it is there, 9e-308
    and 8e307; NaN stays NaN. Broadcasting; differentiable to any order. Source: as `vector_expm1`.
    """
    if x.dtype != jnp.float64:
        return jnp.exp(x)
    return jax.lax.platform_dependent(x, cpu=_exp, default=jnp.exp)


@vector_exp.defjvp
def _exp_jvp(primals, tangents):
    value = vector_exp(primals[0])
    return value, value * tangents[0]


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


def _exp(x: jax.Array) -> jax.Array:
    power, less_one = _parts(jnp.clip(x, _LOWEST, _HIGHEST))
    return power * (1 + less_one)


def _expm1(x: jax.Array) -> jax.Array:
    power, less_one = _parts(jnp.clip(x, _LOWEST_LESS_ONE, _HIGHEST))
    return power * less_one + (power - 1)


def _parts(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """2^k and e^r - 1, where x = k ln 2 + r and |r| <= ln(2) / 2."""
    k = jnp.round(x * _LOG2_E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    bits = (jax.lax.bitcast_convert_type(k + TO_LOWEST_BITS, jnp.int64) << MANTISSA_BITS) + np.int64(ONE_BITS)
    return jax.lax.bitcast_convert_type(bits, jnp.float64), r + r * r * horner(_TAYLOR, r)
