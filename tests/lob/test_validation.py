from __future__ import annotations

import jax
import numpy as np
import pytest

from quantjax import lob
from tests.lob.books import random_books

GOOD = ([(100.0, 5.0), (99.0, 1.0)], [(101.0, 3.0), (102.0, 1.0)])
BAD = {
    "unsorted": ([(99.0, 5.0), (100.0, 1.0)], [(101.0, 3.0)]),
    "crossed": ([(101.5, 5.0)], [(101.0, 3.0)]),
    "locked": ([(101.0, 5.0)], [(101.0, 3.0)]),
    "not_finite": ([(np.nan, 5.0)], [(101.0, 3.0)]),
    "empty": ([], [(101.0, 3.0)]),
    "negative": ([(100.0, -5.0)], [(101.0, 3.0)]),
}


def series(*books) -> lob.BookSeries:
    stacked = jax.tree.map(lambda *a: np.stack(a), *(lob.Book.from_levels(*book, 3) for book in books))
    return lob.BookSeries(np.arange(len(books)), stacked, "XYZ", 1.0)


@pytest.mark.parametrize("fault", BAD)
def test_check_finds_each_fault(fault):
    found = lob.check(series(GOOD, BAD[fault]))
    assert found.counts == dict.fromkeys(BAD, 0) | {fault: 1}
    assert getattr(found, fault).tolist() == [False, True]
    assert f"1 {fault} (first at (1,))" in str(found)
    assert not found.ok


def test_check_finds_nan_sizes_duplicate_prices_and_holes():
    nan_size = lob.Book.from_levels(*GOOD, 3)
    nan_size.bid_size[0] = np.nan
    assert lob.check(nan_size).not_finite
    twice = lob.Book.from_levels([(100.0, 1.0), (100.0, 1.0)], GOOD[1])
    assert lob.check(twice).unsorted
    hole = lob.Book.from_levels(*GOOD, 3)
    hole.bid_size[0] = 0.0
    assert lob.check(hole).unsorted
    assert lob.check(random_books(50, 4, seed=1)).counts["unsorted"] == 0


@pytest.mark.parametrize("fault", ["unsorted", "not_finite", "negative"])
def test_flags_and_check_agree_on_validity(fault):
    books = series(GOOD, BAD[fault]).book
    assert lob.flags(books).valid.tolist() == [True, False]


def test_clean_drops_keeps_or_raises():
    dirty = series(GOOD, *BAD.values(), GOOD)
    cleaned = lob.clean(dirty)
    kept, counts = cleaned.books, cleaned.counts
    assert counts == {"invalid_dropped": 3, "crossed_dropped": 1, "clock_went_back": 0}
    assert len(kept) == 4
    assert len(lob.clean(dirty, crossed="keep", invalid="keep").books) == len(dirty)
    assert lob.clean(dirty.book).books.batch_shape == (4,)
    with pytest.raises(ValueError, match="one leading axis"):
        lob.clean(dirty.book[0])
    with pytest.raises(ValueError, match="expected no crossed books, got 1 of 8, the first in row 2"):
        lob.clean(dirty, crossed="raise")
    with pytest.raises(ValueError, match="got 'forget'"):
        lob.clean(dirty, crossed="forget")  # type: ignore[arg-type]


def test_clean_puts_times_in_order():
    back = lob.BookSeries(np.array([5, 3, 4]), series(GOOD, GOOD, GOOD).book, "XYZ", 1.0)
    ordered = lob.clean(back)
    assert ordered.books.time_ns.tolist() == [3, 4, 5]
    assert ordered.counts["clock_went_back"] == 1
    with pytest.raises(ValueError, match="1 steps back, the first after row 0"):
        lob.clean(back, time_order="raise")
