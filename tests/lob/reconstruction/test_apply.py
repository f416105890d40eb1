"""One step at a time gives what the whole stream gives, as long as the book is deep enough."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import lob
from tests.lob.reconstruction.streams import random_stream


def test_steps_equal_the_stream():
    snapshot, updates = random_stream(600, seed=9, reach=20)
    at = np.unique(updates.time_ns)[::10]
    levels = 80  # more than there are prices
    expected = lob.reconstruct(snapshot, updates, np.concatenate([[0], at]), levels)
    book, done = expected.book[0], 0
    for number, until in enumerate(np.searchsorted(updates.time_ns, at, side="right")):
        batch = updates[done:until]
        book, done = lob.apply_updates(book, batch), until
        jax.tree.map(np.testing.assert_array_equal, book, expected.book[number + 1])


@pytest.mark.parametrize("lowest", [6_000_000, 600])
def test_float32_books_keep_their_ticks_apart(lowest: int):
    """A price of 60,000.01 in float32: its ticks are told apart, though the quotient by the tick size would not."""
    snapshot, updates = random_stream(400, seed=3, reach=20, lowest=lowest, dtype=np.float32)
    expected = lob.reconstruct(snapshot, updates, np.array([0, 5_000]), 60)
    book = lob.apply_updates(expected.book[0], updates)
    jax.tree.map(np.testing.assert_array_equal, book, expected.book[1])
    code = f"""
import jax, numpy as np
from quantjax import lob
from tests.lob.reconstruction.streams import random_stream
snapshot, updates = random_stream(400, seed=3, reach=20, lowest={lowest}, dtype=np.float32)
expected = lob.reconstruct(snapshot, updates, np.array([0, 5_000]), 60)
for step in (lob.apply_updates, jax.jit(lob.apply_updates)):
    book = step(expected.book[0], updates)
    np.testing.assert_array_equal(book.bid_size, expected.book[1].bid_size)
    np.testing.assert_array_equal(book.ask_size, expected.book[1].ask_size)
    np.testing.assert_allclose(book.bid_price, expected.book[1].bid_price, rtol=2e-7)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_faults_are_refused():
    book = lob.Book.from_levels(bids=[(1.0, 1), (0.9, 1)], asks=[(1.1, 1)], levels=2)

    def one(size: float, side: int = 1) -> lob.LevelUpdates:
        return lob.LevelUpdates(np.zeros(1, np.int64), np.array([side]), np.array([9]), np.array([size]), 0.1, "A")

    with pytest.raises(ValueError, match="1 negative"):
        lob.apply_updates(book, one(-1.0))
    with pytest.raises(ValueError, match="1 not finite"):
        lob.apply_updates(book, one(np.nan))
    with pytest.raises(ValueError, match="unknown side"):
        lob.apply_updates(book, one(1.0, side=3))
    with pytest.raises(ValueError, match="multiples of the tick size"):
        lob.apply_updates(lob.Book.from_levels(bids=[(0.94, 1)], asks=[(1.1, 1)]), one(1.0))
    for size in (-1.0, np.nan):
        assert np.isnan(jax.jit(lob.apply_updates)(book, one(size)).bid_size[1])


def test_what_falls_off_is_gone():
    book = lob.Book.from_levels(bids=[(1.0, 1), (0.9, 1)], asks=[(1.1, 1)], levels=2)

    def one(side, tick, size):
        return lob.LevelUpdates(np.zeros(1, np.int64), np.array([side]), np.array([tick]), np.array([size]), 0.1, "A")

    better = lob.apply_updates(book, one(1, 105 // 10, 2.0))
    assert better.bid_price.tolist() == [1.0, 0.9]
    higher = lob.apply_updates(book, one(1, 11, 2.0))  # crosses: kept as it is
    assert higher.bid_price.tolist() == [1.1, 1.0]
    lower = lob.apply_updates(higher, one(1, 11, 0.0))
    assert np.isnan(lower.bid_price[1])


def test_vmap_and_gradient():
    snapshot, updates = random_stream(40, seed=2)
    books = lob.reconstruct(snapshot, updates, np.array([0, 20, 60]), 4).book
    batch = updates[:8]
    mapped = jax.vmap(lob.apply_updates, in_axes=(0, None))(books, batch)
    for number in range(3):
        one = lob.apply_updates(books[number], batch)
        jax.tree.map(np.testing.assert_array_equal, mapped[number], one)

    def total(sizes):
        return lob.apply_updates(books[0], replace(batch, size=sizes)).ask_size.sum()

    sizes = jnp.asarray(np.where(batch.size > 0, batch.size, 1.0))
    gradient = jax.grad(total)(sizes)
    for row in range(len(batch)):
        moved = (total(sizes.at[row].add(1e-3)) - total(sizes.at[row].add(-1e-3))) / 2e-3
        assert float(gradient[row]) == pytest.approx(float(moved), abs=1e-9)


def test_a_batch_of_books_is_refused():
    snapshot, updates = random_stream(40, seed=2)
    books = lob.reconstruct(snapshot, updates, np.array([0, 20]), 4).book
    with pytest.raises(ValueError, match=r"got books\[2\]; use jax.vmap"):
        lob.apply_updates(books, updates)
