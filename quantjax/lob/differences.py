"""From recorded books to the level updates that lead from each to the next."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Int64

from quantjax.lob.book import BookSeries
from quantjax.lob.ticks import ticks_on_grid
from quantjax.lob.updates import LevelUpdates
from quantjax.lob.validation import check

__all__ = ["BookDifferences", "level_updates"]


class BookDifferences(eqx.Module):
    """The first book of a series, and the updates that lead from each book to the next.

    `snapshot`: every level of the first book, at its time. `updates`: what changed from one book to the next, at the
    time of the later one; within a book bids before asks, each best price first. `row`: the index in the series of the
    book that an update leads to, `[update]`: applying all updates up to and with row `i` gives book `i`.
    """

    snapshot: LevelUpdates
    updates: LevelUpdates
    row: Int64[np.ndarray, " update"]


def level_updates(series: BookSeries) -> BookDifferences:
    """The level updates that lead from each book of a series to the next. Driver.

    A level that is not in the next book gets size 0; one that is new, or whose size changed, gets its size. Applied to
    a book kept by price they give back each book of the series exactly, sizes bit for bit and prices as integer ticks:
    `tick = round(price / tick_size)`. The updates of books of L levels say nothing about deeper levels: a level that
    is pushed out of the best L is deleted, and set anew when it comes back.

    Arguments: `series`, books `[time, level]`, whose times never decrease and whose prices are multiples of
    `series.tick_size`; crossed, one-sided and empty books are taken as they are.

    Returns `BookDifferences`, arrays of numpy, sizes in the dtype of the books; nothing in it for a series of no books.

    Raises ValueError that says how many: for prices off the tick grid or too fine for their dtype, and, with the
    first row, for books that are unsorted (a repeated price among them), not finite or negative and for times that go
    back; `lob.clean` leaves these out.

    >>> book = lambda bids: Book.from_levels(bids, [(100.02, 3.0)], levels=2)
    >>> import jax
    >>> from quantjax.lob import Book
    >>> books = [book([(100.01, 5.0)]), book([(100.01, 4.0), (100.0, 2.0)]), book([(100.0, 2.0)])]
    >>> series = BookSeries(np.arange(3), jax.tree.map(lambda *a: np.stack(a), *books), "XYZ", 0.01)
    >>> found = level_updates(series)
    >>> found.snapshot.tick, found.updates.tick, found.updates.size, found.row
    (array([10001, 10002]), array([10001, 10000, 10001]), array([4., 2., 0.]), array([1, 1, 2]))
    """
    time_ns = np.asarray(series.time_ns)
    if time_ns.ndim != 1:
        raise ValueError(f"expected a series of books with one leading axis, got time_ns{list(time_ns.shape)}")
    _refuse_faults(series, time_ns)
    price = np.stack([series.book.bid_price, series.book.ask_price])
    sizes = np.stack([series.book.bid_size, series.book.ask_size])
    bids, asks = ticks_on_grid(price, sizes != 0, float(series.tick_size))
    # Ascending from the best level on: bids by minus price.
    sides = [_changes(-bids, sizes[0]), _changes(asks, sizes[1])]
    row = np.concatenate([found[0] for found in sides])
    order = np.argsort(row, kind="stable")  # bids before asks in each book
    row = row[order]
    side = np.repeat(np.array([1, -1], np.int64), [len(found[0]) for found in sides])
    tick = np.concatenate([-sides[0][1], sides[1][1]])[order]
    size = np.concatenate([found[2] for found in sides])[order]
    updates = LevelUpdates(time_ns[row], side[order], tick, size, series.tick_size, series.symbol)
    first = int(np.searchsorted(row, 1))
    return BookDifferences(updates[:first], updates[first:], row[first:])


def _refuse_faults(series: BookSeries, time_ns: np.ndarray) -> None:
    found = check(series)
    for name, rows in (
        ("unsorted", found.unsorted),
        ("not_finite", found.not_finite),
        ("negative", found.negative),
    ):
        if rows.any():
            raise ValueError(
                f"expected books that are sorted, with each price once, finite and positive, got {int(rows.sum())} of "
                f"{len(rows)} {name}, the first in row {int(np.argmax(rows))}; lob.clean leaves them out"
            )
    back = np.diff(time_ns) < 0
    if back.any():
        raise ValueError(
            f"expected times that never decrease, got {int(back.sum())} steps back, the first after row "
            f"{int(np.argmax(back))}; lob.clean sorts them"
        )


def _changes(key: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, key, size) of all changes of one side, by row and then key; all levels of the first row are changes."""
    present = size != 0
    row = np.nonzero(present)[0]
    levels, code = np.unique(key[present], return_inverse=True)  # small codes, so that no key below overflows
    size = size[present]
    # One ascending sequence of (row, price), in which the same price of the next or the last row can be looked up.
    place = row * len(levels) + code
    if (same := np.diff(place) <= 0).any():
        raise ValueError(
            f"expected each price once in a book, got two prices within one tick in row {int(row[np.argmax(same)])}; "
            "make the series with the tick size of its prices"
        )
    _, before = _find(place, place - len(levels))
    at_next, after = _find(place, place + len(levels))
    before_size = np.zeros_like(size)
    before_size[at_next[after]] = size[after]
    changed = ~before | (size != before_size)
    gone = ~after & (row + 1 < key.shape[0])
    place = np.concatenate([place[changed], place[gone] + len(levels)])
    order = np.argsort(place, kind="stable")
    place = place[order]
    size = np.concatenate([size[changed], np.zeros(np.count_nonzero(gone), size.dtype)])[order]
    if not len(levels):
        return place, place, size
    return place // len(levels), levels[place % len(levels)], size


def _find(ascending: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted number stands in an ascending sequence, and whether it does."""
    position = np.searchsorted(ascending, wanted)
    position[position == len(ascending)] = 0
    return position, ascending[position] == wanted if len(ascending) else np.zeros(0, bool)
