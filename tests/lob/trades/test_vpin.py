"""Buckets of equal volume and VPIN."""

from __future__ import annotations

from math import erf, sqrt

import jax
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quantjax.lob.trades import (
    BulkVolume,
    TradeSeries,
    bulk_buy_share,
    split_volume,
    vpin,
    vpin_of_buckets,
)
from tests.assertions import assert_close
from tests.lob.trades.inputs import random_trades
from tests.reference import trade_metrics as oracle


@example([(25, 0.06, True)], 1)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
    st.integers(1, 50),
)
def test_split_equals_pouring_trades_one_by_one(trades, bucket_lots):
    lots, share, known = (np.array(column) for column in zip(*trades, strict=True))
    expected = oracle.buckets(lots, share, known, bucket_lots)
    assert len(expected) == lots.sum() // bucket_lots
    found = split_volume(lots, share, known, bucket_lots, len(expected) + 1)
    rows = list(zip(found.buy, found.sell, found.unknown, found.last_row, strict=True))
    assert rows[:-1] == expected
    assert found.complete.tolist() == [True] * len(expected) + [False]
    assert min(found.buy.min(), found.sell.min(), found.unknown.min()) >= 0


def test_split_is_traceable():
    rng = np.random.default_rng(0)
    lots, share, known = rng.integers(0, 90, (2, 50)), rng.random((2, 50)), rng.random((2, 50)) < 0.8
    found = jax.jit(jax.vmap(lambda *item: split_volume(*item, 37, 40)))(lots, share, known)
    for row in range(2):
        alone = split_volume(lots[row], share[row], known[row], 37, 40)
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda a, row=row: np.asarray(a)[row], found), alone)
    kernel = jax.jit(lambda *item: split_volume(*item, 37, 40))
    small = kernel(lots[0].astype(np.int32), share[0].astype(np.float32), known[0])
    assert small.buy.dtype == np.int32
    np.testing.assert_array_equal(small.last_row, np.asarray(found.last_row)[0])
    assert split_volume(lots[0][:0], share[0][:0], known[0][:0], 37, 2).complete.tolist() == [False, False]
    with pytest.raises(TypeError, match="lots as integers"):
        split_volume(share[0], share[0], known[0], 37, 40)


def test_volume_is_conserved_to_the_last_lot():
    trades = random_trades(3, 5000)
    found = vpin(trades, 17.5, window=7, lot_size=1e-3)
    np.testing.assert_array_equal(found.buy + found.sell + found.unknown, 17_500)
    lots = np.rint(trades.size * 1000).astype(int)
    assert found.counts["lots"] == lots.sum() == 17_500 * len(found) + found.counts["lots_left_over"]
    assert found.counts["lots_left_over"] < 17_500
    assert found.counts["lots_unknown_side"] == lots[trades.side == 0].sum() > 0
    expected = oracle.buckets(lots, (trades.side > 0).astype(float), trades.side != 0, 17_500)
    rows = [row for *_, row in expected]
    np.testing.assert_array_equal(found.buy, [buy for buy, *_ in expected])
    np.testing.assert_array_equal(found.sell, [sell for _, sell, *_ in expected])
    np.testing.assert_array_equal(found.end_ns, trades.time_ns[rows])
    bought = np.where(found.unknown > 8750, np.nan, found.buy)
    assert np.isnan(bought).sum() == found.counts["buckets_mostly_unknown_side"] > 0
    assert_close(found.vpin, oracle.vpin(bought, found.sell, 17_500, 7))
    assert_close(found.imbalance, np.abs(bought - found.sell) / 17_500)
    assert np.isnan(found.vpin[:6]).all()
    frame = found.to_pandas()
    assert_close(frame["buy"] + frame["sell"] + frame["unknown"], np.full(len(found), 17.5))


