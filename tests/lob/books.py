"""Random books for the tests: whole, thin, one-sided, empty, locked, crossed."""

from __future__ import annotations

import numpy as np

from quantjax import lob

TICK = 0.01


def random_books(count: int, levels: int, seed: int, dtype=np.float64) -> lob.Book:
    """`[count, levels]` on the tick grid: a third of them thin, some one-sided, empty, locked or crossed."""
    rng = np.random.default_rng(seed)
    best_bid = rng.integers(9_000, 11_000, count)
    best_ask = best_bid + rng.geometric(0.6, count) - rng.integers(1, 4, count) * (rng.random(count) < 0.1)
    gaps = rng.geometric(0.5, (2, count, levels))
    gaps[:, :, 0] = 0
    ticks = np.stack([best_bid[:, None] - gaps[0].cumsum(-1), best_ask[:, None] + gaps[1].cumsum(-1)])
    sizes = np.round(rng.gamma(1.5, 10.0, (2, count, levels)) + 0.001, 3)
    present = np.where(rng.random((2, count)) < 1 / 3, rng.integers(0, levels + 1, (2, count)), levels)
    absent = np.arange(levels) >= present[..., None]
    price, size = np.where(absent, np.nan, ticks * TICK), np.where(absent, 0.0, sizes)
    return lob.Book(*(a.astype(dtype) for a in (price[0], size[0], price[1], size[1])))


def as_lists(book: lob.Book, row: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """One book as two lists of (price, size) without the absent levels."""
    sides = ((book.bid_price, book.bid_size), (book.ask_price, book.ask_size))
    bids, asks = ([(float(p), float(q)) for p, q in zip(ps[row], qs[row], strict=True) if q > 0] for ps, qs in sides)
    return bids, asks
