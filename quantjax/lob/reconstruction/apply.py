"""`apply_updates`: one step from a book to the next."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from quantjax.lob.book import Book
from quantjax.lob.padding import padded_length
from quantjax.lob.reconstruction.validation import refuse_sizes
from quantjax.lob.ticks import price_ticks, tick_prices, ticks_on_grid
from quantjax.lob.updates import LevelUpdates

__all__ = ["apply_updates"]


def apply_updates(book: Book, updates: LevelUpdates) -> Book:
    """The book after some updates, with as many levels a side as before.

    Each update sets the size at its price, in their order; size 0 deletes the level. What no longer fits falls off the
    end, and what had fallen off does not come back when a level is deleted: books that must be exact over many steps
    want more levels than are looked at, or `lob.reconstruct`, which knows all of them.

    Arguments: `book`, one book `[level]` with sorted sides, prices on the ticks of `updates.tick_size`; `updates`
    `[update]`, their times not looked at. Returns JAX arrays of the book's dtype; sizes are differentiable with respect
    to the book's and the updates' sizes.

    Per item: batch with `jax.vmap`. Raises ValueError for a batch of books and, where not traced, for prices off the
    ticks or too fine for their dtype, negative sizes and others that are not finite, and unknown sides. Under tracing a
    size that is negative or NaN is NaN in the book.

    >>> book = Book.from_levels(bids=[(99.99, 5), (99.98, 7)], asks=[(100.01, 3)], levels=2)
    >>> updates = LevelUpdates(
    ...     np.zeros(2, np.int64), np.array([1, -1]), np.array([9_999, 10_002]), np.array([0.0, 4.0]), 0.01, "XYZ"
    ... )
    >>> after = apply_updates(book, updates)
    >>> after.bid_price, after.ask_size
    (Array([99.98,   nan], dtype=float64), Array([3., 4.], dtype=float64))
    """
    if book.batch_shape:
        raise ValueError(f"expected one book [level], got books{list(book.batch_shape)}; use jax.vmap over them")
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((book, updates))):
        return _after(book, updates)
    book, updates = jax.tree.map(np.asarray, (book, updates))
    refuse_sizes(updates)
    for price, size in ((book.bid_price, book.bid_size), (book.ask_price, book.ask_size)):
        ticks_on_grid(np.asarray(price), np.asarray(size) != 0, float(updates.tick_size))
    return _compiled(book, _padded(updates))


def _padded(updates: LevelUpdates) -> LevelUpdates:
    """With updates that say nothing at the end, up to one of a few lengths, each of which is compiled once."""
    missing = padded_length(len(updates), 64) - len(updates)
    arrays = (np.pad(array, (0, missing)) for array in (updates.time_ns, updates.side, updates.tick, updates.size))
    time_ns, side, tick, size = arrays
    return LevelUpdates(time_ns, side, tick, size, float(updates.tick_size), updates.symbol)


def _after(book: Book, updates: LevelUpdates) -> Book:
    sides = []
    for side, price, size in ((1, book.bid_price, book.bid_size), (-1, book.ask_price, book.ask_size)):
        sides += _side_after(side, jnp.asarray(price), jnp.asarray(size), updates)
    return Book(*sides)


_compiled = jax.jit(_after)


def _side_after(side: int, price: jax.Array, size: jax.Array, updates: LevelUpdates) -> tuple[jax.Array, jax.Array]:
    levels, dtype = len(price), size.dtype
    tick = jnp.concatenate([price_ticks(price, updates.tick_size), jnp.asarray(updates.tick)])
    sizes = jnp.concatenate([size, jnp.asarray(updates.size, dtype)])
    sizes = jnp.where(sizes < 0, jnp.nan, sizes)
    counts = jnp.concatenate([size != 0, jnp.asarray(updates.side) == side])
    # Best price first and, of one price, the latest first: what counts is the first of each price.
    worst = jnp.iinfo(tick.dtype).max
    key = jnp.where(counts, -side * tick, worst)
    order = jnp.lexsort((-jnp.arange(len(key)), key))
    key, sizes = key[order], sizes[order]
    there = (key != jnp.concatenate([jnp.full(1, worst, key.dtype), key[:-1]])) & (key != worst) & (sizes != 0)
    place = jnp.where(there, jnp.cumsum(there) - 1, levels)
    # The old prices as they came: a tick's price could differ in the last bit from the one that the book was given.
    prices = jnp.concatenate([price, tick_prices(jnp.asarray(updates.tick), updates.tick_size, dtype)])[order]
    return (
        jnp.full(levels, jnp.nan, dtype).at[place].set(prices, mode="drop"),
        jnp.zeros(levels, dtype).at[place].set(sizes, mode="drop"),
    )
