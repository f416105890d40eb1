"""Black's (1976) formula."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from quantjax.pricing.arguments import as_operands
from quantjax.pricing.normalised_black import log_moneyness, normalised_price

__all__ = ["black_price", "intrinsic_value", "moneyness", "total_deviation"]

Value = Float[jax.Array, "*batch"]

_NO_STRIKE = 1e12  # ln(F / K) for K = 0


def black_price(forward, strike, maturity, vol, discount: ArrayLike = 1.0, call: ArrayLike = True) -> Value:
    """Price of a European option on a lognormal forward: D w [F N(w d1) - K N(w d2)], w = 1 for a call, -1 for a put.

    d1 = (ln(F / K) + vol^2 T / 2) / (vol sqrt T), d2 = d1 - vol sqrt T.

    `forward` F and `strike` K in one currency; `maturity` T in years; `vol` per year, as a decimal; `discount` D, the
    price of 1 paid at maturity; `call`: True or False, or an array of them. All broadcast; the price `[...]` is in the
    currency of the forward. It is the intrinsic value plus the time value, which is computed without cancellation: out
    of the money the price keeps its digits however small it is.

    At a vol or a maturity of 0 it is the discounted intrinsic value, at a strike of 0 the forward or nothing, all with
    finite gradients (the slope in maturity at the money at maturity 0, which is infinite, counts 0). NaN where the
    forward is not positive or another number is negative. float32 arrays give float32. Broadcasting. Raises ValueError
    for Python numbers out of range, for shapes that do not broadcast, and for float64 while JAX's x64 mode is off;
    TypeError for what is no number. Source: Black (1976), Journal of Financial Economics 3:167.

    >>> round(float(black_price(100.0, 110.0, 0.5, 0.2)), 9)
    2.211246434
    >>> black_price(100.0, jnp.array([90.0, 110.0]), 0.5, 0.2, 0.98, call=jnp.array([False, True])).round(6).tolist()
    [1.737002, 2.167022]
    """
    operands = as_operands(
        {"forward": forward, "strike": strike, "maturity": maturity, "vol": vol, "discount": discount},
        call,
        positive=("forward",),
    )
    return _black_price(*operands)


@jax.jit
def _black_price(forward, strike, maturity, vol, discount, call) -> Value:
    valid = (forward > 0) & (strike >= 0) & (maturity >= 0) & (vol >= 0) & (discount >= 0)
    # Inside the domain everywhere, so that what is masked at the end has finite derivatives.
    forward, strike, maturity, vol, discount = (
        jnp.where(valid, value, 1.0) for value in (forward, strike, maturity, vol, discount)
    )
    below = forward < strike
    x = moneyness(forward, strike)
    y = jnp.where(below, -x, x)
    time_value = jnp.where(below, forward, strike) * normalised_price(y, total_deviation(vol, maturity))
    return jnp.where(valid, discount * (intrinsic_value(forward, strike, call) + time_value), jnp.nan)


def moneyness(forward: Value, strike: Value) -> Value:
    """ln(F / K), and for a strike of 0 a number so large that a put is worth nothing. Broadcasting."""
    return jnp.where(strike > 0, log_moneyness(forward, jnp.where(strike > 0, strike, 1.0)), _NO_STRIKE)


def total_deviation(vol: Value, maturity: Value) -> Value:
    """vol sqrt(T), with derivative 0 in maturity where that is 0. Broadcasting."""
    alive = maturity > 0
    return vol * jnp.where(alive, jnp.sqrt(jnp.where(alive, maturity, 1.0)), 0.0)


def intrinsic_value(forward: Value, strike: Value, call: Bool[jax.Array, "*batch"]) -> Value:
    """max(F - K, 0) for a call, max(K - F, 0) for a put. Broadcasting.

    At F = K the derivative is that of F > K: time value and intrinsic value have a kink there, which their sum has not
    where both take the same side.
    """
    below = forward < strike
    return jnp.where(call == below, 0.0, jnp.where(below, strike - forward, forward - strike))
