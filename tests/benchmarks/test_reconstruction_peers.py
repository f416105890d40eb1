"""The peers of the reconstruction benchmark give quantjax's books: what is timed is the same problem."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.inputs import random_updates
from benchmarks.peers import reconstruction as peers
from quantjax import lob
from quantjax.lob.ticks import price_ticks

EVERY, LEVELS = 50, 5


@pytest.mark.parametrize("peer", [peers.windowed_numpy, peers.dict_book, peers.dense_numba])
def test_the_books_are_the_same(peer):
    updates = random_updates(2_000, reach=15.0)
    found = peer(updates, EVERY, LEVELS)
    book = lob.reconstruct(updates[:0], updates, updates.time_ns[EVERY - 1 :: EVERY], LEVELS).book
    for side, (price, size) in enumerate(((book.bid_price, book.bid_size), (book.ask_price, book.ask_size))):
        np.testing.assert_array_equal(found[:, side, :, 0], price_ticks(price, updates.tick_size))
        np.testing.assert_array_equal(found[:, side, :, 1], size)
    assert (found[5:, :, 0, 1] > 0).all()
