"""Bachelier's (1900) formula and its implied volatility."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Float

from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.special import mills_ratio, mills_slope, normal_cdf, normal_pdf
from quantjax.pricing.arguments import as_operands
from quantjax.pricing.black import intrinsic_value, total_deviation
from quantjax.pricing.householder import bachelier_start, householder_step, off_the_money
from quantjax.pricing.normalised_black import split_moneyness

__all__ = ["bachelier_implied_vol", "bachelier_price"]

Value = Float[jax.Array, "*batch"]


def bachelier_price(forward, strike, maturity, vol, discount: ArrayLike = 1.0, call: ArrayLike = True) -> Value:
    """Price of a European option on a normal forward: D [w (F - K) N(w d) + vol sqrt T n(d)], w = 1 (call) or -1.

    d = (F - K) / (vol sqrt T). `forward` F and `strike` K in one currency, of any sign; `maturity` T in years; `vol` in
    that currency per square root of a year; `discount` D, the price of 1 paid at maturity; `call`: True or False, or an
    array of them. All broadcast; the price `[...]` is in the currency of the forward. It is the intrinsic value plus
    the time value, which is computed without cancellation.

    At a vol or a maturity of 0 it is the discounted intrinsic value, with finite gradients. NaN where maturity, vol or
    discount is negative. float32 arrays give float32. Broadcasting. Raises ValueError for Python numbers out of range,
    for shapes that do not broadcast, and for float64 while JAX's x64 mode is off; TypeError for what is no number.
    Source: Bachelier (1900); Schachermayer and Teichmann (2008), Mathematical Finance 18:155.

    >>> round(float(bachelier_price(-0.01, 0.0, 2.0, 0.01)), 12)
    0.001996412284
    """
    operands = as_operands(
        {"forward": forward, "strike": strike, "maturity": maturity, "vol": vol, "discount": discount},
        call,
        any_sign=("forward", "strike"),
    )
    return _bachelier_price(*operands)


@jax.jit
def _bachelier_price(forward, strike, maturity, vol, discount, call) -> Value:
    valid = (maturity >= 0) & (vol >= 0) & (discount >= 0) & (forward == forward) & (strike == strike)
    # Inside the domain everywhere, so that what is masked at the end has finite derivatives.
    forward, strike, maturity, vol, discount = (
        jnp.where(valid, value, 1.0) for value in (forward, strike, maturity, vol, discount)
    )
    gap = jnp.where(forward < strike, strike - forward, forward - strike)
    time_value = _time_value(gap, total_deviation(vol, maturity))
    return jnp.where(valid, discount * (intrinsic_value(forward, strike, call) + time_value), jnp.nan)


@jax.custom_jvp
def _time_value(gap: Value, s: Value) -> Value:
    """s n(a) - gap N(-a) = s n(a) (1 - a R(a)), a = gap / s, for gap >= 0 and s >= 0."""
    a, _ = split_moneyness(gap, s)
    return s * normal_pdf(a) * mills_slope(a)


@_time_value.defjvp
def _time_value_jvp(primals, tangents):
    (gap, s), (d_gap, d_s) = primals, tangents
    a, _ = split_moneyness(gap, s)
    return _time_value(gap, s), normal_pdf(a) * d_s - normal_cdf(-a) * d_gap


def bachelier_implied_vol(price, forward, strike, maturity, discount: ArrayLike = 1.0, call: ArrayLike = True) -> Value:
    """The vol at which `bachelier_price` is the price, to the precision of the price.

    Arguments as there, `price` in the currency of the forward. The vol `[...]` is in that currency per square root of a
    year. Prefer quotes out of the money: in the money only the time value counts, and intrinsic value took its digits.

    0 where the price is the intrinsic value (in the money: within 4 roundings of the price). NaN below it; where
    maturity or discount is not positive; where the undiscounted time value is no normal number, or less than 1e-305
    (float32: 1e-37) of |F - K|. Derivatives of any order follow from the implicit function; they are 0 where the vol
    is 0 or NaN. float32 arrays give float32. Broadcasting. Raises as `bachelier_price`.
    Source: the method of `implied_vol`; for another see Jaeckel (2017), Implied normal volatility, Wilmott 90:52.

    >>> round(float(bachelier_implied_vol(0.001996412284, -0.01, 0.0, 2.0)), 9)
    0.01
    """
    operands = as_operands(
        {"price": price, "forward": forward, "strike": strike, "maturity": maturity, "discount": discount},
        call,
        positive=("maturity", "discount"),
        any_sign=("forward", "strike"),
    )
    return _bachelier_implied_vol(*operands)


@jax.jit
def _bachelier_implied_vol(price, forward, strike, maturity, discount, call) -> Value:
    limits = jnp.finfo(price.dtype)
    valid = (maturity > 0) & (discount > 0) & (forward == forward) & (strike == strike)
    valid &= (price >= 0) & (price < jnp.inf)
    # Inside the domain everywhere, so that what is masked at the end has finite derivatives.
    price, forward, strike, maturity, discount = (
        jnp.where(valid, value, 1.0) for value in (price, forward, strike, maturity, discount)
    )
    price = in_one_loop(price / discount)
    gap = jnp.where(forward < strike, strike - forward, forward - strike)
    intrinsic = intrinsic_value(forward, strike, call)
    time_value = price - intrinsic
    valid &= time_value >= jnp.where(intrinsic > 0, -4 * limits.eps * price, 0.0)
    inside = valid & (time_value >= limits.tiny) & (time_value >= 1e3 * limits.tiny * gap)
    s = _solve(jnp.where(inside, gap, 1.0), jnp.where(inside, time_value, 0.25))
    return jnp.where(inside, s / jnp.sqrt(maturity), jnp.where(valid & (time_value <= 0), 0.0, jnp.nan))


@jax.custom_jvp
def _solve(gap: Value, time_value: Value) -> Value:
    """s with s n(a) - gap N(-a) = time_value, a = gap / s."""
    wider = off_the_money(gap, time_value)
    s = in_one_loop(wider / bachelier_start(in_one_loop(time_value / wider)))
    for _ in range(2):  # of fourth order, from 0.15 %
        inverse = in_one_loop(1 / s)
        a = gap * inverse
        s = householder_step(s, inverse, time_value, a, s * mills_slope(a), 1.0, a * a, -3 * a * a)
    return s


@_solve.defjvp
def _solve_jvp(primals, tangents):
    # d time_value = n(a) ds - N(-a) d gap, with n(a) = time_value / (s (1 - a R(a))).
    (gap, time_value), (d_gap, d_time_value) = primals, tangents
    s = _solve(gap, time_value)
    a, _ = split_moneyness(gap, s)
    return s, s * mills_slope(a) * (d_time_value / time_value) + mills_ratio(a) * d_gap