def test_bulk_classification_by_hand():
    # Bars of a second: 100 -> 102 (first from the first price), 102, 101; sigma of (2, 0, -1).
    time_ns = np.array([0, 100, 1_000, 2_000, 2_500]) * 1_000_000
    trades = TradeSeries(
        time_ns,
        np.array([100.0, 102.0, 102.0, 103.0, 101.0]),
        np.array([4.0, 2.0, 6.0, 3.0, 3.0]),
        np.zeros(5, int),
        "X",
    )
    share = np.asarray(bulk_buy_share(np.array([2.0, 0.0, -1.0])))
    sigma = sqrt(5 / 3)  # of (2, 0, -1), around 0
    assert_close(share, [0.5 * (1 + erf(x / sigma / sqrt(2))) for x in (2.0, 0.0, -1.0)])
    found = vpin(trades, 9.0, window=2, lot_size=1e-3, classification=BulkVolume("1s"))
    first = round(6000 * share[0])
    assert found.buy.tolist() == [first + 1500, 1500 + round(6000 * share[2])]
    np.testing.assert_array_equal(found.buy + found.sell, 9000)
    assert found.end_ns.tolist() == [2 * 10**9, 3 * 10**9]
    assert found.counts["lots_unknown_side"] == 0


def test_limits():
    count = 40
    time_ns, ones = np.arange(count), np.ones(count)
    one_sided = TradeSeries(time_ns, 5 * ones, ones, np.ones(count, int), "X")
    assert np.nanmin(vpin(one_sided, 3.0, window=2).vpin) == 1
    balanced = TradeSeries(time_ns, 5 * ones, ones, np.tile([1, -1], 20), "X")
    assert np.nanmax(vpin(balanced, 2.0, window=2).vpin) == 0
    flat = vpin(one_sided, 2.0, window=2, classification=BulkVolume(1e-9))
    assert np.nanmax(flat.vpin) == 0  # the price never moves: half is bought
    whale = TradeSeries(time_ns[:1], ones[:1], np.array([1000.0]), np.array([-1]), "X")
    assert vpin(whale, 3.0, lot_size=1.0).sell.tolist() == [3] * 333
    nothing = TradeSeries(time_ns, 5 * ones, 0 * ones, np.ones(count, int), "X")
    assert len(vpin(one_sided[:0], 1.0)) == len(vpin(one_sided[:0], 1.0, classification=BulkVolume())) == 0
    for trades, volume, window, full in ((nothing, 1.0, 1, 0), (one_sided, 41.0, 1, 0), (one_sided, 1.0, 50, 40)):
        with pytest.raises(ValueError, match=f"at least window={window} full buckets, got {full}; take a smaller"):
            vpin(trades, volume, window=window)
    assert np.isfinite(vpin(one_sided, 1.0, window=40).vpin).tolist() == [False] * 39 + [True]


def test_unknown_sides_are_not_balance():
    # Unknown volumes of buckets of 4: 0, 2 (half: kept, over the whole volume), 3, 0, 0.
    side = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, -1, -1, -1, -1, -1])
    trades = TradeSeries(np.arange(20), np.ones(20), np.ones(20), side, "X")
    found = vpin(trades, 4.0, window=1, lot_size=1.0)
    assert found.unknown.tolist() == [0, 2, 3, 0, 0]
    np.testing.assert_array_equal(found.vpin, [1, 0.5, np.nan, 0.5, 1])
    np.testing.assert_array_equal(vpin(trades, 4.0, window=2, lot_size=1.0).vpin, [np.nan, 0.75, np.nan, np.nan, 0.75])
    assert found.counts["buckets_mostly_unknown_side"] == 1
    nobody = TradeSeries(trades.time_ns, trades.price, trades.size, 0 * side, "X")
    with pytest.raises(ValueError, match=r"20 of X, all of side 0; .*lob\.sign_trades.*lob\.BulkVolume"):
        vpin(nobody, 4.0, window=1, lot_size=1.0)
    assert len(vpin(nobody, 4.0, window=1, lot_size=1.0, classification=BulkVolume())) == 5


