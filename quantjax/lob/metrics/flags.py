"""What state a book is in: crossed, locked, one-sided, how many levels, how old."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int

from quantjax.lob.book import Book, BookSeries
from quantjax.lob.metrics.sides import Levels, ask_levels, bid_levels, total

__all__ = ["Flags", "flags", "staleness"]


class Flags(eqx.Module):
    """State of the book.

    `crossed`: a1 < b1; `locked`: a1 = b1; `one_sided`: a side is empty (or both); `valid`: sorted, finite, positive
    prices and no negative or NaN size; `bid_levels`, `ask_levels`: number of levels present.
    """

    crossed: Bool[jax.Array, "*batch"]
    locked: Bool[jax.Array, "*batch"]
    one_sided: Bool[jax.Array, "*batch"]
    valid: Bool[jax.Array, "*batch"]
    bid_levels: Int[jax.Array, "*batch"]
    ask_levels: Int[jax.Array, "*batch"]


def flags(book: Book) -> Flags:
    """State of the book: see `Flags`, each `[...]`. Broadcasting. A crossed, locked or empty book is valid."""
    bids, asks = bid_levels(book), ask_levels(book)
    both = bids[0].present & asks[0].present
    return Flags(
        crossed=both & (asks[0].price < bids[0].price),
        locked=both & (asks[0].price == bids[0].price),
        one_sided=~both,
        valid=_valid(book.bid_size, bids, -1) & _valid(book.ask_size, asks, +1),
        bid_levels=total(level.present.astype(jnp.int32) for level in bids),
        ask_levels=total(level.present.astype(jnp.int32) for level in asks),
    )


def staleness(series: BookSeries) -> np.ndarray:
    """Seconds since the book last changed (any price or size), `[time]`; 0 in the first row and wherever it changed.

    Driver. `lob.analyze` gives the same as its column `staleness_s`.
    """
    time_ns = np.asarray(series.time_ns)
    return since_last(time_ns, changed_rows(series.book, None), int(time_ns[0]) if len(time_ns) else 0)


def changed_rows(book: Book, before: Book | None) -> np.ndarray:
    """Where a book `[time, level]` differs from the row before, bool `[time]`; the first from the last of `before`."""
    changed = np.zeros(book.batch_shape, bool)
    if before is None:
        changed[:1] = True
    for name in ("bid_price", "bid_size", "ask_price", "ask_size"):
        rows = _as_bytes(getattr(book, name))
        changed[1:] |= rows[1:] != rows[:-1]
        if before is not None:
            changed[:1] |= rows[:1] != _as_bytes(getattr(before, name))[-1:]
    return changed


def _as_bytes(array) -> np.ndarray:
    """Rows as opaque bytes, which compare as a whole: the NaN of an absent price is then equal to itself."""
    array = np.ascontiguousarray(array)
    return array.view(f"V{array.itemsize * array.shape[-1]}")[..., 0]


def since_last(time_ns: np.ndarray, changed: np.ndarray, last_change_ns: int) -> np.ndarray:
    """Seconds since the last row that `changed`, `[time]`; before the first such row, since `last_change_ns`."""
    last = np.maximum.accumulate(np.where(changed, np.arange(len(time_ns)), -1))
    seconds = (time_ns - np.where(last >= 0, time_ns[np.maximum(last, 0)], last_change_ns)) * 1e-9
    return np.maximum(seconds, 0.0)  # a clock that jumped back makes nothing younger than new


def _valid(size, side: Levels, direction: int) -> jax.Array:
    size = jnp.asarray(size)
    ok = jnp.ones(size.shape[:-1], bool)
    for i, level in enumerate(side):
        ok &= (size[..., i] >= 0) & (level.size < jnp.inf) & (level.price > 0) & (level.price < jnp.inf)
        if i:
            before = side[i - 1]
            ok &= ~level.present | (before.present & (direction * (level.price - before.price) > 0))
    return ok
