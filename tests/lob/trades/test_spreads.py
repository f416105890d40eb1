"""Effective and realised spread, price impact, and Roll's spread."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.lob.trades import (
    effective_spread,
    effective_spread_bps,
    roll_spread,
    split_spread,
    split_spread_bps,
    trade_costs,
    volume_weighted_mean,
)
from tests.assertions import assert_close
from tests.lob.trades.inputs import random_series, random_trades, slopes
from tests.reference import trade_metrics as oracle


def random_quotes(dtype=np.float64, count=4000):
    """Prices on no grid at all, so that sums are exact only if they are made to be."""
    rng = np.random.default_rng(11)
    mid = 10 ** rng.uniform(-4, 5, count)
    price, future = (mid * (1 + 0.01 * rng.normal(size=count)) for _ in range(2))
    return price.astype(dtype), rng.choice([-1, 1], count), mid.astype(dtype), future.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("split", [split_spread, split_spread_bps])
def test_effective_is_realised_plus_impact_to_the_last_bit(split, dtype):
    quotes = random_quotes(dtype)
    for parts in (split(*quotes), jax.jit(split)(*quotes)):
        assert parts.effective.dtype == dtype
        np.testing.assert_array_equal(parts.effective, np.asarray(parts.realised) + np.asarray(parts.impact))
    alone = effective_spread if split is split_spread else effective_spread_bps
    np.testing.assert_array_equal(jax.jit(alone)(*quotes[:3]), parts.effective)


def test_the_split_equals_the_formula():
    price, side, mid, future = random_quotes()
    parts, bps = (jax.jit(split)(price, side, mid, future) for split in (split_spread, split_spread_bps))
    assert_close(parts.effective, 2 * side * (price - mid))
    assert_close(parts.realised, 2 * side * (price - future))
    assert_close(parts.impact, 2 * side * (future - mid))
    # Steps of 2^-36 basis points.
    np.testing.assert_allclose(bps.effective, 2e4 * side * (price - mid) / mid, rtol=1e-13, atol=1.5e-11)
    np.testing.assert_allclose(bps.realised, 2e4 * side * (price - future) / mid, rtol=1e-13, atol=1.5e-11)
    np.testing.assert_allclose(bps.impact, 2e4 * side * (future - mid) / mid, rtol=1e-13, atol=3e-11)


def test_unknown_sides_and_missing_mids_are_nan():
    futures = np.array([100.0, np.nan, 100.0])
    parts = jax.jit(split_spread)(np.full(3, 100.02), np.array([0, 1, -1]), 100.01, futures)
    assert np.isnan(parts.effective).tolist() == [True, False, False]
    assert np.isnan(parts.realised).tolist() == np.isnan(parts.impact).tolist() == [True, True, False]
    with pytest.raises(TypeError, match="expected float64 or float32"):
        effective_spread_bps(jnp.ones(1, jnp.float16), 1, jnp.ones(1, jnp.float16))


def test_gradients_equal_finite_differences_through_the_steps():
    for function in (
        lambda x: split_spread_bps(100.02 + x, 1, 100.01, 100.05).realised,
        lambda x: split_spread_bps(100.02, -1, 100.01 + x, 100.05).impact,
        lambda x: split_spread(100.02, 1, 100.01, 100.05 + x).impact,
        lambda x: roll_spread(np.array([1.0, 2.0, 1.0, 2.5]) + x * np.arange(4) ** 2),
    ):
        gradient, difference = slopes(function, 0.0, step=1e-4)
        np.testing.assert_allclose(gradient, difference, rtol=1e-5)


def test_roll_equals_the_oracle_and_finds_the_bounce():
    price = np.stack([random_trades(seed).price for seed in range(6)])
    for demean in (True, False):
        found = jax.jit(roll_spread, static_argnames="demean")(price, demean=demean)
        assert_close(found, [oracle.roll(row, demean) for row in price])
    # Trades at random sides of a random walk: the spread comes back within its sampling error.
    rng = np.random.default_rng(12)
    walk = 100 + np.cumsum(0.005 * rng.normal(size=200_000)) + 0.01 * rng.choice([-1, 1], 200_000)
    np.testing.assert_allclose(jax.jit(roll_spread)(walk), 0.02, rtol=0.02)


def test_roll_where_there_is_none():
    trend = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    roll = jax.jit(roll_spread, static_argnames=("demean", "positive"))
    assert np.isnan(roll(trend, demean=False))
    assert roll(trend, demean=False, positive="zero") == 0
    assert roll(trend) == 0
    assert roll(np.ones(5)) == 0
    assert np.isnan(roll(np.array([1.0, np.nan, 1.0, 2.0, 3.0]), demean=False, positive="zero"))
    assert np.isfinite(jax.jit(jax.grad(lambda x: roll_spread(x, positive="zero")))(trend)).all()
    with pytest.raises(ValueError, match="at least three trades"):
        roll_spread(jnp.ones(2))
    with pytest.raises(ValueError, match="expected positive"):
        roll_spread(trend, positive="keep")


def test_volume_weighted_mean():
    values, size = jnp.array([[1.0, 2.0, jnp.nan], [jnp.nan] * 3]), jnp.array([1.0, 3.0, 5.0])
    np.testing.assert_array_equal(volume_weighted_mean(values, size), [1.75, np.nan])
    assert jnp.isnan(volume_weighted_mean(jnp.ones(2), jnp.zeros(2)))


def test_trade_costs_of_a_recording():
    trades, series = random_trades(1), random_series(2)
    costs = trade_costs(trades, series, horizons_s=(2e-8, 1e-7))
    known = np.asarray(trades.side) != 0
    late = costs.joined.after_last_book
    np.testing.assert_array_equal(np.isnan(costs.effective_bps), ~known | np.isnan(costs.joined.mid) | late)
    for horizon in (2e-8, 1e-7):
        there = ~np.isnan(costs.realised_bps[horizon])
        assert 0 < there.sum() < len(trades)
        np.testing.assert_array_equal(there, ~np.isnan(costs.effective_bps) & ~np.isnan(costs.future_mid[horizon]))
        np.testing.assert_array_equal(
            costs.effective_bps[there], (costs.realised_bps[horizon] + costs.impact_bps[horizon])[there]
        )
    summary = costs.summary()
    there = ~np.isnan(costs.effective_bps)
    assert_close(summary.effective_bps, np.average(costs.effective_bps[there], weights=trades.size[there]))
    assert_close(summary.effective_at_bps[1e-7], summary.realised_bps[1e-7] + summary.impact_bps[1e-7])
    assert summary.trades == there.sum() > summary.trades_at[1e-7]
    counts = costs.counts
    assert counts["unknown_side"] == np.count_nonzero(~known)
    assert counts["beyond_last_book_1e-07s"] > counts["beyond_last_book_2e-08s"] > 0
    assert "impact_1e-07s_bps" in costs.to_pandas().columns


def test_trade_costs_without_trades_books_or_sense():
    trades, series = random_trades(1), random_series(2)
    assert np.isnan(trade_costs(trades[:0], series).summary().effective_bps)
    assert np.isnan(trade_costs(trades, series[:0]).effective_bps).all()
    for same in ((1, 1.0), (1.0, 1.0 + 1e-9)):
        with pytest.raises(ValueError, match="each horizon once"):
            trade_costs(trades, series, horizons_s=same)
    with pytest.raises(ValueError, match="expected horizon_s"):
        trade_costs(trades, series, horizons_s=(-1,))
    small = random_trades(1, dtype=np.float32)
    assert trade_costs(small, random_series(2, dtype=np.float32)).effective_bps.dtype == np.float32


def test_trades_after_the_last_book_cost_nothing_that_is_known():
    trades, series = random_trades(1), random_series(2)
    late = trades.time_ns > series.time_ns[-1]
    costs = trade_costs(trades, series, horizons_s=(0.0,))
    assert costs.counts["after_last_book"] == late.sum() > 0
    for values in (costs.effective_bps, costs.realised_bps[0.0], costs.impact_bps[0.0]):
        assert np.isnan(values[late]).all()
    # They would be in no mean either: without them all is the same.
    summary, without = costs.summary(), trade_costs(trades[~late], series, horizons_s=(0.0,)).summary()
    assert (summary.effective_bps, summary.volume) == (without.effective_bps, without.volume)


def test_old_books_take_no_part_before_or_after():
    trades, series = random_trades(1), random_series(2)
    costs = trade_costs(trades, series, horizons_s=(4e-8,), max_age_s=5e-9)
    assert costs.counts["too_old"] > 0
    assert costs.counts["too_old_4e-08s"] > 0
    every = trade_costs(trades, series, horizons_s=(4e-8,))
    fewer, more = (np.count_nonzero(~np.isnan(found.realised_bps[4e-8])) for found in (costs, every))
    assert 0 < fewer < more


def test_summary_as_a_table():
    costs = trade_costs(random_trades(1), random_series(2), horizons_s=(1e-7, 2e-8))
    summary, frame = costs.summary(), costs.summary().to_pandas()
    assert frame.index.tolist() == [1e-7, 2e-8]
    assert frame["impact_bps"].tolist() == list(summary.impact_bps.values())
    assert_close(frame["effective_bps"], frame["realised_bps"] + frame["impact_bps"])
    assert frame.attrs["effective_bps"] == summary.effective_bps
    there = ~np.isnan(costs.realised_bps[1e-7])
    assert_close(frame.loc[1e-7, "volume"], costs.size[there].sum())
    # The mean on the host is that of the kernel.
    assert_close(frame.loc[1e-7, "realised_bps"], volume_weighted_mean(costs.realised_bps[1e-7], costs.size))
