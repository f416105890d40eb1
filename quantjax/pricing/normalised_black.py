"""Black's formula in two numbers: y = |ln(F / K)| and s = vol sqrt(maturity).

The out-of-the-money option's undiscounted price over min(F, K) is c(y, s) = N(-z) - exp(y) N(-(a + t)), with a = y / s,
t = s / 2, z = a - t. As exp(y) n(a + t) = n(z), it is n(z) D with D = R(z) - R(a + t), R Mills' ratio, and what it
lacks of its bound, 1 - c, is n(z) E with E = R(-z) + R(a + t). Either is computed without cancellation, so that prices
far out of the money, next to intrinsic value or next to their bound keep all their digits.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.logarithm import vector_log
from quantjax.numerics.special import mills_and_difference, mills_ratio, normal_pdf

__all__ = ["log_moneyness", "normalised_price", "split_moneyness", "tail_factor"]

Value = Float[jax.Array, "*batch"]

_FAR = 1e6  # instead of y / s where s is 0: its density and all derivatives of it are 0


@jax.custom_jvp
def log_moneyness(forward: Value, strike: Value) -> Value:
    """ln(F / K) of positive numbers, to the last place also where they are close. Broadcasting."""
    ratio = forward / strike
    excess = in_one_loop((forward - strike) / strike)
    # ln(1 + e) = ln(u) + (e - (u - 1)) / u with u = 1 + e as rounded; F - K is exact within a factor of 2.
    near = excess > -0.5
    u = jnp.where(near, 1 + excess, ratio)
    return vector_log(u) + jnp.where(near, (excess - (u - 1)) / u, 0.0)


@log_moneyness.defjvp
def _log_moneyness_jvp(primals, tangents):
    (forward, strike), (d_forward, d_strike) = primals, tangents
    return log_moneyness(forward, strike), d_forward / forward - d_strike / strike


def split_moneyness(y: Value, s: Value) -> tuple[Value, Value]:
    """a = y / s and t = s / 2, finite with finite derivatives where s is 0: a is 0 there for y = 0, else far."""
    far = y > _FAR * s
    inside = in_one_loop(y / jnp.where(far | (s == 0), 1.0, s))
    return jnp.where(far, _FAR, inside), 0.5 * s


def tail_factor(a: Value, t: Value, upper: Bool[jax.Array, "*batch"]) -> Value:
    """D = R(a - t) - R(a + t), for a - t >= -0.7; where `upper`, E = R(t - a) + R(a + t), for t - a >= -0.7."""
    difference = a - t
    z = jnp.where(upper, -difference, difference)
    ratio, drop = mills_and_difference(z, jnp.where(upper, 2 * a, 2 * t))
    return jnp.where(upper, 2 * ratio - drop, drop)


@jax.custom_jvp
def normalised_price(y: Value, s: Value) -> Value:
    """c(y, s) for y >= 0, s >= 0: between 0 at s = 0 and 1 at infinite s. Broadcasting."""
    a, t = split_moneyness(y, s)
    upper = a - t < -0.6
    tail = normal_pdf(a - t) * tail_factor(a, t, upper)
    return jnp.where(upper, 1 - tail, tail)


@normalised_price.defjvp
def _normalised_price_jvp(primals, tangents):
    # dc = n(z) ds - exp(y) N(-(a + t)) dy, and exp(y) N(-(a + t)) = n(z) R(a + t).
    (y, s), (d_y, d_s) = primals, tangents
    a, t = split_moneyness(y, s)
    density = normal_pdf(a - t)
    return normalised_price(y, s), density * d_s - density * mills_ratio(a + t) * d_y
