"""The metrics against published numbers, the slow oracle, and the laws of JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import lob
from quantjax.lob.measures import columns
from tests.assertions import assert_close
from tests.lob.books import TICK, as_lists, random_books
from tests.reference import book_metrics as oracle

# A worked book of five levels a side and its metrics, computed independently in double precision.
BOOK = lob.Book.from_levels(
    [(100.00, 5), (99.99, 10), (99.98, 20), (99.95, 15), (99.90, 50)],
    [(100.02, 3), (100.03, 8), (100.05, 12), (100.10, 30), (100.20, 40)],
    levels=7,
)
PARAMETERS = lob.BookMetrics(
    levels=(1, 3, 8), bands_bps=(2, 10), notionals=(500, 20_000), slippages_bps=(1, 8), decay=0.3
)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lob.mid, 100.01),
        (lob.spread, 0.02),
        (lob.spread_bps, 1.99980002),
        (lambda book: lob.spread_ticks(book, 0.01), 2.0),
        (lob.queue_imbalance, 0.25),
        (lob.microprice, 100.0125),
        (lambda book: lob.depth_imbalance(book, 5), 0.0362694300518),
        (lambda book: lob.vwap(book, 5).bid, 99.9375),
        (lambda book: lob.vwap(book, 5).ask, 100.127956989),
        (lambda book: lob.vamp(book, 5), 100.036182378),
        (lob.inverse_distance_imbalance, 0.211324982177),
        (lambda book: lob.decayed_imbalance(book, 0.5), 0.0786701967505),
        (lambda book: lob.band_depth(book, 5.0).bid_quote, 3499.5),
        (lambda book: lob.band_depth(book, 5.0).ask_quote, 2300.9),
        (lambda book: lob.band_depth(book, 5.0).imbalance, 0.206640921316),
        (lambda book: lob.band_depth(book, 10.0).imbalance, -0.0296185932745),
        (lambda book: lob.band_depth(book, 20.0).imbalance, 0.0353186762389),
        (lambda book: lob.fill_quantity(book, 3.0, +1).vwap, 100.02),
        (lambda book: lob.fill_quantity(book, 10.0, +1).vwap, 100.027),
        (lambda book: lob.fill_quantity(book, 25.0, +1).vwap, 100.044),
        (lambda book: lob.fill_quantity(book, 25.0, +1).impact_bps, 3.39966003),
        (lambda book: lob.fill_quantity(book, 200.0, +1).vwap, 100.127956989),
        (lambda book: lob.fill_quantity(book, 200.0, +1).quantity, 93.0),
        (lambda book: lob.fill_quantity(book, 200.0, +1).unfilled, 107.0),
        (lambda book: lob.fill_notional(book, 1000.0, +1).vwap, 100.02699919),
        (lambda book: lob.fill_notional(book, 1000.0, +1).quantity, 9.99730080976),
        (lambda book: lob.fill_notional(book, 1000.0, +1).last_price, 100.03),
        (lambda book: lob.fill_notional(book, 1000.0, +1).impact_bps, 1.69974903),
        (lambda book: lob.fill_notional(book, 1000.0, -1).vwap, 99.99499975),
        (lambda book: lob.fill_notional(book, 1000.0, -1).impact_bps, 1.49987501),
        (lambda book: lob.fill_notional(book, 5000.0, +1).vwap, 100.071979846),
        (lambda book: lob.fill_notional(book, 5000.0, +1).impact_bps, 6.19736483),
        (lambda book: lob.fill_notional(book, 5000.0, -1).vwap, 99.9749812359),
        (lambda book: lob.fill_notional(book, 5000.0, -1).impact_bps, 3.50152625),
        (lambda book: lob.round_trip_cost_bps(book, 5000.0), 6.19736483 + 3.50152625),
        (lambda book: lob.fillable_notional(book, 6.19736482788, +1), 5000.0),
        (lambda book: lob.entropy(book).bid, 1.33307429348),
        (lambda book: lob.entropy(book).ask, 1.31387531454),
        (lambda book: lob.entropy(book).joint, 2.01631227252),
        (lambda book: lob.entropy(book, normalised=True).bid, 1.33307429348 / np.log(5)),
        (lambda book: lob.slope(book).bid, 9.15735736),
        (lambda book: lob.slope(book).ask, 4.95462385),
        (lambda book: lob.convexity(book).bid, -0.0505340574),
        (lambda book: lob.convexity(book).ask, -0.1205140266),
        (lambda book: lob.origin_slope(book).bid, 9.00674854),
        (lambda book: lob.origin_slope(book).ask, 5.09986199),
        (lambda book: lob.naes_skjeltorp_slope(book).bid, 5347.81499),
        (lambda book: lob.naes_skjeltorp_slope(book).ask, 5005.83278),
    ],
)
def test_worked_book(function, expected):
    # The expected numbers are printed to nine digits or more.
    np.testing.assert_allclose(function(BOOK), expected, rtol=3e-9, atol=3e-9)


@pytest.fixture(scope="module")
def books() -> lob.Book:
    return random_books(400, 8, seed=5)


@pytest.fixture(scope="module")
def measured(books):
    return jax.jit(lambda book: lob.measure(book, TICK, PARAMETERS))(books)


def test_every_metric_equals_the_oracle(books, measured):
    expected = [oracle.all_metrics(*as_lists(books, row), TICK, PARAMETERS) for row in range(len(books.bid_price))]
    names = dict(columns(measured))
    assert set(names) - {"valid"} == set(expected[0])
    for name, array in names.items():
        if name == "valid":
            assert np.asarray(array).all()
            continue
        # Bisection and least squares by another route agree to fewer digits.
        scale = 1e4 if "fillable" in name or "slope" in name or "convexity" in name or "cost" in name else 100.0
        array = np.asarray(array)
        assert_close(array, np.array([row[name] for row in expected], array.dtype), scale=scale, what=name)


def test_eager_equals_jit_and_vmap_equals_loop_and_level_first(books, measured):
    eager = lob.measure(books[:20], TICK, PARAMETERS)
    one_by_one = [lob.measure(books[row], TICK, PARAMETERS) for row in range(2)]
    level_first = jax.vmap(lambda book: lob.measure(book, TICK, PARAMETERS), in_axes=-1)(
        jax.tree.map(np.transpose, books)
    )
    cube = lob.measure(jax.tree.map(lambda a: a[:20].reshape(4, 5, -1), books), TICK, PARAMETERS)
    for name, array in columns(measured):
        assert_close(dict(columns(eager))[name], array[:20], scale=1e3, what=name)
        assert_close(dict(columns(level_first))[name], array, scale=1e3, what=name)
        assert_close(np.stack([dict(columns(m))[name] for m in one_by_one]), array[:2], scale=1e3, what=name)
        assert_close(np.asarray(dict(columns(cube))[name]).reshape(20), array[:20], scale=1e3, what=name)


def test_gradients_equal_finite_differences():
    inner = jax.tree.map(jnp.asarray, BOOK.top(5))
    for function in (
        lob.microprice,
        lambda b: lob.vamp(b, 3),
        lob.inverse_distance_imbalance,
        lambda b: lob.exponential_distance_imbalance(b, 5.0),
        lambda b: lob.fill_notional(b, 3000.0, +1).vwap,
        lambda b: lob.fillable_notional(b, 4.0, -1),
        lambda b: lob.slope(b).bid,
        lambda b: lob.convexity(b).ask,
        lambda b: lob.entropy(b).joint,
        lambda b: lob.naes_skjeltorp_slope(b).bid,
    ):
        gradient = jax.grad(function)(inner)
        direction = jax.tree.map(lambda a: jnp.cos(jnp.arange(a.size) + a.sum()), inner)
        along = lambda h: function(jax.tree.map(lambda a, d: a + h * d, inner, direction))  # noqa: B023, E731
        slope = (along(1e-6) - along(-1e-6)) / 2e-6
        total = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
        np.testing.assert_allclose(total, slope, rtol=1e-5)


def test_gradients_stay_finite_where_levels_are_absent():
    book = jax.tree.map(jnp.asarray, BOOK)
    for function in (
        lob.inverse_distance_imbalance,
        lambda b: lob.exponential_distance_imbalance(b, 5.0),
        lambda b: lob.vamp(b, 7),
        lambda b: lob.band_depth(b, 10.0).imbalance,
        lambda b: lob.fill_notional(b, 2000.0, +1).vwap,
        lambda b: lob.fillable_notional(b, 5.0, -1),
        lambda b: lob.entropy(b).joint,
        lambda b: lob.slope(b).bid,
        lambda b: lob.origin_slope(b).bid,
        lambda b: lob.convexity(b).ask,
        lambda b: lob.naes_skjeltorp_slope(b).bid,
        lambda b: lob.naes_skjeltorp_slope(b).ask,
        lambda b: lob.centre_of_mass_bps(b).bid,
        lambda b: lob.concentration(b).ask,
        lambda b: lob.reach_bps(b).ask,
    ):
        gradient = jax.grad(function)(book)
        for leaf in (gradient.bid_size[:5], gradient.ask_size[:5], gradient.bid_price[:5]):
            assert jnp.isfinite(leaf).all()


def test_one_trace_for_many_calls(books):
    traces = 0

    @jax.jit
    def kernel(book):
        nonlocal traces
        traces += 1
        return lob.measure(book, TICK, PARAMETERS)

    kernel(books[:50])
    kernel(books[50:100])
    assert traces == 1


@pytest.mark.parametrize(
    ("bids", "asks"), [([], []), ([(100.0, 1.0)], []), ([], [(100.0, 1.0)])], ids=["empty", "no asks", "no bids"]
)
def test_books_without_a_side_give_nan_not_numbers(bids, asks):
    book = lob.Book.from_levels(bids, asks, 3)
    for function in (lob.mid, lob.spread, lob.microprice, lob.queue_imbalance, lambda b: lob.vamp(b, 2)):
        assert np.isnan(function(book))
    assert np.isnan(lob.band_depth(book, 10.0).bid_base)
    assert np.isnan(lob.round_trip_cost_bps(book, 10.0))
    assert lob.fill_notional(book, 1000.0, +1).unfilled == (900.0 if asks else 1000.0)
    assert bool(lob.flags(book).one_sided)
    assert bool(lob.flags(book).valid)


def test_locked_and_crossed_books():
    locked = lob.Book.from_levels([(100.0, 1.0)], [(100.0, 2.0)])
    assert lob.spread(locked) == 0
    assert np.isnan(lob.inverse_distance_imbalance(locked))
    crossed = lob.Book.from_levels([(100.1, 1.0)], [(100.0, 2.0)])
    np.testing.assert_allclose(lob.spread(crossed), -0.1)
    assert bool(lob.flags(crossed).crossed)
    assert bool(lob.flags(locked).locked)


def test_round_trip_is_nan_where_a_side_cannot_fill():
    assert np.isnan(lob.round_trip_cost_bps(BOOK, 9_500.0))
    assert np.isfinite(lob.round_trip_cost_bps(BOOK, 9_300.0))


def test_boundaries_of_the_walk():
    # An order that takes a level to the last unit; one of nothing; one larger than the book.
    exact = lob.fill_quantity(BOOK, 11.0, +1)
    assert (exact.last_price, exact.unfilled, exact.quantity) == (100.03, 0.0, 11.0)
    nothing = lob.fill_quantity(BOOK, 0.0, +1)
    assert np.isnan(nothing.vwap)
    assert nothing.quantity == 0
    with pytest.raises(ValueError, match=r"side \+1 .* got 0"):
        lob.fill_quantity(BOOK, 1.0, 0)


def test_band_boundary_is_inside():
    # 5 bps of a mid of 100 is 0.05: every price stands on the boundary, in binary sometimes beyond it.
    for mid_ticks in range(10_000, 10_400, 7):
        mid = mid_ticks * 0.01
        width = mid * 5e-4
        book = lob.Book.from_levels([(mid - width, 2.0)], [(mid + width, 3.0)])
        depth = lob.band_depth(book, 5.0)
        assert (depth.bid_base, depth.ask_base) == (2.0, 3.0)


def test_float32_is_as_good_as_its_digits(books):
    single = jax.tree.map(lambda a: a.astype(np.float32), books)
    exact = lob.measure(jax.tree.map(lambda a: a.astype(np.float64), single), TICK, PARAMETERS)
    result = lob.measure(single, TICK, PARAMETERS)
    for name in ("mid", "microprice", "queue_imbalance", "decayed_imbalance", "bid_entropy", "bid_concentration"):
        assert getattr(result, name).dtype == np.float32
        assert_close(getattr(result, name), np.asarray(getattr(exact, name), np.float32))


def test_bad_parameters():
    with pytest.raises(ValueError, match="integer >= 1, got 0"):
        lob.depth_imbalance(BOOK, 0)
    with pytest.raises(ValueError, match="bands_bps > 0"):
        lob.BookMetrics(bands_bps=(5, -1))
    with pytest.raises(ValueError, match=r"integer >= 1, got 2\.5"):
        lob.BookMetrics(levels=(2.5,))  # type: ignore[arg-type]


def test_negative_amounts_give_nan():
    fill = lob.fill_notional(BOOK, -500.0, +1)
    assert np.isnan([fill.vwap, fill.quantity, fill.unfilled]).all()


def test_column_names_are_exact_and_repeats_are_refused():
    measured = lob.measure(BOOK, 0.01, lob.BookMetrics(notionals=(1_234_567, 1_234_568, 1e6, 0.5)))
    names = dict(columns(measured))
    assert {"buy_vwap_1234567", "buy_vwap_1234568", "buy_vwap_1000000", "buy_vwap_0.5"} <= set(names)
    with pytest.raises(ValueError, match="bands_bps without repeats"):
        lob.BookMetrics(bands_bps=(10, 10.0))


def test_reach():
    np.testing.assert_allclose(lob.reach_bps(BOOK).bid, 1e4 * 0.11 / 100.01)
    assert np.isnan(lob.reach_bps(lob.Book.from_levels([(1.0, 1.0)], [])).bid)
