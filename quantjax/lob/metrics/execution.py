"""What an order that takes liquidity would pay: the book is walked from the best level on, the last taken in part."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book
from quantjax.lob.metrics.prices import mid
from quantjax.lob.metrics.sides import Levels, ask_levels, bid_levels, ratio, total

__all__ = ["Fill", "fill_notional", "fill_quantity", "fillable_notional", "round_trip_cost_bps"]

Value = Float[jax.Array, "*batch"]


class Fill(eqx.Module):
    """A taking order walked through the book.

    `vwap`: average price paid, quote currency, NaN where nothing was filled; `quantity`: base filled; `last_price`:
    price of the deepest level touched; `unfilled`: what the visible book could not fill, in the unit of the order
    (quote for `fill_notional`, base for `fill_quantity`); `impact_bps`: side (vwap - m) / m 1e4, of the filled part.
    """

    vwap: Value
    quantity: Value
    last_price: Value
    unfilled: Value
    impact_bps: Value


def fill_notional(book: Book, notional, side: int) -> Fill:
    """Fill an order of `notional` quote currency: its average price, quantity, last price, rest and impact.

    dq_i = min(q_i, r_i / p_i), r_1 = notional, r_{i+1} = r_i - p_i dq_i, VWAP = sum p dq / sum dq.
    `side`: +1 buys from the asks, -1 sells to the bids. `notional` broadcasts against `[...]`; 0 fills nothing (NaN
    price), a negative one gives NaN. `unfilled` is in quote currency. Broadcasting. Raises ValueError for another side.

    >>> book = Book.from_levels([(100.00, 5)], [(100.02, 3), (100.03, 8)])
    >>> fill = fill_notional(book, 1000.0, side=+1)
    >>> round(float(fill.vwap), 8), round(float(fill.quantity), 8), float(fill.unfilled)
    (100.02699919, 9.99730081, 0.0)
    """
    levels = _opposite(book, side)
    return _walk(book, levels, [level.price * level.size for level in levels], notional, side, in_quote=True)


def fill_quantity(book: Book, quantity, side: int) -> Fill:
    """Fill an order of `quantity` base currency: its average price, quantity, last price, rest and impact.

    dq_i = min(q_i, r_i), r_1 = quantity, r_{i+1} = r_i - dq_i, VWAP = sum p dq / sum dq.
    `side`: +1 buys from the asks, -1 sells to the bids. `unfilled` is in base currency. Broadcasting. Raises ValueError
    for another side.
    """
    levels = _opposite(book, side)
    return _walk(book, levels, [level.size for level in levels], quantity, side, in_quote=False)


def round_trip_cost_bps(book: Book, notional) -> Value:
    """Cost of buying and selling `notional` quote currency at once: 1e4 (VWAP_buy - VWAP_sell) / m.

    In basis points, `[...]`. NaN where a side cannot fill the whole notional. Broadcasting. Source: Irvine, Benston &
    Kandel (2000), Liquidity beyond the inside spread (cost of round trip); Xetra's liquidity measure XLM.
    """
    buy, sell = fill_notional(book, notional, +1), fill_notional(book, notional, -1)
    return round_trip_bps(buy.vwap, sell.vwap, (buy.unfilled == 0) & (sell.unfilled == 0), mid(book))


def fillable_notional(book: Book, slippage_bps, side: int) -> Value:
    """Largest notional whose average price stays within `slippage_bps` of the mid: the inverse of `fill_notional`.

    With the limit P* = m (1 + side 1e-4 slippage_bps) the first i levels may be taken whole while their slack
    side (P* Q_i - C_i) >= 0, Q and C cumulative size and notional; of the next level the part slack / (side (1 - P*/p))
    may be taken. In quote currency; 0 where the best price is already beyond the limit. Where the whole visible side
    stays within the limit the result is that side's visible notional: a lower bound. NaN where a side is empty.
    Broadcasting.
    """
    levels = _opposite(book, side)
    centre = mid(book)
    # A price at the limit is within it, whatever the rounding: the margin of `band_depth`.
    limit = centre * (1 + side * (1e-4 * slippage_bps + 4 * jnp.finfo(centre.dtype).eps))
    slack = slack_left = taken = jnp.zeros_like(centre)
    marginal = levels[0].price
    whole_before = jnp.ones(centre.shape, bool)
    for level in levels:
        # An absent level has size 0: it leaves everything as it is.
        slack = slack + side * (limit - level.price) * level.size
        whole = whole_before & (slack >= 0)
        taken = taken + jnp.where(whole, level.price * level.size, 0.0)
        slack_left = jnp.where(whole, slack, slack_left)
        marginal = jnp.where(whole_before, level.price, marginal)
        whole_before = whole
    excess = jnp.where(whole_before, 1.0, side * (1 - limit / marginal))
    part = jnp.where(whole_before, 0.0, slack_left / excess)
    return jnp.where(jnp.isnan(centre), jnp.nan, taken + part)


def visible_notional(book: Book, side: int) -> Value:
    """What an order of this side finds in all: sum p q, in quote currency, `[...]`, 0 for an empty side."""
    return total(level.price * level.size for level in _opposite(book, side))


def impact_bps(vwap: Value, centre: Value, side: int) -> Value:
    """Distance of an average price from the mid, against the taker: 1e4 side (VWAP - m) / m basis points."""
    return side * 1e4 * (vwap - centre) / centre


def round_trip_bps(buy_vwap: Value, sell_vwap: Value, filled: jax.Array, centre: Value) -> Value:
    """1e4 (VWAP_buy - VWAP_sell) / m basis points, NaN where not `filled`."""
    return jnp.where(filled, 1e4 * (buy_vwap - sell_vwap) / centre, jnp.nan)


def _opposite(book: Book, side: int) -> Levels:
    """The levels that an order of this side takes from."""
    if side not in (1, -1):
        raise ValueError(f"expected side +1 (buy) or -1 (sell), got {side!r}")
    return ask_levels(book) if side == 1 else bid_levels(book)


def _walk(book: Book, levels: Levels, capacities: list[jax.Array], amount, side: int, *, in_quote: bool) -> Fill:
    """Take `amount` from the levels; `capacities` are their sizes in the unit of the amount.

    The levels before the marginal one are taken whole, the marginal one in part: which are whole is a comparison of the
    amount with cumulative capacities. No level waits for what the one before it left over, and there is one division in
    all, so that XLA makes a short vector loop of it (four times faster than the recursion of the formula).
    """
    centre, best = mid(book), levels[0].price
    amount = jnp.asarray(amount, best.dtype)
    amount = jnp.where(amount >= 0, amount, jnp.nan)
    zero = jnp.zeros(jnp.broadcast_shapes(amount.shape, best.shape), best.dtype)
    cumulative = taken = quantity = excess_paid = zero
    marginal = jnp.broadcast_to(best, zero.shape)
    last_price = jnp.full_like(zero, jnp.nan)
    whole = cumulative <= amount
    for level, capacity in zip(levels, capacities, strict=True):
        last_price = jnp.where(level.present & (cumulative < amount), level.price, last_price)
        marginal = jnp.where(whole, level.price, marginal)
        cumulative = cumulative + capacity
        whole = cumulative <= amount
        size = jnp.where(whole, level.size, 0.0)
        quantity = quantity + size
        # Paid above the best price: a sum of small terms keeps its digits where p q sums would not.
        excess_paid = excess_paid + size * (level.price - best)
        taken = jnp.where(whole, cumulative, taken)
    rest = amount - taken
    part = jnp.where(whole, 0.0, rest / marginal if in_quote else rest)
    quantity = quantity + part
    vwap = best + ratio(excess_paid + part * (marginal - best), quantity)
    unfilled = jnp.maximum(amount - cumulative, 0.0)
    return Fill(vwap, quantity, last_price, unfilled, impact_bps(vwap, centre, side))
