"""Which moments of Heston's spot are finite, and its cumulants."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.split_complex import SplitComplex
from quantjax.pricing.heston.characteristic import log_characteristic

__all__ = ["critical_moments", "cumulants", "explosion_time"]

Value = Float[jax.Array, "*batch"]

# Halvings of the logarithm of a moment's distance to [0, 1], between e^-20 and e^20.
_HALVINGS, _WIDEST = 60, 20.0
# Points of the circle on which the cumulant generating function is sampled, and its radius beside the least that is
# infinite: Cauchy's sums err by the radius to the number of points.
_POINTS, _RADIUS = 64, 0.5


def explosion_time(moment: Value, kappa: Value, xi: Value, rho: Value) -> Value:
    """The time from which E (S_t / F_t)^p is infinite, `[...]`; infinity where it is finite for ever.

    With b = kappa - rho xi p, a = xi^2 (p^2 - p), D = b^2 - a:
    ln((-b + sqrt D) / (-b - sqrt D)) / sqrt D for D >= 0 and b < 0, 2 atan2(sqrt(-D), -b) / sqrt(-D) for D < 0, never
    otherwise. Broadcasting. Source: Andersen & Piterbarg (2007), Moment explosions in stochastic volatility models,
    Finance & Stochastics 11:29, proposition 3.1.

    >>> round(float(explosion_time(jnp.array(4.0), 1.0, 1.0, 0.0)), 4)
    1.1238
    """
    b = kappa - rho * xi * moment
    discriminant = b * b - xi * xi * moment * (moment - 1)
    real, imaginary = discriminant > 0, discriminant < 0
    root = jnp.sqrt(jnp.where(discriminant == 0, 1.0, jnp.abs(discriminant)))
    falling = real & (b < 0) & (moment * (moment - 1) > 0)
    # ln((-b + r) / (-b - r)) = 2 atanh(r / -b)
    slow = 2 * jnp.arctanh(jnp.where(falling, root / jnp.where(falling, -b, 2.0), 0.0)) / root
    fast = 2 * jnp.arctan2(root, -b) / root
    touching = jnp.where(b < 0, 2 / jnp.where(b < 0, -b, 1.0), jnp.inf)  # the limit of both as D tends to 0
    return jnp.where(imaginary, fast, jnp.where(falling, slow, jnp.where(real, jnp.inf, touching)))


def critical_moments(t: Value, kappa: Value, xi: Value, rho: Value) -> tuple[Value, Value]:
    """The p < 0 and p > 1 between which E (S_t / F_t)^p is finite, `[...]`; about -5e8 and 5e8 where all are.

    By bisection of `explosion_time`, which falls with the distance of p from [0, 1]. Broadcasting.
    """
    shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in (t, kappa, xi, rho)))
    dtype = jnp.result_type(*map(jnp.asarray, (t, kappa, xi, rho)))

    def edge(moment_of_distance) -> jax.Array:
        def halve(_, bounds):
            low, high = bounds
            middle = 0.5 * (low + high)
            finite = explosion_time(moment_of_distance(jnp.exp(middle)), kappa, xi, rho) > t
            return jnp.where(finite, middle, low), jnp.where(finite, high, middle)

        start = jnp.full(shape, _WIDEST, dtype)
        low, _ = jax.lax.fori_loop(0, _HALVINGS, halve, (-start, start))
        return moment_of_distance(jnp.exp(low))

    return edge(lambda distance: -distance), edge(lambda distance: 1 + distance)


def cumulants(order: int, t: Value, v0, kappa, theta, xi, rho) -> tuple[Value, ...]:
    """The cumulants c_1 ... c_order of ln(S_t / F_t), each `[...]`.

    c_n = n! times the coefficient of p^n in ln E (S_t / F_t)^p, by Cauchy's formula on a circle inside the strip of
    finite moments: no derivatives are taken, so nothing is lost for small kappa or xi. Broadcasting.
    """
    lower, upper = critical_moments(t, kappa, xi, rho)
    # Cumulants grow with the variance, here that of constant v0 or theta: a radius of its scale keeps their digits.
    scale = jnp.sqrt(jnp.maximum(jnp.maximum(v0, theta) * t, 1e-12))
    radius = jax.lax.stop_gradient(jnp.minimum(_RADIUS * jnp.minimum(-lower, upper), 1 / scale))
    angle = 2 * math.pi * jnp.arange(_POINTS, dtype=radius.dtype) / _POINTS
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    # p = radius e^(i angle) is i u, so u = -i p.
    u = SplitComplex(radius[..., None] * sine, -radius[..., None] * cosine)
    values = log_characteristic(u, *(jnp.asarray(x)[..., None] for x in (t, v0, kappa, theta, xi, rho)))
    return tuple(
        math.factorial(n) * (values.re * jnp.cos(n * angle) + values.im * jnp.sin(n * angle)).mean(-1) / radius**n
        for n in range(1, order + 1)
    )
