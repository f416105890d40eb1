"""One set of books and metrics for all tests of the report, of the same shape as those of `tests/lob`: one compile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quantjax import lob
from quantjax.report import SymbolReport
from tests.lob.books import TICK, random_books

LEVELS, START_NS = 8, 1_340_285_400_000_000_000
METRICS = lob.BookMetrics(levels=(1, 3, 8), bands_bps=(2, 10), notionals=(500, 20_000), slippages_bps=(1, 8), decay=0.3)


def _constant(count: int, bid: tuple[float, float] | None, ask: tuple[float, float] | None) -> lob.Book:
    """The same book `count` times: one level a side, or none."""
    one = lob.Book.from_levels([bid] if bid else [], [ask] if ask else [], levels=LEVELS)
    return lob.Book(*(np.tile(a, (count, 1)) for a in (one.bid_price, one.bid_size, one.ask_price, one.ask_size)))


def _walk(count: int) -> lob.Book:
    """Whole books around a mid that walks, so that it often changes."""
    rng = np.random.default_rng(5)
    ticks = 10_000 + rng.integers(-1, 2, count).cumsum()[:, None]
    away = np.arange(LEVELS) + rng.integers(1, 4, (count, 1))
    sizes = rng.gamma(1.5, 10.0, (2, count, LEVELS))
    return lob.Book((ticks - away) * TICK, sizes[0], (ticks + away) * TICK, sizes[1])


def _series(book: lob.Book, symbol: str = "XYZ", step_ns: int = 10**8) -> lob.BookSeries:
    return lob.BookSeries(START_NS + np.arange(book.batch_shape[0]) * step_ns, book, symbol, TICK)


def _gap() -> lob.BookSeries:
    series = _series(_walk(600))
    late = np.where(np.arange(600) < 300, 0, 600 * 10**9)
    return lob.BookSeries(series.time_ns + late, series.book, "GAP", TICK)


# Books whose times are unusual, and books that are.
TIMES = ("two books of one time", "clock that went back", "long gap", "nanoseconds apart", "years apart")
BOOKS = ("walk", "random", "one book", "one-sided", "empty", "constant", "locked", "crossed", "invalid", "no books")
CASES: dict[str, Callable[[], lob.BookSeries]] = {
    "walk": lambda: _series(_walk(5_003)),
    "random": lambda: _series(random_books(3_000, LEVELS, seed=7)),
    "one book": lambda: _series(_walk(1)),
    "two books of one time": lambda: _series(_walk(2), step_ns=0),
    "clock that went back": lambda: _series(_walk(700), step_ns=-(10**8)),
    "long gap": _gap,
    "nanoseconds apart": lambda: _series(_walk(50), step_ns=3),
    "years apart": lambda: _series(_walk(50), step_ns=40 * 86400 * 10**9),
    "one-sided": lambda: _series(_constant(40, (100.0, 5.0), None)),
    "empty": lambda: _series(_constant(40, None, None)),
    "constant": lambda: _series(_constant(3_000, (100.0, 5.0), (100.01, 5.0))),
    "locked": lambda: _series(_constant(40, (100.0, 5.0), (100.0, 7.0))),
    "crossed": lambda: _series(_constant(40, (100.02, 5.0), (100.0, 7.0))),
    "invalid": lambda: _series(_constant(40, (100.0, -5.0), (100.01, 7.0))),
    "no books": lambda: _series(_walk(0)),
}


@pytest.fixture(scope="session")
def report() -> Callable[[str], SymbolReport]:
    """A named case, analysed once."""
    made: dict[str, SymbolReport] = {}

    def make(case: str) -> SymbolReport:
        if case not in made:
            series = CASES[case]()
            made[case] = SymbolReport(series, lob.analyze(series, METRICS) if len(series) else None)
        return made[case]

    return make
