from __future__ import annotations

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import lob

BIDS, ASKS = [(100.0, 5.0), (99.99, 10.0)], [(100.02, 3.0)]


def test_from_levels_pads_and_cuts():
    book = lob.Book.from_levels(BIDS, ASKS, 3)
    np.testing.assert_array_equal(book.bid_price, [100.0, 99.99, np.nan])
    np.testing.assert_array_equal(book.ask_size, [3.0, 0.0, 0.0])
    assert lob.Book.from_levels(BIDS, ASKS, 1).levels == 1
    assert lob.Book.from_levels(BIDS, ASKS).levels == 2
    assert lob.Book.from_levels([], []).levels == 1


def test_from_levels_takes_decimal_strings_and_leaves_out_empty_levels():
    book = lob.Book.from_levels([("100.0", "5"), ("99.99", "0")], ASKS, 2)  # type: ignore[list-item]
    np.testing.assert_array_equal(book.bid_price, [100.0, np.nan])


@pytest.mark.parametrize("bids", [[(100.0,)], [("abc", 1)], [(None, 1)], [100.0]])
def test_from_levels_says_what_is_wrong(bids):
    with pytest.raises(ValueError, match=r"expected bids as \(price, size\) pairs"):
        lob.Book.from_levels(bids, ASKS)


def test_constructor_checks_shapes_and_dtypes():
    good = np.ones((4, 3))
    with pytest.raises(ValueError, match=r"one shape .* ask_size float64\[4, 2\]"):
        lob.Book(good, good, good, good[:, :2])
    with pytest.raises(ValueError, match="one dtype"):
        lob.Book(good, good.astype(np.float32), good, good)
    with pytest.raises(TypeError, match=r"bid_size as a floating array, got int64; .*tick_size"):
        lob.Book(good, good.astype(int), good, good)
    with pytest.raises(TypeError, match=r"got list; Book\.from_levels"):
        lob.Book([1.0], [1.0], [2.0], [1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one level"):
        lob.Book(*[np.ones((4, 0))] * 4)
    with pytest.raises(ValueError, match="at least one level"):
        lob.Book(*[np.ones(())] * 4)


def test_book_is_made_under_tracing_and_is_a_pytree():
    book = lob.Book.from_levels(BIDS, ASKS, 3)
    doubled = jax.jit(lambda b: lob.Book(b.bid_price * 2, b.bid_size, b.ask_price * 2, b.ask_size))(book)
    np.testing.assert_array_equal(doubled.bid_price[:2], [200.0, 199.98])
    gradient = jax.grad(lambda b: lob.microprice(b))(jax.tree.map(jnp.asarray, book))
    assert isinstance(gradient, lob.Book)


def test_indexing_keeps_the_levels():
    books = jax.tree.map(lambda a: np.broadcast_to(a, (6, 4, 3)), lob.Book.from_levels(BIDS, ASKS, 3))
    assert books[2].batch_shape == (4,)
    assert books[1:3, 0].batch_shape == (2,)
    assert books.top(1).levels == 1
    with pytest.raises(IndexError, match="got one book"):
        lob.Book.from_levels(BIDS, ASKS)[0]
    with pytest.raises(ValueError, match="1 <= levels <= 3"):
        books.top(4)


def test_series():
    books = jax.tree.map(lambda a: np.broadcast_to(a, (6, 3)), lob.Book.from_levels(BIDS, ASKS, 3))
    series = lob.BookSeries(np.arange(6), books, "XYZ", 0.01)
    assert len(series) == 6
    assert len(series[2:4]) == 2
    assert series[np.array([0, 5])].symbol == "XYZ"
    with pytest.raises(ValueError, match=r"one time for each book, got time_ns\[5\]"):
        lob.BookSeries(np.arange(5), books, "XYZ", 0.01)
    with pytest.raises(TypeError, match="int64 nanoseconds, got float64"):
        lob.BookSeries(np.arange(6.0), books, "XYZ", 0.01)
    with pytest.raises(ValueError, match="tick_size > 0"):
        lob.BookSeries(np.arange(6), books, "XYZ", 0.0)
    with pytest.raises(TypeError, match=r"series\.book\[2\] is that book"):
        series[2]  # type: ignore[index]


def test_float64_without_x64_is_refused_and_float32_works():
    code = (
        "import numpy as np; from quantjax import lob\n"
        "one = np.ones(2)\n"
        "try: lob.Book(one, one, one + 1, one)\n"
        "except ValueError as error: assert 'jax_enable_x64' in str(error), error\n"
        "else: raise SystemExit('float64 was taken')\n"
        "book = lob.Book.from_levels([(100.0, 5.0)], [(100.02, 3.0)], dtype=np.float32)\n"
        "assert lob.microprice(book).dtype == np.float32 and abs(float(lob.microprice(book)) - 100.0125) < 1e-5\n"
        "assert all(a.dtype != np.float64 for a in __import__('jax').tree.leaves(lob.measure(book, 0.01)))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names():
    for name in lob.__all__:
        assert getattr(lob, name).__doc__, name
    assert eqx.is_array(lob.measure(lob.Book.from_levels(BIDS, ASKS), 0.01).mid)


def test_a_series_where_a_book_is_wanted():
    book = lob.Book.from_levels([(1.0, 1)], [(1.1, 1)])
    series = lob.BookSeries(np.zeros(1, np.int64), jax.tree.map(lambda array: array[None], book), "XYZ", 0.1)
    with pytest.raises(TypeError, match=r"expected a lob.Book, got BookSeries; .* its \.book"):
        lob.mid(series)  # type: ignore[arg-type]
