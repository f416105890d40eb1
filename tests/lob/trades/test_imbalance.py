"""Bought against sold volume."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.lob.trades import (
    TradeSeries,
    binned_trade_imbalance,
    rolling_trade_imbalance,
    trade_imbalance,
    trade_imbalance_by_interval,
)
from quantjax.numerics.running_sums import rolling_sum
from tests.assertions import assert_close
from tests.lob.trades.inputs import COUNT, random_trades, slopes
from tests.reference import trade_metrics as oracle

_all = jax.jit(trade_imbalance)
_rolling = jax.jit(rolling_trade_imbalance, static_argnames="window")


def test_imbalance_equals_the_oracle_over_all_rolling_and_binned():
    trades = random_trades(7)
    size, side = trades.size, trades.side
    found = _all(size, side)
    assert_close(found.imbalance, oracle.imbalance(size, side))
    assert_close(float(found.buy) + float(found.sell) + float(found.unknown), size.sum())
    assert found.unknown > 0
    for window in (1, 7, 64):
        rolling = _rolling(size, side, window=window)
        expected = [
            oracle.imbalance(size[max(0, i - window + 1) : i + 1], side[max(0, i - window + 1) : i + 1])
            if i >= window - 1
            else np.nan
            for i in range(COUNT)
        ]
        assert_close(rolling.imbalance, expected, what=str(window))
    row = np.sort(np.random.default_rng(0).integers(0, 9, COUNT))
    row[row == 4] = 5
    binned = jax.jit(binned_trade_imbalance, static_argnames="bins")(size, side, row, bins=9)
    assert_close(binned.imbalance, [oracle.imbalance(size[row == k], side[row == k]) for k in range(9)])
    assert np.isnan(np.asarray(binned.imbalance)[4])


def test_batches_equal_items():
    trades = [random_trades(seed) for seed in (1, 2, 3)]
    size, side = np.stack([t.size for t in trades]), np.stack([t.side for t in trades])
    assert_close(_all(size, side).imbalance, [_all(t.size, t.side).imbalance for t in trades])
    rolling = _rolling(size, side, window=7)
    assert_close(np.asarray(rolling.imbalance)[1], rolling_trade_imbalance(size[1], side[1], 7).imbalance)


def test_one_side_no_volume_and_bad_sizes():
    size = np.array([1.0, 2.0])
    assert _all(size, np.array([1, 1])).imbalance == 1
    assert _all(size, np.array([-1, -1])).imbalance == -1
    assert np.isnan(_all(size, np.array([0, 0])).imbalance)
    assert np.isnan(_all(np.zeros(0), np.zeros(0, int)).imbalance)
    for bad in (-1.0, np.nan):
        sick, sides = np.array([bad, 1.0, 1.0, 3.0]), np.array([0, 1, -1, 1])
        assert np.isnan(_all(sick, sides).imbalance)
        # A bad size spoils its own windows only.
        assert _rolling(sick, sides, window=2).imbalance.tolist()[2:] == [0.0, 0.5]


def test_rolling_sum_keeps_small_values_after_large_ones():
    values = jnp.array([1e16, 1.0, 1.0, 1.0, 1.0])
    assert rolling_sum(values, 3).tolist()[3:] == [3.0, 3.0]
    assert jnp.isnan(rolling_sum(values, 6)).all()
    with pytest.raises(ValueError, match="expected window"):
        rolling_sum(values, 0)


def test_gradient_equals_finite_difference():
    trades = random_trades(7)
    gradient, difference = slopes(lambda q: trade_imbalance(q, trades.side).imbalance, trades.size)
    np.testing.assert_allclose(gradient, difference, rtol=1e-6)


def test_by_interval():
    trades = random_trades(7)
    found = trade_imbalance_by_interval(trades, 5e-8)
    assert found.start_ns[0] == trades.time_ns[0] // 50 * 50
    assert found.count.sum() == COUNT
    assert_close(found.buy_volume.sum() + found.sell_volume.sum() + found.unknown_volume.sum(), trades.size.sum())
    for start, end, value in zip(found.start_ns, found.end_ns, found.imbalance, strict=True):
        assert end == start + 50
        inside = (trades.time_ns >= start) & (trades.time_ns < end)
        assert_close(value, oracle.imbalance(trades.size[inside], trades.side[inside]))
    np.testing.assert_array_equal(trade_imbalance_by_interval(trades, "50ns").imbalance, found.imbalance)
    assert len(trade_imbalance_by_interval(trades[:0], 1.0).imbalance) == 0
    small = trade_imbalance_by_interval(random_trades(7, dtype=np.float32), 5e-8)
    assert small.imbalance.dtype == small.buy_volume.dtype == np.float32
    for interval in (0.0, -1.0, np.nan, 1e-10, "1 week"):
        with pytest.raises(ValueError, match="expected interval"):
            trade_imbalance_by_interval(trades, interval)
    far = TradeSeries(np.array([0, 10**18]), np.ones(2), np.ones(2), np.ones(2, int), "XYZ")
    with pytest.raises(ValueError, match="at most 10,000,000 intervals"):
        trade_imbalance_by_interval(far, 1.0)


def test_table_has_no_row_that_knows_what_comes_after_its_time():
    trades = random_trades(7)
    found = trade_imbalance_by_interval(trades, 5e-8)
    frame = found.to_pandas()
    assert list(frame.columns) == ["start", "imbalance", "buy_volume", "sell_volume", "unknown_volume", "count"]
    np.testing.assert_array_equal(frame.index.asi8, found.end_ns)
    # All trades of the row at or before a time came before that time.
    at = frame.index[len(frame) // 2]
    assert frame.loc[:at, "count"].sum() == np.count_nonzero(trades.time_ns < at.value)


def test_windows_and_bins_of_numpy_integers():
    trades = random_trades(7)
    size, side = trades.size, trades.side
    np.testing.assert_array_equal(
        rolling_trade_imbalance(size, side, np.int64(7)).imbalance, rolling_trade_imbalance(size, side, 7).imbalance
    )
    bin = np.zeros(len(size), int)
    assert_close(binned_trade_imbalance(size, side, bin, np.int32(1)).imbalance, [oracle.imbalance(size, side)])
    for window in (True, 2.0, "7"):
        with pytest.raises(ValueError, match="expected window as an integer"):
            rolling_trade_imbalance(size, side, window)
