from __future__ import annotations

import jax
import numpy as np
import pytest

from quantjax import lob
from quantjax.lob.measures import columns
from tests.assertions import assert_close
from tests.lob.books import TICK, random_books

METRICS = lob.BookMetrics(levels=(1, 3, 8), bands_bps=(2, 10), notionals=(500, 20_000), slippages_bps=(1, 8), decay=0.3)


@pytest.fixture(scope="module")
def series() -> lob.BookSeries:
    return lob.BookSeries(np.arange(5_003) * 10**8, random_books(5_003, 8, seed=7), "XYZ", TICK)


@pytest.fixture(scope="module")
def result(series):
    return lob.analyze(series, METRICS)


def test_analyze_equals_measure_block_by_block(series, result):
    expected = jax.jit(lambda book: lob.measure(book, TICK, METRICS))(series.book)
    for name, array in columns(expected):
        actual = dict(columns(result))[name]
        assert isinstance(actual, np.ndarray)
        assert_close(actual, array, scale=1e3, what=name)


def test_pieces_give_the_same_as_the_whole(series, result):
    steps = []
    pieces = (series[a : a + 1_009] for a in range(0, len(series), 1_009))
    streamed = lob.analyze(pieces, METRICS, progress=steps.append)
    assert sum(steps) == len(series)
    for ours, theirs in zip(jax.tree.leaves(streamed), jax.tree.leaves(result), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_to_pandas(series, result):
    frame = result.to_pandas()
    assert frame.index[1].isoformat() == "1970-01-01T00:00:00.100000+00:00"
    assert frame.attrs == {"symbol": "XYZ"}
    np.testing.assert_array_equal(frame["bid_depth_10bps"], result.bid_depth[10.0])
    np.testing.assert_array_equal(frame["buy_vwap_20000"], result.buy_vwap[20_000.0])
    np.testing.assert_array_equal(frame["depth_imbalance_3"], result.depth_imbalance[3])
    assert len(frame) == len(result) == len(series)


def test_staleness_runs_over_pieces_and_ignores_absent_prices():
    one = random_books(3, 4, seed=3)
    rows = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    series = lob.BookSeries(np.arange(8) * 10**9, jax.tree.map(lambda a: a[rows], one), "XYZ", TICK)
    expected = [0, 1, 2, 0, 1, 0, 1, 2]
    np.testing.assert_allclose(lob.staleness(series), expected)
    pieces = lob.analyze_blocks([series[:2], series[2:7], series[7:]], METRICS)
    streamed = np.concatenate([piece.staleness_s for piece in pieces])
    np.testing.assert_allclose(streamed, expected)


def test_invalid_books_are_nan_and_counted(series):
    book = jax.tree.map(np.copy, series.book[:10])
    book.bid_size[3, 0] = -1.0
    book.ask_price[5, 0] = np.inf
    book.ask_size[5, 0] = 1.0
    dirty = lob.analyze(lob.BookSeries(series.time_ns[:10], book, "XYZ", TICK), METRICS)
    assert dirty.counts["invalid"] == 2
    assert np.isnan(dirty.mid[[3, 5]]).all()
    assert np.isnan(dirty.depth_imbalance[8][[3, 5]]).all()


def test_clock_that_jumps_back_is_counted(series):
    time_ns = series.time_ns[:10].copy()
    time_ns[6:] -= 10**9
    assert lob.analyze(lob.BookSeries(time_ns, series.book[:10], "XYZ", TICK), METRICS).counts["clock_went_back"] == 1


def test_nothing_and_mixed_symbols_are_refused(series):
    with pytest.raises(ValueError, match="at least one book"):
        lob.analyze(series[:0], METRICS)
    other = lob.BookSeries(series.time_ns[:5], series.book[:5], "ABC", TICK)
    with pytest.raises(ValueError, match="one symbol, got XYZ, ABC"):
        lob.analyze([series[:5], other], METRICS)


def test_pieces_of_several_symbols_are_kept_apart(series):
    other = lob.BookSeries(series.time_ns[:4], series.book[:4], "ABC", TICK)
    results = list(lob.analyze_blocks([series[:2], other[:2], series[1:3], other[1:]], METRICS))
    assert [result.symbol for result in results] == ["XYZ", "ABC", "XYZ", "ABC"]
    # The second piece of each begins with the book that its first one ended with.
    assert results[2].staleness_s[0] == 0.0
    assert results[3].staleness_s[0] == 0.0
    again = lob.BookSeries(series.time_ns[1:2] + 5, series.book[1:2], "XYZ", TICK)
    *_, last = lob.analyze_blocks([series[:2], other, again], METRICS)
    assert abs(last.staleness_s[0] - 5e-9) < 1e-12


def test_float32_stays_float32(series):
    book = jax.tree.map(lambda a: a[:20].astype(np.float32), series.book)
    single = lob.BookSeries(series.time_ns[:20], book, "XYZ", TICK)
    assert lob.analyze(single, METRICS).mid.dtype == np.float32
