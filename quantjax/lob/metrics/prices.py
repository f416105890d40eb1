"""Prices read off the book: mid, spread, microprice, side VWAP, VAMP."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book
from quantjax.lob.metrics.sides import Levels, Sides, ask_levels, bid_levels, check_levels, ratio, total

__all__ = ["depth", "microprice", "mid", "queue_imbalance", "spread", "spread_bps", "spread_ticks", "vamp", "vwap"]

Value = Float[jax.Array, "*batch"]


def mid(book: Book) -> Value:
    """Mid price: m = (a1 + b1) / 2, in quote currency, `[...]`; NaN where a side is empty.

    Broadcasting. Every metric that measures distances from the mid is NaN there too.

    >>> round(float(mid(Book.from_levels([(100.00, 5)], [(100.02, 3)]))), 8)
    100.01
    """
    bid, ask = bid_levels(book, 1)[0], ask_levels(book, 1)[0]
    return jnp.where(bid.present & ask.present, 0.5 * (ask.price + bid.price), jnp.nan)


def spread(book: Book) -> Value:
    """Quoted spread: S = a1 - b1, in quote currency, `[...]`; negative where crossed, NaN where a side is empty.

    Broadcasting.
    """
    bid, ask = bid_levels(book, 1)[0], ask_levels(book, 1)[0]
    return jnp.where(bid.present & ask.present, ask.price - bid.price, jnp.nan)


def spread_ticks(book: Book, tick_size) -> Value:
    """Quoted spread in ticks: S / tick_size, `[...]`. Broadcasting; `tick_size` in quote currency."""
    return spread(book) / tick_size


def spread_bps(book: Book) -> Value:
    """Quoted spread in basis points of the mid: 1e4 S / m, `[...]`. Broadcasting."""
    return 1e4 * spread(book) / mid(book)


def queue_imbalance(book: Book) -> Value:
    """Imbalance of the best queues: (qb1 - qa1) / (qb1 + qa1), in [-1, 1], `[...]`; NaN where a side is empty.

    Broadcasting. Source: Gould & Bonart (2016), Queue imbalance as a one-tick-ahead price predictor, eq. 2.
    """
    bid, ask = bid_levels(book, 1)[0], ask_levels(book, 1)[0]
    both = bid.present & ask.present
    return jnp.where(both, (bid.size - ask.size) / jnp.where(both, bid.size + ask.size, 1.0), jnp.nan)


def microprice(book: Book) -> Value:
    """Mid weighted by the opposite queues: (a1 qb1 + b1 qa1) / (qb1 + qa1) = b1 + I S, I = qb1 / (qb1 + qa1), `[...]`.

    NaN where a side is empty. Broadcasting. Also called the weighted mid; Stoikov's (2018) micro-price is another
    quantity. Source: Gatheral & Oomen (2010), Zero-intelligence realized variance estimation, section 2.

    >>> round(float(microprice(Book.from_levels([(100.00, 5)], [(100.02, 3)]))), 8)
    100.0125
    """
    bid, ask = bid_levels(book, 1)[0], ask_levels(book, 1)[0]
    both = bid.present & ask.present
    # b1 + I S, not the quotient of large products: it keeps the digits of the price in float32.
    share = bid.size / jnp.where(both, bid.size + ask.size, 1.0)
    return jnp.where(both, bid.price + share * (ask.price - bid.price), jnp.nan)


def vwap(book: Book, levels: int) -> Sides:
    """Volume-weighted price of the best `levels` levels of each side: V = sum p q / sum q, in quote currency, `[...]`.

    NaN for an empty side. Broadcasting. Raises ValueError for `levels < 1`; levels beyond the book's are absent levels.
    """
    check_levels(levels)
    return Sides(_vwap(bid_levels(book, levels)), _vwap(ask_levels(book, levels)))


def _vwap(side: Levels) -> jax.Array:
    # Relative to the best price: differences of prices keep their digits in float32.
    best = side[0].price
    return best + ratio(total(level.size * (level.price - best) for level in side), total(level.size for level in side))


def vamp(book: Book, levels: int) -> Value:
    """Volume-adjusted mid price: (V_b Q_a + V_a Q_b) / (Q_a + Q_b).

    V and Q are VWAP and size of the best `levels` levels of each side. In quote currency, `[...]`; NaN where a side is
    empty. Broadcasting. With one level it is the microprice. Source: hftbacktest's tutorial on accelerated pricing; the
    name is used for other averages elsewhere.
    """
    size, price = depth(book, levels), vwap(book, levels)
    return weighted_by_other(price, size)


def depth(book: Book, levels: int) -> Sides:
    """Size of the best `levels` levels of each side: sum q, in base currency, `[...]`. Broadcasting."""
    check_levels(levels)
    bids, asks = bid_levels(book, levels), ask_levels(book, levels)
    return Sides(total(level.size for level in bids), total(level.size for level in asks))


def weighted_by_other(price: Sides, size: Sides) -> Value:
    """Prices of the two sides weighted each by the size of the other: (p_b q_a + p_a q_b) / (q_a + q_b)."""
    return price.bid + ratio(size.bid * (price.ask - price.bid), size.bid + size.ask)
