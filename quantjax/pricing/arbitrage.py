"""Static arbitrage between quoted calls: what could be locked in by selling at the bids and buying at the asks."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.arguments import as_floating

__all__ = ["CalendarArbitrage", "SliceArbitrage", "calendar_arbitrage", "slice_arbitrage"]


class SliceArbitrage(eqx.Module):
    """What can be locked in by selling the call of each strike, `[..., strike]`, in the unit of the prices.

    `call_spread`: against a call of a lower strike that is cheaper; `wide_spread`: against a call of a higher strike
    that is cheaper by more than the discounted difference of the strikes; `butterfly`: against a portfolio of a lower
    and a higher strike that never pays less, of all those the one whose slopes on either side differ most. 0 where
    there is nothing to gain, NaN where the call has no bid.
    """

    call_spread: Float[jax.Array, "*batch strike"]
    wide_spread: Float[jax.Array, "*batch strike"]
    butterfly: Float[jax.Array, "*batch strike"]

    @property
    def violated(self) -> jax.Array:
        """Whether anything can be locked in by selling the call, bool `[..., strike]`."""
        return (self.call_spread > 0) | (self.wide_spread > 0) | (self.butterfly > 0)


class CalendarArbitrage(eqx.Module):
    """What can be locked in by selling the nearer call of each strike against calls of the later expiry.

    `gain` `[..., strike]`, in the unit of the nearer prices; 0 where there is nothing, NaN where the nearer call has no
    bid or its moneyness lies outside the later strikes.
    """

    gain: Float[jax.Array, "*batch strike"]

    @property
    def violated(self) -> jax.Array:
        """Whether anything can be locked in, bool `[..., strike]`."""
        return self.gain > 0


def slice_arbitrage(strike, bid, ask, discount: jax.typing.ArrayLike = 1.0) -> SliceArbitrage:
    """Call spreads and butterflies of one expiry that pay without risk at the quotes.

    Without arbitrage there are call prices within all bids and asks which fall in K, by no more than D dK, and are
    convex in K. Each test is over all strikes and not neighbours alone: for i < j < k and call prices C,

        bid_j > ask_i;   bid_i - ask_j > D (K_j - K_i);   (bid_j - ask_i) / (K_j - K_i) > (ask_k - bid_j) / (K_k - K_j),

    the last of which is bid_j above the line from ask_i to ask_k: the butterfly that has negative cost.

    `strike` `[..., strike]`, rising; `bid`, `ask` `[..., strike]`: of calls. Puts become calls by parity,
    C = P + D (F - K), bid and ask alike. NaN bids, asks and strikes (padding at the end) take no part. `discount`
    `[...]`: D. Prices and strikes in one unit.

    Broadcasting (the core axis is strike). Raises ValueError for float64 arrays while JAX's x64 mode is off. Source:
    Carr & Madan (2005), A note on sufficient conditions for no arbitrage, Finance Research Letters 2(3).

    >>> strike, bid = jnp.array([90.0, 100.0, 110.0]), jnp.array([12.0, 8.0, 1.9])
    >>> found = slice_arbitrage(strike, bid, bid + 0.1)
    >>> found.violated.tolist(), round(float(found.butterfly[1]), 6)
    ([False, True, False], 0.95)
    """
    strike, bid, ask = (as_floating(x, name) for x, name in ((strike, "strike"), (bid, "bid"), (ask, "ask")))
    if strike.ndim == 0:
        raise ValueError("expected strikes [..., strike], got a number; arbitrage is between the calls of an expiry")
    return _slice(strike, bid, ask, jnp.asarray(discount, bid.dtype))


@jax.jit
def _slice(strike, bid, ask, discount) -> SliceArbitrage:
    strike, bid, ask = jnp.broadcast_arrays(strike, bid, ask)
    discount = discount[..., None]
    known = jnp.isfinite(strike)
    k = jnp.where(known, strike, 0.0)
    sells = known & jnp.isfinite(bid)
    buys = known & jnp.isfinite(ask)
    sell = jnp.where(sells, bid, 0.0)
    dear = jnp.where(buys, ask, jnp.inf)  # nobody buys at infinity
    cheapest_below = jax.lax.cummin(dear, axis=dear.ndim - 1)
    shifted = dear + discount * k
    cheapest_above = jax.lax.cummin(shifted, axis=shifted.ndim - 1, reverse=True)
    # Slopes from each strike i to the middle j, and from j to each k: [..., j, other].
    step = k[..., :, None] - k[..., None, :]
    below, above = (step > 0) & buys[..., None, :], (step < 0) & buys[..., None, :]
    bought = jnp.where(buys, ask, 0.0)[..., None, :]
    slope = (sell[..., :, None] - bought) / jnp.where(step == 0, 1.0, step)
    left = jnp.where(below, slope, -jnp.inf)
    right = jnp.where(above, slope, jnp.inf)
    i, m = jnp.argmax(left, -1)[..., None], jnp.argmin(right, -1)[..., None]

    def at(values, index):
        return jnp.take_along_axis(values, index, axis=-1)[..., 0]

    steepest, flattest = at(left, i), at(right, m)
    both = jnp.isfinite(steepest) & jnp.isfinite(flattest)
    down, up = at(step, i), -at(step, m)
    width = jnp.where(both, down + up, 1.0)
    gain = jnp.where(both, (steepest - flattest) * down * up / width, 0.0)

    def kept(gain):
        return jnp.where(sells, jnp.maximum(gain, 0.0), jnp.nan)

    return SliceArbitrage(
        kept(sell - cheapest_below), kept(sell + discount * k - cheapest_above), kept(jnp.where(both, gain, 0.0))
    )


def calendar_arbitrage(
    strike, bid, forward, discount, later_strike, later_ask, later_forward, later_discount
) -> CalendarArbitrage:
    """Calls of one expiry that pay without risk against calls of a later one.

    Total variance at equal log-moneyness may not fall with maturity, which is: C(K) / (D F) at K = x F may not either
    (Gatheral 2006, chapter 3). Of the later expiry, the line between two asks is what a portfolio of the two calls
    costs, and as calls are convex in the strike it is never worth less than the call between them; so

        bid / (D F)  >  the line through ask' / (D' F') at x

    is an arbitrage (proportional dividends and carry known in advance).

    `strike`, `bid` `[..., strike]`, calls of the nearer expiry; `later_strike` `[..., later]`, rising, `later_ask`
    `[..., later]`, NaN where there is none; `forward`, `discount`, `later_forward`, `later_discount` `[...]`.

    Broadcasting (the core axes are strike and later). Raises ValueError for float64 arrays while JAX's x64 mode is off.
    Source: Gatheral & Jacquier (2014), Arbitrage-free SVI volatility surfaces, lemma 2.1.

    >>> strike = jnp.array([90.0, 100.0, 110.0])
    >>> bid, later_ask = jnp.array([13.0, 7.0, 3.0]), jnp.array([14.0, 6.5, 3.5])
    >>> calendar_arbitrage(strike, bid, 100.0, 1.0, strike, later_ask, 100.0, 1.0).gain.round(9).tolist()
    [0.0, 0.5, 0.0]
    """
    strike, bid = as_floating(strike, "strike"), as_floating(bid, "bid")
    later_strike, later_ask = as_floating(later_strike, "later_strike"), as_floating(later_ask, "later_ask")
    if strike.ndim == 0 or later_strike.ndim == 0:
        raise ValueError("expected strikes [..., strike] and later strikes [..., later], got a number for them")
    numbers = (jnp.asarray(x, bid.dtype) for x in (forward, discount, later_forward, later_discount))
    return _calendar(strike, bid, later_strike, later_ask, *numbers)


@jax.jit
def _calendar(
    strike, bid, later_strike, later_ask, forward, discount, later_forward, later_discount
) -> CalendarArbitrage:
    scale = (forward * discount)[..., None]
    x = strike / forward[..., None]
    quoted = jnp.isfinite(later_ask) & jnp.isfinite(later_strike)
    later_x = later_strike / later_forward[..., None]
    later_price = later_ask / (later_forward * later_discount)[..., None]
    # The nearest quoted strike on either side of each x.
    away = later_x[..., None, :] - x[..., :, None]
    away = jnp.where(
        jnp.abs(away) < 8 * jnp.finfo(away.dtype).eps * x[..., :, None], 0.0, away
    )  # equal but for rounding
    offset = jnp.where(quoted[..., None, :], away, jnp.nan)
    low = jnp.argmax(jnp.where(offset <= 0, offset, -jnp.inf), -1)[..., None]
    high = jnp.argmin(jnp.where(offset >= 0, offset, jnp.inf), -1)[..., None]
    inside = jnp.any(offset <= 0, -1) & jnp.any(offset >= 0, -1) & jnp.isfinite(bid)

    def at(values, index):
        found = jnp.take_along_axis(jnp.broadcast_to(values, away.shape), index, axis=-1)[..., 0]
        return jnp.where(inside, found, 0.0)

    left, right = at(away, low), at(away, high)
    first, second = at(later_price[..., None, :], low), at(later_price[..., None, :], high)
    width = right - left
    share = jnp.where(width > 0, -left / jnp.where(width > 0, width, 1.0), 0.0)
    hedge = first + share * (second - first)
    gain = jnp.where(inside, bid, 0.0) - scale * hedge
    return CalendarArbitrage(jnp.where(inside, jnp.maximum(gain, 0.0), jnp.nan))
