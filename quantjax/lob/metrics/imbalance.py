"""Imbalances of the depth: (B - A) / (B + A) in [-1, 1], B and A differently weighted sizes of the bids and asks."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book
from quantjax.lob.metrics.prices import depth, mid
from quantjax.lob.metrics.sides import Levels, Sides, ask_levels, bid_levels, ratio, total

__all__ = ["decayed_imbalance", "depth_imbalance", "exponential_distance_imbalance", "inverse_distance_imbalance"]

Value = Float[jax.Array, "*batch"]


def depth_imbalance(book: Book, levels: int) -> Value:
    """Imbalance of the best `levels` levels: (sum q^b - sum q^a) / (sum q^b + sum q^a), `[...]`.

    One empty side gives +-1, an empty book NaN. Broadcasting. Raises ValueError for `levels < 1`.
    """
    return imbalance(depth(book, levels))


def decayed_imbalance(book: Book, decay=0.5) -> Value:
    """Imbalance with level i weighted by exp(-decay (i - 1)), `[...]`; `decay` per level.

    One empty side gives +-1, an empty book NaN. Broadcasting. Source: Cartea, Donnelly & Jaimungal (2018), Enhancing
    trading strategies with order book signals, section 2 (weighted volumes).
    """

    def weighted(side: Levels) -> jax.Array:
        return total(level.size * jnp.exp(-decay * i) for i, level in enumerate(side))

    return imbalance(Sides(weighted(bid_levels(book)), weighted(ask_levels(book))))


def inverse_distance_imbalance(book: Book) -> Value:
    """Imbalance with weights 1 / |p - m|, `[...]`.

    NaN where a side is empty or a level stands at the mid (the book is locked). Broadcasting.
    """
    return _by_distance(book, lambda distance: 1.0 / jnp.where(distance == 0, jnp.nan, distance))


def exponential_distance_imbalance(book: Book, scale_bps) -> Value:
    """Imbalance with weights exp(-|p - m| / d), d = scale_bps 1e-4 m, `[...]`; NaN where a side is empty.

    Broadcasting; `scale_bps` in basis points of the mid.
    """
    inverse_scale = 1e4 / (scale_bps * mid(book))
    return _by_distance(book, lambda distance: jnp.exp(-distance * inverse_scale))


def _by_distance(book: Book, weight: Callable[[jax.Array], jax.Array]) -> jax.Array:
    centre = mid(book)

    def weighted(side: Levels) -> jax.Array:
        return total(
            jnp.where(level.present, level.size * weight(jnp.abs(level.price - centre)), 0.0) for level in side
        )

    return imbalance(Sides(weighted(bid_levels(book)), weighted(ask_levels(book)))) + 0.0 * centre


def imbalance(sides: Sides) -> Value:
    """(bid - ask) / (bid + ask), NaN where both are 0."""
    return ratio(sides.bid - sides.ask, sides.bid + sides.ask)
