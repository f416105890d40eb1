"""Heston's log characteristic function in a form without branch jumps and without cancellation.

With q = u^2 + i u, beta = kappa - i rho xi u, d = sqrt(beta^2 + xi^2 q) (Re d >= 0), e = exp(-d t), S = (1 - e) / d:

    ln phi(u) = v0 D + kappa theta C
    D = -q S / (beta S + 1 + e)
    C = -q / (beta + d) (t - S ln(1 + y) / y),   y = -xi^2 q S / (2 (beta + d))

This is the "little trap" form of Albrecher et al. (2007), with beta - d written as -xi^2 q / (beta + d) and the logarithm of
(1 - g e) / (1 - g) as that of 1 + y: so nothing is subtracted that is nearly equal, and xi = 0 needs no case of its own.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from quantjax.numerics.split_complex import SplitComplex

__all__ = ["log_characteristic"]


def log_characteristic(u: SplitComplex, t, v0, kappa, theta, xi, rho) -> SplitComplex:
    """ln E exp(i u ln(S_t / F_t)), elementwise over arguments that broadcast; equations in the module's docstring."""
    q = u.square() + u.times_i()
    beta = kappa - (rho * xi) * u.times_i()
    d = (beta.square() + (xi * xi) * q).sqrt()
    minus = (-t * d).expm1()  # e - 1
    s = _decayed(minus, d, t)
    denominator = beta * s + (minus + 2.0)
    inverse = _reciprocal(beta + d)
    q_s = q * s
    y = q_s * inverse * (-0.5 * xi * xi)
    variance = -v0 * (q_s / denominator)
    mean_reversion = (-kappa * theta) * (q * inverse * (t - s * y.log1p_ratio()))
    return variance + mean_reversion


def _decayed(minus: SplitComplex, d: SplitComplex, t) -> SplitComplex:
    """(1 - exp(-d t)) / d; t where d is 0."""
    zero = d.square_modulus() == 0
    safe = SplitComplex(jnp.where(zero, 1.0, d.re), d.im)
    ratio = -minus / safe
    return SplitComplex(jnp.where(zero, t, ratio.re), jnp.where(zero, 0.0, ratio.im))


def _reciprocal(z: SplitComplex) -> SplitComplex:
    """1 / z; 0 where z is 0, which here is multiplied by a q of 0."""
    square: jax.Array = z.square_modulus()
    return z.conjugate() * (1 / jnp.where(square == 0, 1.0, square))
