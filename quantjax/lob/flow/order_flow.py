"""Order flow between two consecutive books: what arrived on the bid less what arrived on the ask, level by level."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book, BookSeries

__all__ = ["order_flow", "order_flow_series"]

Flow = Float[jax.Array, "*batch level"]


def order_flow(previous: Book, current: Book) -> Flow:
    """Order flow imbalance of one event, by level: e = e^b - e^a, in base currency, `[..., level]`.

    e^b = q^b_n 1{p^b_n >= p^b_{n-1}} - q^b_{n-1} 1{p^b_n <= p^b_{n-1}},
    e^a = q^a_n 1{p^a_n <= p^a_{n-1}} - q^a_{n-1} 1{p^a_n >= p^a_{n-1}}:
    positive where buyers came or sellers left. `previous`, `current`: books of as many levels, whose leading axes
    broadcast. An absent bid counts as one at -inf and an absent ask as one at +inf, of size 0: a level that appears
    contributes its whole size, one that goes takes it away. NaN where a size is negative or not a number, or the price
    of a present level is not finite. Prices are compared as they are: the two books must have the same rounding.

    Broadcasting. Raises ValueError for different numbers of levels. Source: Cont, Kukanov & Stoikov (2014), J.
    Financial Econometrics 12:47, eq. 4 (best level); Xu, Gould & Howison (2018), arXiv 1907.06230, eqs. 2-4.

    >>> previous = Book.from_levels([(100.00, 5), (99.99, 4)], [(100.02, 3)])
    >>> current = Book.from_levels([(100.00, 7), (99.98, 9)], [(100.01, 1), (100.02, 3)])
    >>> order_flow(previous, current).tolist()
    [1.0, -7.0]
    """
    if previous.levels != current.levels:
        raise ValueError(
            f"expected books of as many levels, got {previous.levels} and {current.levels}; Book.top cuts the deeper"
        )
    bid = _side_flow(previous.bid_price, previous.bid_size, current.bid_price, current.bid_size, 1)
    ask = _side_flow(previous.ask_price, previous.ask_size, current.ask_price, current.ask_size, -1)
    return bid - ask


def order_flow_series(books: BookSeries | Book) -> Float[jax.Array, "time level"]:
    """Order flow imbalance of each book on the one before it, `[time, level]`, in base currency.

    `books`: a BookSeries, or a Book `[time, level]`. Row 0, which has no book before it, is 0. The best level is
    `[:, 0]`; NaN as in `order_flow`, in both rows that a bad book takes part in. Per item (one series; batch with
    `jax.vmap`). Raises ValueError for a Book without the one leading axis.

    >>> previous, current = Book.from_levels([(1.0, 5)], [(1.2, 3)]), Book.from_levels([(1.1, 2)], [(1.2, 3)])
    >>> order_flow_series(jax.tree.map(lambda *levels: jnp.stack(levels), previous, current)).tolist()
    [[0.0], [2.0]]
    """
    book = books.book if isinstance(books, BookSeries) else books
    if len(book.batch_shape) != 1:
        raise ValueError(f"expected books [time, level], got leading axes {list(book.batch_shape)}; vmap over the rest")
    book = jax.tree.map(jnp.asarray, book)
    if book.batch_shape[0] == 0:
        return jnp.zeros_like(book.bid_size)
    flow = order_flow(book[:-1], book[1:])
    return jnp.concatenate([jnp.zeros_like(flow, shape=(1, book.levels)), flow])


def _side_flow(price_before, size_before, price_now, size_now, direction: int) -> jax.Array:
    """Size that came to one side less size that left it; `direction` +1 where a higher price is better (the bid)."""
    before, queue_before, known_before = _tidy(price_before, size_before, direction)
    now, queue_now, known_now = _tidy(price_now, size_now, direction)
    flow = jnp.where(now >= before, queue_now, 0.0) - jnp.where(now <= before, queue_before, 0.0)
    return jnp.where(known_before & known_now, flow, jnp.nan)


def _tidy(price, size, direction: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(how good the price is, size, whether both can be believed) of a level, -inf and 0 where it is absent."""
    price, size = jnp.asarray(price), jnp.asarray(size)
    present = size > 0
    known = (size == 0) | (present & (size < jnp.inf) & (jnp.abs(price) < jnp.inf))
    return jnp.where(present, direction * price, -jnp.inf), jnp.where(present, size, 0.0), known
