"""Black's implied volatility."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.polynomials import horner
from quantjax.numerics.special import mills_ratio
from quantjax.pricing.arguments import as_operands
from quantjax.pricing.black import intrinsic_value
from quantjax.pricing.householder import bachelier_start, householder_step, off_the_money
from quantjax.pricing.normalised_black import log_moneyness, split_moneyness, tail_factor

__all__ = ["implied_vol"]

Value = Float[jax.Array, "*batch"]

# The start: z = a0 + q P(p, q) below half of the bound and -z = a0 + P(p, q) above, p = 1 / (1 + a0), q = y / (a0 + y),
# rows by powers of p, columns by powers of q. Least squares, reweighted towards the largest error of ln s, over
# y = 0 ... 1,300 and targets down to 1e-307: 2.5 % below, 1.7 % above.
LOWER_START = ((1.6093, -7.1454, 8.531, -2.0559), (-1.2729, 11.668, -9.0776), (-4.4263, -4.8232), (3.5764,))
UPPER_START = ((0.086027, 0.63973, -0.36546), (3.576, -1.1565), (-5.995,))


def implied_vol(price, forward, strike, maturity, discount: ArrayLike = 1.0, call: ArrayLike = True) -> Value:
    """The vol at which `black_price` is the price, to the precision of the price.

    `price`, `forward` and `strike` in one currency; `maturity` in years; `discount`, the price of 1 paid at maturity;
    `call`: True or False, or an array of them. All broadcast. The vol `[...]` is per year, as a decimal; it errs by a
    few roundings, whether the undiscounted price is 1e-300 or within a rounding of its bound. A quote in the money is
    reduced to its time value first, which has only the digits that intrinsic value left it: prefer quotes out of the
    money.

    0 where the price is the intrinsic value (in the money: within 4 roundings of the price); infinite where it is its
    upper bound, D F for a call and D K for a put. NaN outside these bounds; where forward, strike, maturity or discount
    is not positive; where the time value over D min(F, K) is no normal number (below 2e-308, in float32 1e-38; what the
    device itself takes for 0 counts as 0). Derivatives of any order follow from the implicit function, without a
    division by a vega that underflows; they are 0 where the vol is 0, infinite or NaN, and NaN or infinite where the
    dtype has no number for them (the second in the price, of a price below 1e-150).

    float32 arrays give float32. Broadcasting. Raises ValueError for Python numbers out of range, for shapes that do not
    broadcast, and for float64 while JAX's x64 mode is off; TypeError for what is no number. Source: Jaeckel (2015),
    Let's be rational, Wilmott 75:40, with one formula for all prices in place of its four regions, and another start.

    >>> round(float(implied_vol(2.211246433573076, 100.0, 110.0, 0.5)), 12)
    0.2
    >>> implied_vol(jnp.array([1e-140, 9.9, 20.0]), 100.0, jnp.array([200.0, 90.0, 80.0]), 0.5).round(6).tolist()
    [0.038971, nan, 0.0]
    """
    operands = as_operands(
        {"price": price, "forward": forward, "strike": strike, "maturity": maturity, "discount": discount},
        call,
        positive=("forward", "strike", "maturity", "discount"),
    )
    return _implied_vol(*operands)


@jax.jit
def _implied_vol(price, forward, strike, maturity, discount, call) -> Value:
    limits = jnp.finfo(price.dtype)
    valid = (forward > 0) & (strike > 0) & (maturity > 0) & (discount > 0) & (price >= 0) & (price < jnp.inf)
    # Inside the domain everywhere, so that what is masked at the end has finite derivatives.
    price, forward, strike, maturity, discount = (
        jnp.where(valid, value, 1.0) for value in (price, forward, strike, maturity, discount)
    )
    price = in_one_loop(price / discount)
    below = forward < strike
    bound = jnp.where(below, forward, strike)
    intrinsic = intrinsic_value(forward, strike, call)
    time_value, room = price - intrinsic, jnp.where(call, forward, strike) - price
    valid &= (time_value >= jnp.where(intrinsic > 0, -4 * limits.eps * price, 0.0)) & (room >= 0)

    # Up to half of its bound the price is the target, above what it lacks of the bound.
    upper = time_value > room
    target = in_one_loop(jnp.where(upper, room, time_value) / bound)
    inside = valid & (target >= limits.tiny)
    x = log_moneyness(forward, strike)
    y = jnp.where(inside, jnp.where(below, -x, x), 1.0)
    s = _solve(y, jnp.where(inside, target, 0.25), upper)
    outside = jnp.where(time_value <= 0, 0.0, jnp.where(room <= 0, jnp.inf, jnp.nan))
    return jnp.where(inside, s / jnp.sqrt(maturity), jnp.where(valid, outside, jnp.nan))


@jax.custom_jvp
def _solve(y: Value, target: Value, upper: Bool[jax.Array, "*batch"]) -> Value:
    """s with c(y, s) = target, or with 1 - c(y, s) = target where `upper`."""
    return _steps(_start(y, target, upper), y, target, upper)


def _steps(s: Value, y: Value, target: Value, upper: Bool[jax.Array, "*batch"]) -> Value:
    """Two steps of fourth order: an error of 2.5 % becomes 3e-6, then less than a rounding."""
    sign = jnp.where(upper, -1.0, 1.0).astype(s.dtype)
    for _ in range(2):
        inverse = in_one_loop(1 / s)
        a, t = y * inverse, 0.5 * s
        factor = tail_factor(a, t, upper)
        s = householder_step(s, inverse, target, a - t, factor, sign, a * a - t * t, -3 * a * a - t * t)
    return s


@_solve.defjvp
def _solve_jvp(primals, tangents):
    # dc = n(z) (ds - R(a + t) dy) with n(z) = c / D, or (1 - c) / E where upper.
    (y, target, upper), (d_y, d_target, _) = primals, tangents
    s = _solve(y, target, upper)
    a, t = split_moneyness(y, s)
    relative = jnp.where(upper, -d_target, d_target) / target
    return s, tail_factor(a, t, upper) * relative + mills_ratio(a + t) * d_y


def _start(y: Value, target: Value, upper: Bool[jax.Array, "*batch"]) -> Value:
    """s within 2.5 %, from Bachelier's, which it is where y and s are small."""
    y = off_the_money(y, target)
    ratio = jnp.maximum(jnp.where(upper, 0.5 * target, in_one_loop(target / y) + 0.5 * target), 1e-305)
    a0 = bachelier_start(ratio)
    inverse = in_one_loop(1 / ((1 + a0) * (a0 + y)))
    p, q = inverse * (a0 + y), inverse * (1 + a0) * y
    lower_z = a0 + q * horner([horner(row, q) for row in LOWER_START], p)
    z = jnp.where(upper, -a0 - horner([horner(row, q) for row in UPPER_START], p), lower_z)
    # s = sqrt(z^2 + 2 y) - z, without cancellation.
    total = jnp.abs(z) + in_one_loop(jnp.sqrt(z * z + 2 * y))
    return jnp.where(z > 0, 2 * y / total, total)
