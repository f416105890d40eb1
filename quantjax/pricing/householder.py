"""Implied volatilities by Householder's method of fourth order on the logarithm of the price.

With f the price, or what it lacks of its bound, as a function of s = vol sqrt T, each formula writes f = n(z) M, where
n is the density of the standard normal and the slope of f is n(z) or -n(z). So ln f = -z^2 / 2 + ln(M / sqrt(2 pi))
needs no exponential and survives where f itself is near the smallest number, and its slope is 1 / M or -1 / M.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.logarithm import vector_log
from quantjax.numerics.polynomials import horner

__all__ = ["bachelier_start", "householder_step", "off_the_money"]

Value = Float[jax.Array, "*batch"]

_SQRT_2PI = math.sqrt(2 * math.pi)
# a = l P(l) / Q(l), l = ln(1 + 0.4 / r), inverts r = n(a) / a - N(-a) within 0.15 % for a in [1e-8, 40]: least squares,
# reweighted towards the largest relative error.
START_SCALE = 0.4
START_P = (9.98701099e-01, 5.36463087e-01, 7.04746638e-03, 3.69280669e-06)
START_Q = (1.0, 1.28222585, 6.33380743e-02, 1.87206270e-04)


def bachelier_start(ratio: Value) -> Value:
    """a within 0.15 % for r = n(a) / a - N(-a): Bachelier's time value over |F - K|, a = |F - K| / (vol sqrt T)."""
    log = vector_log(1 + START_SCALE / ratio)
    return in_one_loop(log * horner(START_P, log) / horner(START_Q, log))


def off_the_money(gap: Value, target: Value) -> Value:
    """The gap, |F - K| or y, and a little more for the start, which at the money needs the limit of gap / a there.

    So much changes s by less than 1e-8 of it, in float32 by 1e-4, whose logarithm of 1 + 0.4 / r would else be 0.
    """
    share = 1e-9 if gap.dtype == jnp.float64 else 1e-4
    return gap + jnp.maximum(share * target, jnp.finfo(gap.dtype).tiny)


def householder_step(
    s: Value,
    inverse: Value,
    target: Value,
    z: Value,
    factor: Value,
    sign: Value | float,
    curvature: Value,
    curvature_slope: Value,
) -> Value:
    """One step towards the s whose f is the target.

    `inverse`: 1 / s; `z` and `factor` M at s; `sign` of the slope of f; `curvature`: s h with h = f'' / f';
    `curvature_slope`: s^2 dh/ds. The step is taken in units of s, in which nothing overflows. Source: Jaeckel (2015),
    Let's be rational, Wilmott 75:40, there for other functions of the price.
    """
    relative = factor * inverse
    slope = in_one_loop(1 / relative)
    excess = vector_log(target * (inverse * slope) * _SQRT_2PI) + 0.5 * z * z
    newton = sign * excess * relative
    slope = sign * slope
    second = curvature - slope
    third = second * (second - slope) + curvature_slope
    return s + s * newton * (1 + 0.5 * second * newton) / (1 + newton * (second + third * newton / 6))
