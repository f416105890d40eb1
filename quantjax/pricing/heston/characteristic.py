"""Heston's log characteristic function in a form without branch jumps and without cancellation.

With q = u^2 + i u, beta = kappa - i rho xi u, d = sqrt(beta^2 + xi^2 q) (Re d >= 0), m = exp(-d t) - 1:

    ln phi(u) = v0 D + kappa theta C
    D = q m / (d (2 + m) - beta m)
    C = -q t / (beta + d) - 2 ln(1 + y) / xi^2,   y = xi^2 q m / (2 d (beta + d))

This is the "little trap" form of Albrecher et al. (2007), with beta - d written as -xi^2 q / (beta + d) and the logarithm
of (1 - g e^(-dt)) / (1 - g) as that of 1 + y: nothing nearly equal is subtracted. Where y is small (small xi, small t, u near
0 or -i) the logarithm is a series in y that cancels the xi^2 below it, so xi = 0 needs no case of its own.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from quantjax.numerics.split_complex import SplitComplex

__all__ = ["log_characteristic"]

# ln(1 + y) / y = 1 - y/2 + y^2/3 - ...: seven terms where |y| is below 1/100.
_TERMS, _SERIES = 7, 0.01


def log_characteristic(u: SplitComplex, t, v0, kappa, theta, xi, rho) -> SplitComplex:
    """ln E exp(i u ln(S_t / F_t)), elementwise over arguments that broadcast; equations in the module's docstring."""
    q = u.square() + u.times_i()
    beta = kappa - (rho * xi) * u.times_i()
    d = (beta.square() + (xi * xi) * q).sqrt()
    # m / d, which is -t where d is 0; the guard keeps the derivatives there finite.
    flat = d.square_modulus() == 0
    safe = SplitComplex(jnp.where(flat, 1.0, d.re), d.im)
    less = (-t * safe).expm1()
    s = SplitComplex(-t * jnp.ones_like(less.re), jnp.zeros_like(less.im)).where(flat, less / safe)
    m = d * s

    variance = q * s / (m + 2.0 - beta * s)
    inverse = _reciprocal(beta + d)
    slope = q * inverse
    mean_reversion = -t * slope - _logarithm(slope * s, xi)
    return v0 * variance + (kappa * theta) * mean_reversion


def _logarithm(x: SplitComplex, xi) -> SplitComplex:
    """2 ln(1 + y) / xi^2 for y = xi^2 x / 2."""
    half_square = 0.5 * xi * xi
    y = half_square * x
    near = y.square_modulus() < _SERIES**2
    # Each side of the choice sees only arguments at which its derivatives are finite.
    one = SplitComplex(jnp.ones_like(y.re), jnp.zeros_like(y.im))
    small, far = y.where(near, 0.0 * one), one.where(near, y)
    series = ((-1) ** (_TERMS - 1) / _TERMS) * one
    for term in range(_TERMS - 1, 0, -1):
        series = series * small + (-1) ** (term - 1) / term
    scale = 1 / jnp.where(half_square == 0, 1.0, half_square)
    return (x * series).where(near, scale * far.log1p())


def _reciprocal(z: SplitComplex) -> SplitComplex:
    """1 / z; 0 where z is 0, which here is multiplied by a q of 0."""
    square: jax.Array = z.square_modulus()
    return z.conjugate() * (1 / jnp.where(square == 0, 1.0, square))
