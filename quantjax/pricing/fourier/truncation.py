"""Between which log-returns a density has all of its mass but a given one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.split_complex import split

__all__ = ["truncation_range"]

Value = Float[jax.Array, " maturity"]

# Chernoff's bound is taken at the best of so many moments, each this much nearer to 0 than the one before; the first is
# this share of the least moment that is infinite, or this many standard deviations' reciprocals.
_MOMENTS, _RATIO, _SHARE, _HIGHEST = 14, 0.7, 0.95, 14.0
_SMALLEST_VARIANCE = 1e-14


def truncation_range(model, maturities: Value, tolerance: float) -> tuple[Value, Value]:
    """a < 0 < b with P(X < a) + P(X > b) <= `tolerance` for X = ln(S_T / F), each `[maturity]`; constants under AD.

    By P(X > b) <= E e^(p X - p b), at the best p, where the model has `critical_moments`; else by
    P(|X - EX| > L) <= E (X - EX)^4 / L^4. Source: Chernoff (1952), Ann. Math. Stat. 23:493; Junike & Pankrashkin
    (2022), Appl. Math. Comput. 421:126935.
    """
    model, maturities = jax.lax.stop_gradient((model, maturities))
    if not hasattr(model, "critical_moments"):
        mean, variance, fourth = _moments(model, maturities)
        width = (2 * fourth / tolerance) ** 0.25 + jnp.sqrt(variance)
        return mean - width, mean + width
    half = jnp.full_like(maturities, -0.5)
    variance = -8 * split(model.log_cf(jax.lax.complex(jnp.zeros_like(half), half), maturities)).re
    highest = _HIGHEST / jnp.sqrt(jnp.maximum(variance, _SMALLEST_VARIANCE))
    lower, upper = model.critical_moments(maturities)
    steps = _RATIO ** jnp.arange(_MOMENTS, dtype=maturities.dtype)

    def edge(critical) -> Value:
        moment = (jnp.minimum(_SHARE * jnp.abs(critical), highest) * jnp.sign(critical))[:, None] * steps
        # E e^(p X) = phi(-i p)
        generating = split(model.log_cf(jax.lax.complex(jnp.zeros_like(moment), -moment), maturities[:, None])).re
        return ((generating - jnp.log(tolerance / 2)) / jnp.abs(moment)).min(-1)

    return -edge(lower), edge(upper)


def _moments(model, maturities: Value) -> tuple[Value, Value, Value]:
    """Mean, variance and fourth central moment, from derivatives of ln phi at 0."""

    def derivative(function):
        return lambda u: jax.jvp(function, (u,), (jnp.ones_like(u),))[1]

    def log_phi(u):
        return model.log_cf(jax.lax.complex(u, jnp.zeros_like(u)), maturities)

    zero = jnp.zeros_like(maturities)
    first = derivative(log_phi)
    second = derivative(first)
    fourth = derivative(derivative(second))
    variance = -jnp.real(second(zero))
    return jnp.imag(first(zero)), variance, jnp.real(fourth(zero)) + 3 * variance**2
