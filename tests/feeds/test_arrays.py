"""Books and trades as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.recording.arrays import BookArraysBuilder, TradeArraysBuilder

UNIT = 10**8


def test_rows_become_arrays_with_the_best_level_first() -> None:
    builder = BookArraysBuilder("BTCUSDT", 3, block_rows=2)
    for number in range(5):
        bids = [((100 - level) * UNIT, (number + 1) * UNIT // 2) for level in range(number)]
        builder.append(number, 10 + number, 20 + number, bids, [(101 * UNIT, 12_345_678)])
    assert len(builder) == 5
    books = builder.build(0.01)
    assert (len(books), books.levels, books.symbol, books.tick_size) == (5, 3, "BTCUSDT", 0.01)
    np.testing.assert_array_equal(books.time_ns, np.arange(5))
    np.testing.assert_array_equal(books.exchange_ns, np.arange(10, 15))
    np.testing.assert_array_equal(books.last_update_id, np.arange(20, 25))
    nan = np.nan
    np.testing.assert_array_equal(
        books.bid_price, [[nan] * 3, [100, nan, nan], [100, 99, nan], [100, 99, 98], [100, 99, 98]]
    )
    np.testing.assert_array_equal(books.bid_size[:, 0], [0, 1.0, 1.5, 2.0, 2.5])
    np.testing.assert_array_equal(books.bid_size[1], [1.0, 0, 0])
    np.testing.assert_array_equal(books.ask_size, [[0.12345678, 0, 0]] * 5)
    for name in ("bid_price", "bid_size", "ask_price", "ask_size"):
        values = getattr(books, name)
        assert values.dtype == np.float64
        assert values.flags.c_contiguous
    assert books.time_ns.dtype == np.int64


def test_building_begins_anew_and_nothing_gives_empty_arrays() -> None:
    builder = BookArraysBuilder("A", 2)
    builder.append(1, 0, 1, [], [])
    assert len(builder.build()) == 1
    empty = builder.build()
    assert empty.bid_price.shape == (0, 2)
    assert np.isnan(empty.tick_size)
    with pytest.raises(ValueError, match="level"):
        BookArraysBuilder("A", 0)


def test_trades_become_arrays() -> None:
    builder = TradeArraysBuilder("A", block_rows=2)
    for number in range(5):
        builder.append(number, 10 + number, 100 * UNIT + 1, number * UNIT, 1 - 2 * (number % 2), 900 + number)
    assert len(builder) == 5
    trades = builder.build()
    assert len(trades) == 5
    np.testing.assert_array_equal(trades.time_ns, np.arange(5))
    np.testing.assert_array_equal(trades.exchange_ns, np.arange(10, 15))
    np.testing.assert_array_equal(trades.price, [100.00000001] * 5)
    np.testing.assert_array_equal(trades.size, np.arange(5.0))
    np.testing.assert_array_equal(trades.side, [1, -1, 1, -1, 1])
    np.testing.assert_array_equal(trades.trade_id, np.arange(900, 905))
    assert len(builder.build()) == 0


@pytest.mark.parametrize("units", [9_300_000_000 * UNIT * 1000, 1])
def test_sizes_beyond_int64_units_are_kept(units: int) -> None:
    builder = BookArraysBuilder("PEPEUSDT", 1)
    builder.append(1, 0, 1, [(1, units)], [])
    assert builder.build().bid_size[0, 0] == units / UNIT
