"""What only the values know, checked once, on the host: `check` reports, `clean` mends."""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax
import numpy as np

from quantjax.lob.book import Book, BookSeries

__all__ = ["BookCheck", "Cleaned", "check", "clean"]

Policy = Literal["drop", "keep", "raise"]


class BookCheck(eqx.Module):
    """Which books have which fault: bool arrays over the leading axes `[...]`.

    `unsorted`: prices do not get strictly worse with the level, or an absent level stands before a present one;
    `crossed`: best ask below best bid; `locked`: best ask equal to best bid; `not_finite`: a size, or the price of a
    present level, is NaN or infinite; `empty`: a side has no levels; `negative`: a size below 0, or the price of a
    present level 0 or below.
    """

    unsorted: np.ndarray
    crossed: np.ndarray
    locked: np.ndarray
    not_finite: np.ndarray
    empty: np.ndarray
    negative: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Number of books with each fault."""
        return {name: int(np.count_nonzero(getattr(self, name))) for name in _FAULTS}

    @property
    def ok(self) -> bool:
        """True where no book has a fault."""
        return not any(self.counts.values())

    def __str__(self) -> str:
        found = []
        for name, count in self.counts.items():
            if count:
                rows = np.argwhere(np.atleast_1d(getattr(self, name)))[:3]
                found.append(f"{count} {name} (first at {', '.join(str(tuple(map(int, row))) for row in rows)})")
        return "; ".join(found) or "no faults"


_FAULTS = ("unsorted", "crossed", "locked", "not_finite", "empty", "negative")


def check(book: Book | BookSeries) -> BookCheck:
    """Which books are unsorted, crossed, locked, not finite, empty on a side, or negative. Driver.

    >>> print(check(Book.from_levels([(100.02, 1.0)], [(100.01, 1.0)])))
    1 crossed (first at (0,))
    """
    if isinstance(book, BookSeries):
        book = book.book
    bid_price, bid_size, ask_price, ask_size = (np.asarray(array) for array in jax.tree.leaves(book))
    sides = ((bid_price, bid_size, -1), (ask_price, ask_size, +1))
    shape = bid_price.shape[:-1]
    faults = {name: np.zeros(shape, bool) for name in _FAULTS}
    for price, size, direction in sides:
        # NaN sizes count as present: their price must then be in order too.
        present = size != 0
        faults["not_finite"] |= (~np.isfinite(size) | (present & ~np.isfinite(price))).any(axis=-1)
        faults["negative"] |= ((size < 0) | (present & (price <= 0))).any(axis=-1)
        worse = direction * (price[..., 1:] - price[..., :-1]) > 0
        faults["unsorted"] |= (present[..., 1:] & ~(present[..., :-1] & worse)).any(axis=-1)
        faults["empty"] |= ~present.any(axis=-1)
    both = (bid_size[..., 0] > 0) & (ask_size[..., 0] > 0)
    faults["crossed"] = both & (ask_price[..., 0] < bid_price[..., 0])
    faults["locked"] = both & (ask_price[..., 0] == bid_price[..., 0])
    return BookCheck(**faults)


class Cleaned(eqx.Module):
    """What `clean` left of the books (`books`, a BookSeries or a Book as it was given), and what it did, by name."""

    books: BookSeries | Book
    counts: dict[str, int]


def clean(
    books: BookSeries | Book,
    *,
    crossed: Policy = "drop",
    locked: Policy = "keep",
    empty: Policy = "keep",
    invalid: Policy = "drop",
    time_order: Literal["sort", "keep", "raise"] = "sort",
) -> Cleaned:
    """The books one wants, and the number dropped for each reason (a book counts once). Driver.

    `books`: a BookSeries, or a Book with one leading axis. `crossed`, `locked`, `empty` (a side without levels),
    `invalid` (unsorted, not finite or negative): "drop", "keep" or "raise". `time_order`: what to do where the time of
    a series goes back: "sort" (stable), "keep" or "raise". Raises ValueError that says which rows, for "raise" and for
    an unknown policy.

    >>> good, crossed = ([(100.0, 1.0)], [(100.1, 1.0)]), ([(100.2, 1.0)], [(100.1, 1.0)])
    >>> books = jax.tree.map(lambda *a: np.stack(a), Book.from_levels(*good), Book.from_levels(*crossed))
    >>> clean(books).counts
    {'invalid_dropped': 0, 'crossed_dropped': 1}
    """
    policies = {"invalid": invalid, "crossed": crossed, "locked": locked, "empty": empty}
    for name, policy in policies.items():
        if policy not in ("drop", "keep", "raise"):
            raise ValueError(f"expected {name} as 'drop', 'keep' or 'raise', got {policy!r}")
    if time_order not in ("sort", "keep", "raise"):
        raise ValueError(f"expected time_order as 'sort', 'keep' or 'raise', got {time_order!r}")
    found = check(books)
    if found.crossed.ndim != 1:
        raise ValueError(f"expected books with one leading axis, got {list(found.crossed.shape)}; reshape them first")
    rows = {
        "invalid": found.unsorted | found.not_finite | found.negative,
        "crossed": found.crossed,
        "locked": found.locked,
        "empty": found.empty,
    }
    kept = np.ones(len(found.crossed), bool)
    counts = {}
    for name, policy in policies.items():
        if policy == "raise" and rows[name].any():
            raise ValueError(
                f"expected no {name} books, got {int(rows[name].sum())} of {len(kept)}, the first in row "
                f"{int(np.argmax(rows[name]))}; {name}='drop' leaves them out, lob.check says what is wrong with each"
            )
        if policy == "drop":
            counts[f"{name}_dropped"] = int(np.count_nonzero(kept & rows[name]))
            kept &= ~rows[name]
    books = books[kept]
    if isinstance(books, BookSeries):
        books, counts["clock_went_back"] = _in_time_order(books, time_order)
    return Cleaned(books, counts)


def _in_time_order(series: BookSeries, time_order: str) -> tuple[BookSeries, int]:
    """The series, sorted if asked for, and the number of steps back in time."""
    back = np.diff(np.asarray(series.time_ns)) < 0
    if back.any() and time_order == "raise":
        raise ValueError(
            f"expected times that never decrease, got {int(back.sum())} steps back, the first after row "
            f"{int(np.argmax(back))}; time_order='sort' sorts them"
        )
    if back.any() and time_order == "sort":
        series = series[np.argsort(np.asarray(series.time_ns), kind="stable")]
    return series, int(back.sum())
