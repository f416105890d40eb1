"""Order flow and its sums against the slow oracle, worked numbers, and the laws of JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import lob
from quantjax.lob import flow
from tests.assertions import assert_close
from tests.lob.books import TICK, random_books
from tests.reference import order_flow as oracle

ROWS, LEVELS = 60, 4
kernel = jax.jit(flow.order_flow_series)


def dicts(book: lob.Book) -> list[dict]:
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    return [{name: getattr(book, name)[row].tolist() for name in names} for row in range(len(book.bid_price))]


def walking_books(seed=3) -> lob.Book:
    """Books whose quotes often stay: one book in two repeats the prices of the one before it."""
    book = random_books(ROWS, LEVELS, seed)
    rows = np.maximum.accumulate(np.where(np.random.default_rng(seed).random(ROWS) < 0.5, np.arange(ROWS), 0))
    prices = book[rows]
    sizes = [np.where(np.isnan(price), 0.0, np.where(size > 0, size, 1.0))
             for price, size in ((prices.bid_price, book.bid_size), (prices.ask_price, book.ask_size))]  # fmt: skip
    return lob.Book(prices.bid_price, sizes[0], prices.ask_price, sizes[1])


def series(book: lob.Book | None = None, seed=1) -> lob.BookSeries:
    book = walking_books() if book is None else book
    times = np.sort(np.random.default_rng(seed).integers(0, 100, len(book.bid_price)).astype(np.int64))
    return lob.BookSeries(times, book, "XYZ", TICK)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        # Bid: same price and more size; higher; lower. Ask: same price, lower, higher. As in the paper's section 2.1.
        (([(10.0, 5)], [(11.0, 4)]), ([(10.0, 8)], [(11.0, 4)]), 3.0),
        (([(10.0, 5)], [(11.0, 4)]), ([(10.5, 2)], [(11.0, 4)]), 2.0),
        (([(10.0, 5)], [(11.0, 4)]), ([(9.5, 7)], [(11.0, 4)]), -5.0),
        (([(10.0, 5)], [(11.0, 4)]), ([(10.0, 5)], [(11.0, 1)]), 3.0),
        (([(10.0, 5)], [(11.0, 4)]), ([(10.0, 5)], [(10.5, 1)]), -1.0),
        (([(10.0, 5)], [(11.0, 4)]), ([(10.0, 5)], [(12.0, 9)]), 4.0),
        # A side that goes, one that comes, and none at all.
        (([(10.0, 5)], [(11.0, 4)]), ([], [(11.0, 4)]), -5.0),
        (([(10.0, 5)], []), ([(10.0, 5)], [(11.0, 4)]), -4.0),
        (([], []), ([], []), 0.0),
    ],
)
def test_worked_events(before, now, expected):
    assert flow.order_flow(lob.Book.from_levels(*before), lob.Book.from_levels(*now)) == expected


def test_equals_the_oracle_and_transforms():
    book = walking_books()
    result = kernel(book)
    rows = dicts(book)
    expected = [[0.0] * LEVELS] + [oracle.event_flow(*pair) for pair in pairwise(rows)]
    assert_close(result, np.array(expected))
    assert_close(flow.order_flow_series(book), result)
    assert_close(jax.vmap(flow.order_flow)(book[:-1], book[1:]), result[1:])
    assert_close(flow.order_flow(book[0], book[1:]), jax.vmap(flow.order_flow, (None, 0))(book[0], book[1:]))
    assert_close(flow.order_flow_series(series(book)), result)
    halves = jax.tree.map(lambda array: array.reshape(2, ROWS // 2, LEVELS), book)
    batched = np.asarray(jax.vmap(flow.order_flow_series)(halves)).reshape(ROWS, LEVELS)
    assert_close(np.delete(batched, ROWS // 2, 0), np.delete(np.asarray(result), ROWS // 2, 0))
    traces = 0

    @jax.jit
    def counted(book):
        nonlocal traces
        traces += 1
        return flow.order_flow_series(book)

    counted(book)
    counted(book)
    assert traces == 1


def test_gradient_by_size_is_the_difference_and_by_price_nothing():
    book = jax.tree.map(jnp.asarray, walking_books())
    weight = jnp.cos(jnp.arange(ROWS * LEVELS)).reshape(ROWS, LEVELS)

    def weighed(book):
        return (weight * flow.order_flow_series(book)).sum()

    gradient = jax.jit(jax.grad(weighed))(book)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert not gradient.bid_price.any()
    step = 1e-6 * (book.bid_size > 0)
    moved = [lob.Book(book.bid_price, book.bid_size + h * step, book.ask_price, book.ask_size) for h in (1, -1)]
    np.testing.assert_allclose((gradient.bid_size * step).sum() * 2, weighed(moved[0]) - weighed(moved[1]), rtol=1e-6)


@pytest.mark.parametrize("bad", ["nan size", "negative size", "infinite price", "price missing"])
def test_what_is_invalid_is_nan(bad):
    book = walking_books()
    price, size = book.bid_price.copy(), book.bid_size.copy()
    price[7, 0], size[7, 0] = {
        "nan size": (100.0, np.nan),
        "negative size": (100.0, -1.0),
        "infinite price": (np.inf, 1.0),
        "price missing": (np.nan, 1.0),
    }[bad]
    result = np.asarray(kernel(lob.Book(price, size, book.ask_price, book.ask_size)))
    assert np.isnan(result[[7, 8], 0]).all()
    assert np.isnan(result).sum() == 2


@pytest.mark.parametrize(
    "edges", [[0, 10, 20, 50, 99], [-20, -10, 30, 31, 32, 60, 200], [5, 6]], ids=["inside", "beyond", "one"]
)
def test_intervals_equal_the_oracle(edges):
    books = series()
    result = flow.order_flow_imbalance(books, np.array(edges), levels=LEVELS)
    expected = oracle.interval_flow(books.time_ns.tolist(), dicts(books.book), edges, TICK)
    for name in ("ofi", "depth", "num_events", "mid_change"):
        wanted = np.array([row[name] for row in expected])
        assert_close(getattr(result, name), wanted.astype(getattr(result, name).dtype), scale=100, what=name)
    assert result.num_left_out + result.num_events.sum() == ROWS - 1
    first, last = books.time_ns[[0, -1]]
    assert result.num_before_first_book == sum(edge < first for edge in edges[:-1])
    assert result.num_beyond_last_book == sum(edge > last for edge in edges[1:])
    assert len(result) == len(edges) - 1
    assert_close(np.diff(result.mid) / TICK, result.mid_change, scale=100)
    mean = result.depth.mean(1, keepdims=True)
    assert_close(result.normalised, np.where(mean > 0, result.ofi / np.where(mean > 0, mean, 1), np.nan))
    table = result.to_pandas()
    assert list(table.columns[:4]) == ["num_events", "mid", "mid_change", "ofi_1"]
    assert_close(table["ofi_2"].to_numpy(), result.ofi[:, 1])


def test_beyond_the_books_nothing_is_known():
    books = series()
    first, last = books.time_ns[[0, -1]]
    inside = np.linspace(first, last, 12).astype(np.int64)
    beyond = np.concatenate([[first - 9, first - 5], inside, last + np.arange(1, 30)])
    short, long = (flow.order_flow_imbalance(books, edges) for edges in (inside, beyond))
    assert (long.num_before_first_book, long.num_beyond_last_book) == (2, 29)
    assert (short.num_before_first_book, short.num_beyond_last_book) == (0, 0)
    outside = np.concatenate([[0, 1], 13 + np.arange(29)])
    for name in ("ofi", "depth", "mid_change"):
        values = getattr(long, name)
        assert np.isnan(values[outside]).all()
        np.testing.assert_array_equal(np.delete(values, outside, 0), getattr(short, name))
    assert np.isnan(long.mid[[0, 1, *range(14, 43)]]).all()
    fits = flow.price_impact(short), flow.price_impact(long)
    assert [int(fit.num_dropped) for fit in fits] == [int(np.isnan(short.mid_change).sum()) + n for n in (0, 31)]
    np.testing.assert_array_equal(fits[0].std_error, fits[1].std_error)


@pytest.mark.parametrize(("base", "tick"), [(6_113_455, 0.01), (611_345, 0.1), (20_000_000, 0.01)])
def test_changes_of_float32_mids_are_whole_half_ticks(base, tick):
    rng = np.random.default_rng(5)
    bid = base + np.cumsum(rng.integers(-1, 2, 300))
    both = [
        lob.Book(*(np.full((300, 1), 1.0, dtype) if price is None else (price * tick).astype(dtype)[:, None]
                   for price in (bid, None, bid + 1, None)))
        for dtype in (np.float64, np.float32)
    ]  # fmt: skip
    exact, single = (
        flow.order_flow_imbalance(lob.BookSeries(np.arange(300), book, "XYZ", tick), np.arange(300)).mid_change
        for book in both
    )
    assert single.dtype == np.float32
    np.testing.assert_array_equal(exact, np.diff(bid))
    if base < 10_000_000:
        np.testing.assert_array_equal(single, exact)
    else:  # at 200,000 a float32 is worth one and a half ticks: nothing is made up
        assert np.abs(single - exact).max() > 0.5


def test_sums_by_count_add_up_and_nothing_looks_ahead():
    books = series()
    by_count = flow.order_flow_imbalance_by_count(books, 7, levels=2)
    events = np.asarray(kernel(books.book))[:, :2]
    assert_close(by_count.ofi, np.stack([events[1 + 7 * k : 8 + 7 * k].sum(0) for k in range(8)]), scale=100)
    assert by_count.num_left_out == ROWS - 1 - 56
    assert (by_count.num_events == 7).all()
    # What happens after an edge changes nothing before it.
    edges = np.array([0, 20, 40, 60])
    past = books[books.time_ns <= 40]
    early, whole = (flow.order_flow_imbalance(part, edges) for part in (past, books))
    assert_close(early.ofi[:2], whole.ofi[:2])
    assert_close(early.mid_change[:2], whole.mid_change[:2])


def test_an_invalid_book_spoils_its_interval_alone():
    book = walking_books()
    size = book.bid_size.copy()
    size[10, 0] = np.nan
    books = series(lob.Book(book.bid_price, size, book.ask_price, book.ask_size))
    result = flow.order_flow_imbalance(books, books.time_ns[0] + np.arange(0, 90, 5))
    bad = np.isnan(result.ofi[:, 0])
    assert 1 <= bad.sum() <= 2


def test_float32_also_without_x64():
    single = jax.tree.map(lambda array: array.astype(np.float32), walking_books())
    result = flow.order_flow_imbalance(series(single), np.array([0, 50, 99]), levels=LEVELS)
    assert result.ofi.dtype == result.depth.dtype == result.mid_change.dtype == np.float32
    assert_close(result.ofi, flow.order_flow_imbalance(series(), np.array([0, 50, 99]), levels=LEVELS).ofi, scale=1e6)
    code = (
        "import numpy as np; from quantjax import lob; from quantjax.lob import flow;"
        "p = np.array([[1], [2], [2]], np.float32); book = lob.Book(p, p + 4, p + 1, p + 5);"
        "series = lob.BookSeries(np.array([0, 10**18, 2 * 10**18]), book, 'XYZ', 1.0);"
        "result = flow.order_flow_imbalance(series, np.array([0, 10**18, 2 * 10**18]));"
        "assert result.ofi.dtype == np.float32; assert result.ofi.ravel().tolist() == [12.0, 0.0];"
        "model = flow.fit_stoikov_microprice(series, imbalance_bins=3, max_spread_ticks=2);"
        "assert model(book).dtype == np.float32\n"
        "double = np.ones((3, 2))\n"
        "for call in (lambda: flow.normalised_order_flow(double, double), lambda: flow.predictor_errors(p, p, double),"
        " lambda: flow.fit_integrated_order_flow(double)):\n"
        "    try: call()\n"
        "    except ValueError as error: assert 'jax_enable_x64' in str(error)\n"
        "    else: raise AssertionError"
    )
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)


def test_bad_inputs():
    book, books = walking_books(), series()
    with pytest.raises(ValueError, match="as many levels, got 4 and 2"):
        flow.order_flow(book, book.top(2))
    with pytest.raises(ValueError, match=r"books \[time, level\], got leading axes \[\]"):
        flow.order_flow_series(book[0])
    with pytest.raises(TypeError, match="int64 nanoseconds, got float64"):
        flow.order_flow_imbalance(books, np.array([0.0, 1.0]))
    for edges in ([3], [1, 1], [2, 1]):
        with pytest.raises(ValueError, match="strictly increasing"):
            flow.order_flow_imbalance(books, np.array(edges))
    with pytest.raises(ValueError, match="steps back"):
        flow.order_flow_imbalance(books[::-1], np.array([0, 1]))
    with pytest.raises(ValueError, match="levels <= 4, got 5"):
        flow.order_flow_imbalance(books, np.array([0, 1]), levels=5)
    with pytest.raises(ValueError, match="at least one"):
        flow.order_flow_imbalance(books[:0], np.array([0, 1]))
    with pytest.raises(ValueError, match="num_events as an integer >= 1, got 0"):
        flow.order_flow_imbalance_by_count(books, 0)
    with pytest.raises(ValueError, match="more than 60 books"):
        flow.order_flow_imbalance_by_count(books, 60)
    assert flow.order_flow_series(book[:0]).shape == (0, LEVELS)


def test_integrated_order_flow():
    rng = np.random.default_rng(4)
    common = rng.normal(size=(80, 1))
    normalised = common * [1.0, 0.8, 0.7, 0.2] + 0.3 * rng.normal(size=(80, 4)) + [0.0, 1.0, 0.0, -1.0]
    normalised[5, 2] = np.nan
    fit = jax.jit(flow.fit_integrated_order_flow)
    for sample in (normalised, -normalised):
        model = fit(sample)
        weights, share = oracle.first_component(sample.tolist())
        assert_close(model.weights, weights, scale=1e3)
        assert_close(model.explained_variance_ratio, share, scale=1e3)
        assert (model.num_intervals, model.num_dropped) == (79, 1)
    np.testing.assert_allclose(np.abs(model.weights).sum(), 1)
    assert_close(model(sample), sample @ weights, scale=1e3)
    assert np.isnan(fit(np.full((80, 4), 0.1)).weights).all()
    assert np.isnan(fit(np.full((80, 4), np.nan)).weights).all()
    gradient = jax.jit(jax.grad(lambda x: flow.fit_integrated_order_flow(x).weights[0]))(jnp.asarray(normalised))
    assert jnp.isfinite(gradient).all()
    with pytest.raises(ValueError, match=r"\[interval, level\], got shape \[4\]"):
        flow.fit_integrated_order_flow(normalised[0])
