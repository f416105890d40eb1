"""Differences of books, replayed by a dict a side: each recorded book comes back exactly."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import io
from quantjax.lob import Book, BookSeries, LevelUpdates
from quantjax.lob.differences import BookDifferences, level_updates

TICK = 0.01


def series_of(*sides: tuple[list, list], levels: int = 3, tick_size: float = TICK, dtype=np.float64) -> BookSeries:
    """Books of (bids, asks), one a nanosecond."""
    books = [Book.from_levels(bids, asks, levels, dtype=dtype) for bids, asks in sides]
    book = jax.tree.map(lambda *arrays: np.stack(arrays), *books)
    return BookSeries(np.arange(len(books), dtype=np.int64), book, "XYZ", tick_size)


def random_series(seed: int, rows: int, levels: int, *, dtype=np.float64) -> BookSeries:
    """Books that share most of their levels; sides are now and then short or empty, and may cross."""
    rng = np.random.default_rng(seed)
    sides = []
    for direction in (-1, 1):
        price, size = np.full((rows, levels), np.nan, dtype), np.zeros((rows, levels), dtype)
        resting = dict.fromkeys(range(100, 110), 1.0)
        for row in range(rows):
            for _ in range(rng.integers(0, 4)):
                resting[int(rng.integers(95, 115))] = float(rng.integers(0, 5)) / 8
            found = sorted((tick for tick, rests in resting.items() if rests), key=lambda tick: direction * tick)
            found = found[: rng.choice([0, 1, levels, levels, levels])]
            price[row, : len(found)] = np.array(found, dtype) * TICK
            size[row, : len(found)] = [resting[tick] for tick in found]
        sides += [price, size]
    return BookSeries(np.sort(rng.integers(0, rows, rows)), Book(*sides), "XYZ", TICK)


def replayed(found: BookDifferences, rows: int, levels: int) -> list[list[list[tuple[int, float]]]]:
    """The books that a dict of sizes by tick a side goes through: (tick, size) best first."""
    books: dict[int, dict[int, float]] = {1: {}, -1: {}}
    shown = []
    updates = [zip(*(getattr(found.snapshot, name).tolist() for name in ("side", "tick", "size")), strict=True)]
    position, columns = 0, [getattr(found.updates, name).tolist() for name in ("side", "tick", "size")]
    for row in range(rows):
        end = int(np.searchsorted(found.row, row, side="right"))
        updates.append(zip(*(column[position:end] for column in columns), strict=True))
        position = end
        for side, tick, size in (update for piece in updates for update in piece):
            books[side].pop(tick, None)
            if size:
                books[side][tick] = size
        updates = []
        shown.append([sorted(books[side].items(), key=lambda level, side=side: -side * level[0]) for side in (1, -1)])
        assert all(len(side) <= levels for side in shown[-1])
    assert position == len(found.updates)
    return shown


def recorded(series: BookSeries) -> list[list[list[tuple[int, float]]]]:
    book = jax.tree.map(np.asarray, series.book)
    sides = [(book.bid_price, book.bid_size), (book.ask_price, book.ask_size)]
    return [
        [
            [(round(float(p) / TICK), float(q)) for p, q in zip(price[row], size[row], strict=True) if q]
            for price, size in sides
        ]
        for row in range(len(series))
    ]


def test_by_hand() -> None:
    series = series_of(
        ([(100.01, 5.0), (100.0, 1.0)], [(100.02, 3.0)]),
        ([(100.01, 4.0), (100.0, 1.0), (99.99, 2.0)], [(100.03, 3.0)]),
        ([(100.01, 4.0), (100.0, 1.0), (99.99, 2.0)], [(100.03, 3.0)]),
        ([], [(100.03, 3.0), (100.04, 7.0)]),
    )
    found = level_updates(series)
    assert isinstance(found.snapshot, LevelUpdates)
    assert (found.updates.symbol, found.updates.tick_size) == ("XYZ", TICK)
    np.testing.assert_array_equal(found.snapshot.side, [1, 1, -1])
    np.testing.assert_array_equal(found.snapshot.tick, [10001, 10000, 10002])
    np.testing.assert_array_equal(found.snapshot.size, [5, 1, 3])
    np.testing.assert_array_equal(found.snapshot.time_ns, [0, 0, 0])
    np.testing.assert_array_equal(found.row, [1, 1, 1, 1, 3, 3, 3, 3])
    np.testing.assert_array_equal(found.updates.time_ns, found.row)
    np.testing.assert_array_equal(found.updates.side, [1, 1, -1, -1, 1, 1, 1, -1])
    np.testing.assert_array_equal(found.updates.tick, [10001, 9999, 10002, 10003, 10001, 10000, 9999, 10004])
    np.testing.assert_array_equal(found.updates.size, [4, 2, 0, 3, 0, 0, 0, 7])
    assert {found.updates.time_ns.dtype, found.updates.side.dtype, found.updates.tick.dtype} == {np.dtype(np.int64)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [1, 4])
def test_books_come_back(seed: int, levels: int) -> None:
    series = random_series(seed, 200, levels)
    found = level_updates(series)
    assert replayed(found, 200, levels) == recorded(series)
    np.testing.assert_array_equal(found.updates.time_ns, series.time_ns[found.row])
    assert (np.diff(found.row) >= 0).all()
    # nothing is said that does not change anything
    before, sizes = [{}, {}], 0
    for sides in recorded(series):
        now = [dict(side) for side in sides]
        for old, new in zip(before, now, strict=True):
            sizes += sum(old.get(tick) != new.get(tick) for tick in old | new)
        before = now
    assert len(found.snapshot) + len(found.updates) == sizes


def test_float32_and_jax_arrays() -> None:
    series = random_series(7, 100, 4, dtype=np.float32)
    series = BookSeries(series.time_ns, jax.tree.map(jnp.asarray, series.book), "XYZ", jnp.asarray(TICK))
    found = level_updates(series)
    assert found.updates.size.dtype == np.float32
    assert replayed(found, 100, 4) == recorded(series)


def test_no_books_and_empty_books() -> None:
    some = random_series(1, 10, 2)
    found = level_updates(some[:0])
    assert len(found.snapshot) == len(found.updates) == len(found.row) == 0
    found = level_updates(series_of(([], []), ([], []), ([(1.0, 1.0)], []), ([], [])))
    assert len(found.snapshot) == 0
    np.testing.assert_array_equal(found.row, [2, 3])
    np.testing.assert_array_equal(found.updates.size, [1, 0])
    assert len(level_updates(series_of(([], []))).updates) == 0


def test_books_that_cannot_be_compared() -> None:
    good, twice = ([(1.0, 1.0)], [(1.02, 1.0)]), ([(1.0, 1.0), (1.0, 2.0)], [])
    with pytest.raises(ValueError, match=r"1 of 3 unsorted, the first in row 1; lob\.clean"):
        level_updates(series_of(good, twice, good))
    with pytest.raises(ValueError, match="two prices within one tick in row 1"):
        level_updates(series_of(good, ([(1.0, 1.0), (1.0 - 1e-9, 2.0)], [])))
    with pytest.raises(ValueError, match="1 of 2 not_finite, the first in row 0"):
        level_updates(series_of(([(np.inf, 1.0)], []), good))
    with pytest.raises(ValueError, match="1 of 2 negative"):
        level_updates(series_of(([(1.0, -1.0)], []), good))
    with pytest.raises(ValueError, match=r"1 of 4 that are not, the first 1\.005 in row 1"):
        level_updates(series_of(good, ([(1.005, 1.0)], [(1.02, 1.0)])))
    with pytest.raises(ValueError, match="float32 prices up to 61837625 ticks"):
        level_updates(series_of(([(618376.28, 1.0)], []), dtype=np.float32))
    series = series_of(good, good)
    with pytest.raises(ValueError, match="1 steps back, the first after row 0"):
        level_updates(BookSeries(series.time_ns[::-1], series.book, "XYZ", TICK))
    with pytest.raises(ValueError, match="one leading axis"):
        level_updates(BookSeries(series.time_ns[None], jax.tree.map(lambda a: a[None], series.book), "XYZ", TICK))
    crossed = series_of(good, ([(1.03, 1.0)], [(1.02, 1.0)]))
    np.testing.assert_array_equal(level_updates(crossed).updates.tick, [103, 100])


def test_lobster(data: Path) -> None:
    series = io.read_books(data / "lobster/AMZN_2012-06-21_34200000_57600000_message_5.csv.gz").only()
    found = level_updates(series)
    assert len(found.updates) == 222_716
    rows = 20_000
    until = int(np.searchsorted(found.row, rows))
    first = BookDifferences(found.snapshot, found.updates[:until], found.row[:until])
    assert replayed(first, rows, 5) == recorded(series[:rows])
