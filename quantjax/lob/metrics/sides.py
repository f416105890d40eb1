"""What the metrics share: the levels of a side one by one, absent ones neutralised, and results that come in pairs.

The level axis is unrolled in Python: XLA turns `[..., i]` slices into one fused loop whose vector axis is the batch,
some 20 times faster than reductions over a short inner axis.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book

__all__ = ["Level", "Levels", "Sides", "ask_levels", "bid_levels", "check_levels", "ratio", "total"]


class Level(NamedTuple):
    """One level of one side over the batch; where `present` is False, `price` is 1 and `size` is 0."""

    price: jax.Array
    size: jax.Array
    present: jax.Array


Levels = list[Level]


class Sides(eqx.Module):
    """A quantity of each side of the book."""

    bid: Float[jax.Array, "*batch"]
    ask: Float[jax.Array, "*batch"]


def bid_levels(book: Book, levels: int | None = None) -> Levels:
    """The best `levels` bid levels (default all)."""
    _check_book(book)
    return _levels(book.bid_price, book.bid_size, levels)


def ask_levels(book: Book, levels: int | None = None) -> Levels:
    """The best `levels` ask levels (default all)."""
    _check_book(book)
    return _levels(book.ask_price, book.ask_size, levels)


def _check_book(book: Book) -> None:
    if not isinstance(book, Book):
        raise TypeError(f"expected a lob.Book, got {type(book).__name__}; the books of a lob.BookSeries are its .book")


def _levels(price, size, levels: int | None) -> Levels:
    price, size = jnp.asarray(price), jnp.asarray(size)
    count = price.shape[-1] if levels is None else min(levels, price.shape[-1])
    return [_level(price[..., i], size[..., i]) for i in range(count)]


def _level(price: jax.Array, size: jax.Array) -> Level:
    present = size > 0
    # 1, not 0 or NaN: absent levels take part in divisions and logarithms whose results are then weighted by 0.
    return Level(jnp.where(present, price, 1.0), jnp.where(present, size, 0.0), present)


def ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """numerator / denominator, NaN where the denominator is 0, with finite gradients elsewhere."""
    defined = denominator != 0
    # The inner where keeps the gradient of the branch not taken finite.
    return jnp.where(defined, numerator / jnp.where(defined, denominator, 1.0), jnp.nan)


def total(values: Iterable[jax.Array]) -> jax.Array:
    """Sum of arrays, written out: the unrolled sum over levels."""
    return reduce(operator.add, values)


def check_levels(levels: int) -> int:
    """`levels`, or a ValueError where it is not a positive integer."""
    if not isinstance(levels, int) or levels < 1:
        raise ValueError(f"expected levels as an integer >= 1, got {levels!r}")
    return levels