def test_refusals():
    trades = random_trades(3)
    with pytest.raises(ValueError, match="never decrease"):
        vpin(trades[::-1], 5.0)
    with pytest.raises(ValueError, match=r"every size as a multiple of lot_size 0\.1"):
        vpin(trades, 5.0, lot_size=0.1)
    with pytest.raises(ValueError, match="every bucket_volume as a multiple"):
        vpin(trades, 5.5, lot_size=1.0)
    # In float32 every number looks like a multiple of a small enough lot.
    with pytest.raises(ValueError, match="that float32 can tell"):
        vpin(random_trades(3, dtype=np.float32), 5.0)
    with pytest.raises(ValueError, match="at most 10,000,000 buckets"):
        vpin(trades, 1e-8)
    for interval in (0.0, 1e-10, "minute"):
        with pytest.raises(ValueError, match="expected interval"):
            BulkVolume(interval)
    with pytest.raises(ValueError, match="expected sigma_window"):
        BulkVolume(sigma_window=0)
    for volume in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="expected bucket_volume > 0"):
            vpin(trades, volume)
    with pytest.raises(ValueError, match="expected window"):
        vpin(trades, 5.0, window=0)
    with pytest.raises(TypeError, match="expected classification"):
        vpin(trades, 5.0, classification="bulk")


def test_float32_sizes_and_kernel_batches():
    found = vpin(random_trades(3, dtype=np.float32), 17.5, window=3, lot_size=1e-3)
    wide = vpin(random_trades(3), 17.5, window=3, lot_size=1e-3)
    np.testing.assert_array_equal(found.buy, wide.buy)
    assert found.vpin.dtype == np.float32
    buy = wide.buy.astype(float)
    kernel = jax.jit(vpin_of_buckets, static_argnums=3)
    batch = np.asarray(kernel(np.stack([buy, buy / 2]), np.stack([17_500 - buy, buy / 2]), 17_500.0, 3))
    assert_close(batch[0], oracle.vpin(buy, 17_500 - buy, 17_500.0, 3))
    assert np.nanmax(batch[1]) == 0


def test_narrow_lots_do_not_wrap():
    lots, bought = np.full(40, 10**8, np.int32), np.ones(40, bool)
    found = split_volume(lots, bought, bought, np.int32(10**9), np.int64(4))
    assert found.complete.all()
    assert found.buy.tolist() == [10**9] * 4


def test_bulk_shares_around_a_trend():
    # A price that only rises, by tenths whose mean is not a tenth: sigma is that of the changes around 0.
    share = np.asarray(bulk_buy_share(np.full(30, 0.1)))
    assert_close(share, np.full(30, 0.5 * (1 + erf(1 / sqrt(2)))))
    assert bulk_buy_share(np.zeros(3)).tolist() == [0.5] * 3
    assert np.isnan(bulk_buy_share(np.array([1.0, np.nan, 0.0]))).all()
    gradient = jax.jit(jax.grad(lambda change: bulk_buy_share(change).sum()))
    assert np.isfinite(gradient(np.zeros(3))).all()


def test_trailing_sigma_equals_a_loop_and_knows_no_future():
    change = np.random.default_rng(5).normal(size=20).round(1)
    change[:2] = 0.0
    found = np.asarray(bulk_buy_share(change, window=4))
    for k in range(20):
        sigma = sqrt(np.mean(change[max(0, k - 3) : k + 1] ** 2))
        assert_close(found[k], 0.5 * (1 + erf(change[k] / sigma / sqrt(2))) if sigma else 0.5)
    np.testing.assert_array_equal(np.asarray(bulk_buy_share(change[:9], window=4)), found[:9])
    # The whole driver: what comes after half of the trades changes nothing before, with a trailing sigma only.
    trades = random_trades(3, 2000)
    for window, same in ((50, True), (None, False)):
        rule = BulkVolume(1e-9, sigma_window=window)
        whole, half = (vpin(t, 17.5, window=3, lot_size=1e-3, classification=rule) for t in (trades, trades[:1000]))
        count = len(half) - 1
        assert count > 50
        assert np.array_equal(whole.buy[:count], half.buy[:count]) == same
