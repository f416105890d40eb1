"""Heston's log characteristic function in a form without branch jumps and without cancellation.

With q = u^2 + i u, beta = kappa - i rho xi u, d = sqrt(beta^2 + xi^2 q) with Re d >= 0, m = exp(-d t) - 1 and
s = q / (beta + d):

    ln phi(u) = v0 D - kappa theta (t s + 2 ln(1 + y) / xi^2)
    D = q m / (d (2 + m) - beta m),   y = xi^2 s m / (2 d)

This is the "little trap" form of Albrecher et al. (2007), with beta - d written as -xi^2 s, and the logarithm of
(1 - g e^(-dt)) / (1 - g) as that of 1 + y: nothing nearly equal is subtracted, for small xi and small t neither.
Where beta + d cancels, s is (d - beta) / xi^2, which is the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.split_complex import SplitComplex

__all__ = ["log_characteristic"]

# ln(1 + y) - y / (1 + y) = y^2 / 2 - 2 y^3 / 3 + 3 y^4 / 4 - ...: so many terms where |y| is below 1/100.
_TERMS, _SERIES = 7, 0.01
# A scale below this is as good as 0.
_LEAST_SCALE = 1e-30
# beta + d has lost digits where its square is below this share of d's.
_CANCELLED = 1e-4


def log_characteristic(u: SplitComplex, t, v0, kappa, theta, xi, rho) -> SplitComplex:
    """ln E exp(i u ln(S_t / F_t)), elementwise over arguments that broadcast; equations in the module's docstring."""
    square_xi = xi * xi
    # u (u + i): no cancellation near -i.
    q = u * SplitComplex(u.re, u.im + 1)
    beta = kappa - (rho * xi) * u.times_i()
    d = (beta.square() + square_xi * q).sqrt()
    # Without vol of vol and mean reversion d is 0 everywhere, and the formulas hold in the limit.
    d = SplitComplex(jnp.maximum(d.re, _least_root(d.re)), d.im)
    m = (-t * d).expm1()
    denominator = d * (m + 2.0) - beta * m

    total = beta + d
    forward = total.square_modulus() > _CANCELLED * d.square_modulus()
    above = q.where(forward, d - beta)
    below = SplitComplex(jnp.where(forward, total.re, square_xi), jnp.where(forward, total.im, 0.0))
    # One division for three: they take longer than products.
    of_below, of_d, of_denominator = below.square_modulus(), d.square_modulus(), denominator.square_modulus()
    both = of_below * of_d
    inverse = in_one_loop(1 / (both * of_denominator))
    variance = q * m * denominator.conjugate() * (inverse * both)
    slope = above * below.conjugate() * (inverse * (of_d * of_denominator))
    decayed = m * d.conjugate() * (inverse * (of_below * of_denominator))

    logarithm = SplitComplex(*_scaled_log1p(slope * decayed, 0.5 * square_xi))
    return v0 * variance - (kappa * theta) * (t * slope + logarithm)


@jax.custom_jvp
def _scaled_log1p(x: SplitComplex, scale) -> tuple[jax.Array, jax.Array]:
    """ln(1 + scale x) / scale on the principal branch, which for a scale of 0 is x."""
    scale = jnp.maximum(scale, _LEAST_SCALE)
    value = (scale * x).log1p() / scale
    return value.re, value.im


@_scaled_log1p.defjvp
def _scaled_log1p_jvp(primals, tangents):
    x, scale = primals
    x_tangent, scale_tangent = tangents
    value = SplitComplex(*_scaled_log1p(x, scale))
    y = scale * x
    inverse = (y + 1.0).reciprocal()
    # d/dscale = (x / (1 + y) - value) / scale, by its series -x^2 (1/2 - 2 y / 3 + 3 y^2 / 4 ...) where y is small.
    near = y.square_modulus() < _SERIES**2
    small = SplitComplex(jnp.where(near, y.re, 0.0), jnp.where(near, y.im, 0.0))
    series = SplitComplex(jnp.full_like(y.re, _TERMS / (_TERMS + 1)), jnp.zeros_like(y.im))
    for term in range(_TERMS - 1, 0, -1):
        series = term / (term + 1) - series * small
    by_scale = (-(x.square() * series)).where(near, (x * inverse - value) * (1 / jnp.maximum(scale, _LEAST_SCALE)))
    tangent = inverse * x_tangent + by_scale * scale_tangent
    return (value.re, value.im), (tangent.re, tangent.im)


def _least_root(like: jax.Array) -> float:
    """Small beside any rate a year, with a twelfth power, of which second derivatives are made, that is no 0."""
    return 1e-8 if like.dtype == jnp.float64 else 1e-3
