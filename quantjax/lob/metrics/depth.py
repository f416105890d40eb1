"""Depth within bands around the mid."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book
from quantjax.lob.metrics.imbalance import imbalance
from quantjax.lob.metrics.prices import mid
from quantjax.lob.metrics.sides import Levels, Sides, ask_levels, bid_levels, total

__all__ = ["BandDepth", "band_depth"]

Value = Float[jax.Array, "*batch"]


class BandDepth(eqx.Module):
    """Depth of each side within a band: `*_base` in base currency, `*_quote` in quote currency."""

    bid_base: Value
    ask_base: Value
    bid_quote: Value
    ask_quote: Value

    @property
    def imbalance(self) -> Value:
        """(bid - ask) / (bid + ask) of the quote depths; NaN where the band holds nothing."""
        return imbalance(Sides(self.bid_quote, self.ask_quote))


def band_depth(book: Book, bps) -> BandDepth:
    """Depth within `bps` basis points of the mid: sum q and sum p q over |p - m| <= x m, x = 1e-4 bps, `[...]`.

    The boundary is inside: a price within a few units in the last place of it counts. NaN where a side is empty. A band
    wider than the recorded levels gives what was recorded. Broadcasting. Source: the "2 % depth" of market-data
    vendors.

    >>> book = Book.from_levels([(100.00, 5), (99.99, 10), (99.95, 15)], [(100.02, 3), (100.05, 12)])
    >>> depth = band_depth(book, 5.0)
    >>> float(depth.bid_base), round(float(depth.ask_quote), 6)
    (15.0, 1500.66)
    """
    centre = mid(book)
    # x m is rounded, |p - m| is exact or nearly so: without the margin a boundary price drops out by chance.
    limit = centre * (1e-4 * bps + 4 * jnp.finfo(centre.dtype).eps)

    def within(side: Levels) -> tuple[jax.Array, jax.Array]:
        sizes = [jnp.where(jnp.abs(level.price - centre) <= limit, level.size, 0.0) for level in side]
        base = total(sizes)
        quote = total(size * level.price for size, level in zip(sizes, side, strict=True))
        return jnp.where(jnp.isnan(centre), jnp.nan, base), jnp.where(jnp.isnan(centre), jnp.nan, quote)

    bid_base, bid_quote = within(bid_levels(book))
    ask_base, ask_quote = within(ask_levels(book))
    return BandDepth(bid_base, ask_base, bid_quote, ask_quote)
