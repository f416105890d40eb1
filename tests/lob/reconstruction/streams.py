"""Random streams of updates, and what their books must be."""

from __future__ import annotations

import numpy as np

from quantjax import lob
from tests.reference.level_book import books_at


def random_stream(
    count: int, seed: int, *, reach: int = 30, drift: int = 0, lowest: int = 100_000, dtype=np.float64, tick_size=0.01
) -> tuple[lob.LevelUpdates, lob.LevelUpdates]:
    """A snapshot and `count` updates within `reach` ticks of a mid that moves `drift` ticks in all; times repeat.

    Prices are drawn without regard to the other side, so that books cross too.
    """
    rng = np.random.default_rng(seed)
    mid = lowest + np.linspace(0, drift, count).astype(np.int64) + np.cumsum(rng.integers(-1, 2, count))

    def stream(mid: np.ndarray, time_ns: np.ndarray, deleted: float) -> lob.LevelUpdates:
        side = rng.choice(np.array([-1, 1], np.int8), len(mid))
        tick = mid - side * rng.integers(0, reach, len(mid))
        size = np.where(rng.random(len(mid)) < deleted, 0.0, np.round(rng.gamma(1.5, 10.0, len(mid)), 3) + 0.001)
        return lob.LevelUpdates(time_ns, side, tick, size.astype(dtype), tick_size, "XYZ")

    snapshot = stream(np.full(2 * reach, mid[0] if count else lowest), np.zeros(2 * reach, np.int64), 0.0)
    return snapshot, stream(mid, np.sort(rng.integers(1, max(2, 5 * count), count)), 0.5)


def assert_books(series: lob.BookSeries, snapshot: lob.LevelUpdates, updates: lob.LevelUpdates, levels: int) -> None:
    """The series has exactly the books of the dict reference, absent levels as they should be."""
    expected = books_at(snapshot, updates, np.asarray(series.time_ns), levels)
    per_unit = round(1 / float(updates.tick_size))
    book, dtype = series.book, series.book.bid_size.dtype
    for number, sides in enumerate(expected):
        pairs = ((book.bid_price, book.bid_size), (book.ask_price, book.ask_size))
        for side, (price, size) in zip(sides, pairs, strict=True):
            price, size = np.asarray(price)[number], np.asarray(size)[number]
            found = list(zip(price[: len(side)].tolist(), size[: len(side)].tolist(), strict=True))
            assert found == [(float(dtype.type(tick / per_unit)), quantity) for tick, quantity in side], number
            assert np.isnan(price[len(side) :]).all()
            assert not size[len(side) :].any()
