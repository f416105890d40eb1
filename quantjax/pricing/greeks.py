"""Greeks of Black's and Bachelier's formulas in closed form, most of those of first and second order."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Float

from quantjax.numerics.special import normal_cdf, normal_pdf
from quantjax.pricing.arguments import as_operands
from quantjax.pricing.bachelier import bachelier_price
from quantjax.pricing.black import black_price, moneyness, total_deviation

__all__ = ["Greeks", "bachelier_greeks", "black_greeks"]

Value = Float[jax.Array, "*batch"]

_FAR = 1e6  # for d where vol sqrt T is 0 and forward and strike differ: its density is 0


class Greeks(eqx.Module):
    """Derivatives of a price V(F, vol, t) with respect to forward, vol and the passing of time, each `[...]`.

    V in currency, F in currency per unit of the underlying. Derivatives in vol are per 1.00 of it (per 100 vol points;
    Bachelier's vol: per unit of currency per root year), those in time per year (divide by 365 for a day's). Time
    passes at a fixed forward, vol and rate r = -ln(D) / T. Of the second derivatives, d2V/dvol dt and d2V/dt2 are not
    here: differentiate `vega` and `theta` of `black_greeks` by JAX.
    """

    price: Value
    """V."""
    delta: Value
    """dV/dF, units of the underlying, discounted: what to hold in forwards is delta / D, in spot delta dF/dS."""
    gamma: Value
    """d2V/dF2, per currency."""
    vega: Value
    """dV/dvol, currency per 1.00 of vol."""
    theta: Value
    """dV/dt = -dV/dT, currency a year."""
    rho: Value
    """dV/dr = -T V, currency per 1.00 of rate, the forward fixed."""
    vanna: Value
    """d2V/dF dvol, per 1.00 of vol: of delta in vol, and of vega in the forward."""
    volga: Value
    """d2V/dvol2, currency per 1.00 of vol squared."""
    charm: Value
    """d2V/dF dt, a year: of delta in time."""


def black_greeks(forward, strike, maturity, vol, discount: ArrayLike = 1.0, call: ArrayLike = True) -> Greeks:
    """Price and Greeks of `black_price`, whose arguments these are, in closed form, each `[...]`.

    With d1 and d2 as there, s = vol sqrt T and r = -ln(D) / T:

        delta = w D N(w d1);  gamma = D n(d1) / (F s);  vega = D F n(d1) sqrt T;  theta = r V - vega vol / (2 T)
        rho = -T V;  vanna = -D n(d1) d2 / vol;  volga = vega d1 d2 / vol;  charm = r delta + D n(d1) d2 / (2 T)

    At a vol or a maturity of 0 they are the limits: at the money delta is half of the discount there and gamma is
    infinite; slopes in time, at maturity 0, count 0. NaN where the price is NaN. Broadcasting; `discount` > 0. Raises
    as `black_price`. Source: Haug (2007), The Complete Guide to Option Pricing Formulas, chapter 2, cost of carry 0.

    >>> greeks = black_greeks(100.0, 110.0, 0.5, 0.2)
    >>> round(float(greeks.delta), 6), round(float(greeks.vega), 6), round(float(greeks.theta), 6)
    (0.273176, 23.516737, -4.703347)
    """
    operands = as_operands(
        {"forward": forward, "strike": strike, "maturity": maturity, "vol": vol, "discount": discount},
        call,
        positive=("forward", "discount"),
    )
    return _black_greeks(*operands)


@jax.jit
def _black_greeks(forward, strike, maturity, vol, discount, call) -> Greeks:
    price = black_price(forward, strike, maturity, vol, discount, call)
    forward, strike, maturity, vol, discount = _inside(price, forward, strike, maturity, vol, discount)
    s = total_deviation(vol, maturity)
    ratio = _ratio(moneyness(forward, strike), s)
    d1, d2 = ratio + 0.5 * s, ratio - 0.5 * s
    density = discount * normal_pdf(d1)
    return _greeks(
        price,
        delta=_signed_delta(d1, discount, call),
        gamma=_over(density, forward * s),
        vega=density * forward * jnp.sqrt(maturity),
        vanna=_over(-density * d2, vol),
        volga=_over(density * forward * jnp.sqrt(maturity) * d1 * d2, vol),
        # of delta in maturity at r = 0: density * dd1/dT, dd1/dT = -d2 / (2 T)
        delta_decay=_over(0.5 * density * d2, maturity),
        maturity=maturity,
        vol=vol,
        discount=discount,
    )


def bachelier_greeks(forward, strike, maturity, vol, discount: ArrayLike = 1.0, call: ArrayLike = True) -> Greeks:
    """Price and Greeks of `bachelier_price`, whose arguments these are, in closed form, each `[...]`.

    With d as there, s = vol sqrt T and r = -ln(D) / T:

        delta = w D N(w d);  gamma = D n(d) / s;  vega = D n(d) sqrt T;  theta = r V - vega vol / (2 T)
        rho = -T V;  vanna = -D n(d) d / vol;  volga = vega d^2 / vol;  charm = r delta + D n(d) d / (2 T)

    Limits as in `black_greeks`. Broadcasting; `discount` > 0. Raises as `bachelier_price`. Source: Bachelier's formula,
    differentiated.

    >>> greeks = bachelier_greeks(100.0, 110.0, 0.5, 20.0)
    >>> round(float(greeks.delta), 6), round(float(greeks.vega), 6), round(float(greeks.theta), 6)
    (0.23975, 0.219696, -4.393913)
    """
    operands = as_operands(
        {"forward": forward, "strike": strike, "maturity": maturity, "vol": vol, "discount": discount},
        call,
        positive=("discount",),
        any_sign=("forward", "strike"),
    )
    return _bachelier_greeks(*operands)


@jax.jit
def _bachelier_greeks(forward, strike, maturity, vol, discount, call) -> Greeks:
    price = bachelier_price(forward, strike, maturity, vol, discount, call)
    forward, strike, maturity, vol, discount = _inside(price, forward, strike, maturity, vol, discount)
    s = total_deviation(vol, maturity)
    d = _ratio(forward - strike, s)
    density = discount * normal_pdf(d)
    return _greeks(
        price,
        delta=_signed_delta(d, discount, call),
        gamma=_over(density, s),
        vega=density * jnp.sqrt(maturity),
        vanna=_over(-density * d, vol),
        volga=_over(density * jnp.sqrt(maturity) * d * d, vol),
        delta_decay=_over(0.5 * density * d, maturity),
        maturity=maturity,
        vol=vol,
        discount=discount,
    )


def _greeks(price, *, delta, gamma, vega, vanna, volga, delta_decay, maturity, vol, discount) -> Greeks:
    rate = jnp.where(maturity > 0, -jnp.log(discount) / jnp.where(maturity > 0, maturity, 1.0), 0.0)
    found = Greeks(
        price=price,
        delta=delta,
        gamma=gamma,
        vega=vega,
        theta=rate * price - _over(0.5 * vega * vol, maturity),
        rho=-maturity * price,
        vanna=vanna,
        volga=volga,
        charm=rate * delta + delta_decay,
    )
    return jax.tree.map(lambda value: jnp.where(jnp.isnan(price), jnp.nan, value), found)


def _inside(price, *operands) -> list[Value]:
    """The operands, 1 where the price is NaN, so that what is masked at the end has finite derivatives."""
    return [jnp.where(jnp.isnan(price), 1.0, operand) for operand in operands]


def _ratio(x, s) -> Value:
    return jnp.where(s > 0, x / jnp.where(s > 0, s, 1.0), _FAR * jnp.sign(x))


def _over(value, divisor) -> Value:
    """The quotient, and 0 where the value is 0 whatever the divisor."""
    return jnp.where(value == 0, 0.0, value / jnp.where(value == 0, 1.0, divisor))


def _signed_delta(d, discount, call) -> Value:
    return discount * jnp.where(call, normal_cdf(d), -normal_cdf(-d))
