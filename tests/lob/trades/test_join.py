"""Trades joined to the book that stood before them."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from quantjax import lob
from quantjax.lob.trades import TradeSeries, future_mids, join_trades, sign_trades, trade_costs
from quantjax.lob.trades.join import as_of_rows
from tests.lob.trades.inputs import random_series, random_trades
from tests.reference import trade_metrics as oracle

SECOND = 10**9


@pytest.mark.parametrize("allow_equal", [False, True])
def test_join_equals_the_oracle(allow_equal):
    trades, series = random_trades(1), random_series(2)
    joined = join_trades(trades, series, allow_equal=allow_equal)
    mid = np.asarray(lob.mid(series.book))
    book = series.book
    for i, at in enumerate(trades.time_ns):
        row = oracle.as_of_row(series.time_ns, at, allow_equal)
        assert joined.row[i] == row
        assert joined.before_first_book[i] == (row < 0)
        assert joined.after_last_book[i] == (at > series.time_ns[-1])
        if row < 0:
            assert np.isnan([joined.mid[i], joined.bid[i], joined.ask[i], joined.age_s[i]]).all()
            continue
        assert joined.age_s[i] == 1e-9 * (at - series.time_ns[row])
        np.testing.assert_equal(joined.mid[i], mid[row])
        np.testing.assert_equal(joined.bid[i], book.bid_price[row, 0])
        np.testing.assert_equal(joined.ask_size[i], book.ask_size[row, 0])
        assert joined.one_sided[i] == (min(book.bid_size[row, 0], book.ask_size[row, 0]) == 0)
        assert joined.crossed[i] == (book.ask_price[row, 0] < book.bid_price[row, 0])
    counts = joined.counts
    assert counts["joined"] + counts["before_first_book"] == counts["trades"] == len(trades)
    assert min(counts[name] for name in ("before_first_book", "after_last_book", "one_sided", "crossed")) > 0


def test_no_look_ahead():
    # A book at the very time of a trade, or later, must not change what is joined to it.
    trades, series = random_trades(1), random_series(2)
    for i in (30, 60, 90):
        past = series[series.time_ns < trades.time_ns[i]]
        assert join_trades(trades, past).row[i] == join_trades(trades, series).row[i]


def test_trades_that_go_back_in_time_are_joined_by_their_own_time():
    trades, series = random_trades(1), random_series(2)
    order = np.random.default_rng(0).permutation(len(trades))
    shuffled, joined = join_trades(trades[order], series), join_trades(trades, series)
    np.testing.assert_array_equal(shuffled.row, joined.row[order])
    assert shuffled.counts["clock_went_back"] == np.count_nonzero(np.diff(trades.time_ns[order]) < 0) > 0


def test_blocks_and_threads_equal_one_search():
    rng = np.random.default_rng(3)
    times, at = (np.sort(rng.integers(0, 50_000, count)) for count in (30_000, 50_000))
    for allow_equal, side in ((False, "left"), (True, "right")):
        np.testing.assert_array_equal(
            as_of_rows(times, at, allow_equal=allow_equal), np.searchsorted(times, at, side) - 1
        )


def test_old_books_and_delayed_quotes():
    trades, series = random_trades(1), random_series(2)
    joined = join_trades(trades, series, max_age_s=5e-9)
    old = join_trades(trades, series).age_s > 5e-9
    np.testing.assert_array_equal(joined.too_old, old)
    assert (joined.row[old] == -1).all()
    assert np.isnan(joined.mid[old]).all()
    assert joined.counts["too_old"] == old.sum() > 0
    delayed = join_trades(trades, series, quote_delay_s=50e-9)
    expected = [oracle.as_of_row(series.time_ns, at - 50, False) for at in trades.time_ns]
    np.testing.assert_array_equal(delayed.row, expected)


def test_future_mids_equal_the_oracle():
    trades, series = random_trades(1), random_series(2)
    found = future_mids(trades.time_ns, series, 40e-9)
    mid = np.asarray(lob.mid(series.book))
    for i, at in enumerate(trades.time_ns + 40):
        row = oracle.as_of_row(series.time_ns, at, True)
        beyond = at > series.time_ns[-1]
        assert found.beyond_last_book[i] == beyond
        np.testing.assert_equal(found.mid[i], np.nan if beyond or row < 0 else mid[row])
    counts = found.counts
    assert counts.pop("too_old") == 0
    assert min(counts.values()) > 0
    assert np.isnan(found.mid).sum() == sum(counts.values())


def test_old_books_are_no_future_mids():
    trades, series = random_trades(1), random_series(2)
    every, fresh = (
        future_mids(trades.time_ns, series, 40e-9),
        future_mids(trades.time_ns, series, 40e-9, max_age_s=5e-9),
    )
    row = np.array([oracle.as_of_row(series.time_ns, at, True) for at in trades.time_ns + 40])
    old = (row >= 0) & ~every.beyond_last_book & (trades.time_ns + 40 - series.time_ns[row] > 5)
    np.testing.assert_array_equal(fresh.too_old, old)
    assert fresh.counts["too_old"] == old.sum() > 0
    np.testing.assert_array_equal(fresh.mid, np.where(old, np.nan, every.mid))
    assert not (fresh.one_sided & old).any()


def test_times_at_the_ends_of_int64_do_not_wrap():
    series, limits = random_series(2), np.iinfo(np.int64)
    found = future_mids(np.array([limits.max - 1]), series, 1.0)
    assert found.beyond_last_book.tolist() == [True]
    assert found.before_first_book.tolist() == [False]
    times = np.array([limits.min + 1, series.time_ns[0]])
    trades = TradeSeries(times, np.ones(2), np.ones(2), np.ones(2, int), "XYZ")
    assert join_trades(trades, series, quote_delay_s=1).before_first_book.tolist() == [True, True]


def test_empty_trades_and_empty_books():
    trades, series = random_trades(1), random_series(2)
    assert join_trades(trades[:0], series).counts["trades"] == 0
    assert len(future_mids(trades.time_ns[:0], series, 1.0).mid) == 0
    joined = join_trades(trades, series[:0])
    assert joined.counts["before_first_book"] == len(trades)
    assert np.isnan(joined.mid).all()
    assert np.isnan(future_mids(trades.time_ns, series[:0], 1.0).mid).all()


def test_other_clocks_and_units_are_refused():
    trades, series = random_trades(1), random_series(2)
    first, last = series.time_ns[[0, -1]]
    for shift in (-(10**6), 10**6):
        times = trades.time_ns + shift
        apart = TradeSeries(times, trades.price, trades.size, trades.side, "XYZ")
        spans = (
            rf"books, {first} to {last}, got 120 trades, .* from {times[0]} to {times[-1]}; .*in nanoseconds, and on"
        )
        for driver in (join_trades, trade_costs, sign_trades):
            with pytest.raises(ValueError, match=spans):
                driver(apart, series)
    # One trade at the time of the last book is enough.
    times[-1] = last
    assert join_trades(apart, series).counts["after_last_book"] == len(trades) - 1


def test_what_cannot_be_joined_is_refused():
    trades, series = random_trades(1), random_series(2)
    with pytest.raises(ValueError, match=r"never decrease.*lob\.clean"):
        join_trades(trades, series[::-1])
    with pytest.raises(ValueError, match="one symbol"):
        join_trades(trades, lob.BookSeries(series.time_ns, series.book, "ABC", 0.01))
    for seconds in (-1.0, np.nan, np.inf, 1e-10, 1e10):
        with pytest.raises(ValueError, match="expected horizon_s"):
            future_mids(trades.time_ns, series, seconds)
        with pytest.raises(ValueError, match="expected max_age_s"):
            join_trades(trades, series, max_age_s=seconds)
    batched = jax.tree.map(lambda array: array[None], series.book)
    with pytest.raises(ValueError, match="one series"):
        join_trades(trades, lob.BookSeries(series.time_ns[None], batched, "XYZ", 0.01))


def test_float32_prices_stay_float32():
    trades, series = random_trades(1, dtype=np.float32), random_series(2, dtype=np.float32)
    joined = join_trades(trades, series)
    assert joined.mid.dtype == joined.bid.dtype == np.float32


def test_to_pandas():
    trades, series = random_trades(1), random_series(2)
    frame = join_trades(trades, series).to_pandas()
    assert list(frame.columns[:2]) == ["row", "bid"]
    assert len(frame) == len(trades)
    assert frame.attrs["symbol"] == "XYZ"


def test_join_of_one_book_and_one_trade():
    book = jax.tree.map(lambda a: a[None], lob.Book.from_levels([(99.0, 1.0)], [(101.0, 1.0)]))
    series = lob.BookSeries(np.array([5 * SECOND]), book, "XYZ", 0.01)
    trades = TradeSeries(np.array([5 * SECOND]), np.array([101.0]), np.array([1.0]), np.array([1]), "XYZ")
    assert join_trades(trades, series).row[0] == -1
    assert join_trades(trades, series, allow_equal=True).mid[0] == 100.0
