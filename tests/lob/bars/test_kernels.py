"""The kernels of the bars under JAX's transformations, on both ways of summing, and block by block."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.lob import bars
from quantjax.lob.bars import AdaptiveThreshold, FixedThreshold, ImbalanceState
from quantjax.lob.bars import blocks as blocks_module
from quantjax.lob.bars.aggregate import _sums_by_loop, _sums_by_scatter
from tests.assertions import assert_close

TRADES, BARS = 60, 12


def inputs(seed: int, dtype=np.float64):
    """Trades, and bars with gaps between them, two of them empty."""
    random = np.random.default_rng(seed)
    price = (100 + random.integers(-9, 9, TRADES) / 100).astype(dtype)
    size = random.exponential(size=TRADES).astype(dtype)
    side = random.integers(-1, 2, TRADES).astype(np.int8)
    cuts = np.sort(random.choice(np.arange(1, TRADES), 2 * BARS, replace=False)).astype(np.int32)
    first, stop = cuts[::2].copy(), cuts[1::2].copy()
    stop[3], first[7] = first[3], stop[7]
    return tuple(map(jnp.asarray, (price, size, side, first, stop)))


def assert_equal(actual, expected, index=...) -> None:
    for field in fields(actual):
        left, right = (np.asarray(getattr(values, field.name)) for values in (actual, expected))
        np.testing.assert_array_equal(left[index], right, err_msg=field.name)


def test_jit_equals_eager_and_a_batch_equals_a_loop():
    many = [inputs(seed) for seed in range(3)]
    jitted = jax.jit(bars.aggregate_bars)
    expected = [jitted(*one) for one in many]
    assert_equal(bars.aggregate_bars(*many[0]), expected[0])
    stacked = [jnp.stack(column) for column in zip(*many, strict=True)]
    batch = jax.vmap(bars.aggregate_bars)(*stacked)
    for row in range(3):
        assert_equal(batch, expected[row], row)
    # Several cuts of the same trades, and the same cuts of several trades.
    cuts = jax.vmap(bars.aggregate_bars, in_axes=(None, None, None, 0, 0))(*many[0][:3], *stacked[3:])
    assert_equal(cuts, jitted(*many[0][:3], *many[2][3:]), 2)
    trades = jax.vmap(bars.aggregate_bars, in_axes=(0, 0, 0, None, None))(*stacked[:3], *many[0][3:])
    assert_equal(trades, jitted(*many[1][:3], *many[0][3:]), 1)


def test_the_two_ways_of_summing_agree():
    price, size, side, first, stop = inputs(4)
    loop, scatter = (way(price, size, side, first, stop) for way in (_sums_by_loop, _sums_by_scatter))
    for one, other in zip(loop, scatter, strict=True):
        assert one.dtype == other.dtype
        assert_close(one, other, scale=10)


def test_gradients_equal_finite_differences_and_are_finite():
    price, size, side, first, stop = inputs(5)
    # Apart from each other, so that a small step does not change which trade made the high.
    price = price + 1e-4 * jnp.arange(TRADES)
    weight = jnp.cos(jnp.arange(BARS))

    def value(price, size):
        made = bars.aggregate_bars(price, size, side, first, stop)
        columns = (made.open, made.high, made.low, made.close, made.vwap, made.notional, made.volume)
        columns += (made.buy_volume, made.sell_volume, made.unknown_volume)
        # jnp.where keeps the NaN of empty bars from the sum, and the double where inside from the gradient.
        return sum(jnp.where(made.count > 0, (k + 1) * weight * column, 0).sum() for k, column in enumerate(columns))

    gradients = jax.jit(jax.grad(value, argnums=(0, 1)))(price, size)
    direction = (jnp.sin(jnp.arange(TRADES)), jnp.cos(3 * jnp.arange(TRADES)))
    step = 1e-6
    shifted = [value(*(a + h * d for a, d in zip((price, size), direction, strict=True))) for h in (step, -step)]
    along = sum(jnp.vdot(g, d) for g, d in zip(gradients, direction, strict=True))
    np.testing.assert_allclose(along, (shifted[0] - shifted[1]) / (2 * step), rtol=1e-7)
    assert all(jnp.isfinite(gradient).all() for gradient in gradients)
    _, forward = jax.jvp(value, (price, size), direction)
    np.testing.assert_allclose(forward, along, rtol=1e-12)


def test_nan_is_not_passed_over():
    price, size, side, first, stop = inputs(6)
    made = bars.aggregate_bars(price.at[first[0]].set(jnp.nan), size.at[first[1]].set(jnp.nan), side, first, stop)
    assert np.isnan([made.open[0], made.high[0], made.low[0], made.notional[0], made.vwap[0]]).all()
    assert np.isfinite(made.volume[0])
    assert np.isnan([made.volume[1], made.vwap[1]]).all()
    assert np.isfinite([made.high[2], made.vwap[2]]).all()


def test_kernels_without_trades_or_bars():
    none = jnp.zeros(0)
    no_side, no_bars = none.astype(jnp.int8), none.astype(jnp.int32)
    made = bars.aggregate_bars(none, none, no_side, jnp.zeros(2, jnp.int32), jnp.zeros(2, jnp.int32))
    assert made.count.tolist() == [0, 0]
    assert np.isnan(made.open).all()
    assert bars.aggregate_bars(none, none, no_side, no_bars, no_bars).volume.shape == (0,)
    assert bars.threshold_closes(none, 1.0)[1].shape == (0,)
    assert bars.imbalance_closes(none, FixedThreshold(1.0))[1].shape == (0,)


def test_shapes_that_differ():
    price, size, side, first, stop = inputs(7)
    with pytest.raises(ValueError, match=r"one shape \[trade\], got \[60\], \[59\] and \[60\]"):
        bars.aggregate_bars(price, size[1:], side, first, stop)
    with pytest.raises(ValueError, match=r"one shape \[bar\], got \[11\] and \[12\]"):
        bars.aggregate_bars(price, size, side, first[1:], stop)


def test_closes_go_on_from_where_they_stopped():
    size = inputs(8)[1]
    total, whole = bars.threshold_closes(size, 3.0)
    half_total, one = bars.threshold_closes(size[:25], 3.0)
    end_total, two = jax.jit(bars.threshold_closes)(size[25:], 3.0, half_total)
    np.testing.assert_array_equal(np.concatenate([one, two]), whole)
    assert end_total == total
    batch = jax.vmap(bars.threshold_closes, in_axes=(None, 0))(size, jnp.array([3.0, 5.0]))[1]
    np.testing.assert_array_equal(batch[0], whole)


def test_imbalance_closes_go_on_and_ignore_padding():
    _, size, side, _, _ = inputs(9)
    signed = size * side
    rule = AdaptiveThreshold(expected_trades=5, expected_imbalance=-0.3, span=4, min_trades=2, max_trades=20)
    end, whole = bars.imbalance_closes(signed, rule)
    state, one = bars.imbalance_closes(signed[:25], rule)
    state, two = bars.imbalance_closes(jnp.pad(signed[25:], (0, 30)), rule, state, TRADES - 25)
    np.testing.assert_array_equal(np.concatenate([one, two[: TRADES - 25]]), whole)
    assert not two[TRADES - 25 :].any()
    assert whole.any()
    for field in fields(ImbalanceState):
        assert getattr(state, field.name) == getattr(end, field.name)
    batch = jax.vmap(lambda column: bars.imbalance_closes(column, rule)[1])(jnp.stack([signed, -signed]))
    np.testing.assert_array_equal(batch[0], whole)
    np.testing.assert_array_equal(batch[1], bars.imbalance_closes(-signed, rule)[1])


def test_expectations_that_run_away_are_stopped_by_the_bounds():
    # Flow that turns balanced: without bounds the open bar never closes again.
    signed = jnp.concatenate([jnp.ones(200), jnp.resize(jnp.array([1.0, -1.0]), 800)])
    options = {"expected_trades": 10, "expected_imbalance": 1.0, "span": 5}
    free = bars.imbalance_closes(signed, AdaptiveThreshold(**options))[1]
    bound = bars.imbalance_closes(signed, AdaptiveThreshold(**options, min_trades=2, max_trades=50))[1]
    assert np.flatnonzero(free).max() < 250
    lengths = np.diff(np.flatnonzero(bound))
    assert lengths.max() == 50
    assert lengths.min() >= 2


def test_one_trace_for_many_calls():
    traces = 0

    @jax.jit
    def kernel(*arrays):
        nonlocal traces
        traces += 1
        return bars.aggregate_bars(*arrays)

    for seed in range(3):
        kernel(*inputs(seed))
    assert traces == 1


def test_blocks_of_any_size_give_the_same_bars(monkeypatch):
    random = np.random.default_rng(10)
    trades = 3000
    price, size = 100 + random.normal(size=trades), random.exponential(size=trades)
    side = random.integers(-1, 2, trades).astype(np.int8)
    # One bar longer than a block, many short ones, many empty ones.
    cuts = np.unique(np.r_[0, random.integers(0, 900, 300), random.integers(2600, trades, 200), trades])
    cuts = np.sort(np.r_[cuts, np.full(100, cuts[50])])
    whole = blocks_module.aggregate_blocks(price, size, side, cuts[:-1], cuts[1:])
    monkeypatch.setattr(blocks_module, "_TRADES", (128, 128))
    monkeypatch.setattr(blocks_module, "_BARS", (64, 64))
    pieces = blocks_module.aggregate_blocks(price, size, side, cuts[:-1], cuts[1:])
    assert_equal(pieces, whole)
    assert whole.count.sum() == trades
    assert (whole.count == 0).sum() == 100
    closes = [found for _, count, (block,) in blocks_module.blocks_of(size) for found in block[:count]]
    np.testing.assert_array_equal(closes, size)
    rows = blocks_module.closing_rows(lambda a, block, n: bars.threshold_closes(block, 2.0, a), jnp.zeros(()), size)
    np.testing.assert_array_equal(rows, np.flatnonzero(bars.threshold_closes(size, 2.0)[1]))


FLOAT32 = """
import jax
import numpy as np

from quantjax.lob import TradeSeries
from quantjax.lob.bars import AdaptiveThreshold, ImbalanceBars, NotionalBars, TickBars, TimeBars, VolumeBars, make_bars

assert not jax.config.read("jax_enable_x64")
random = np.random.default_rng(0)
price = (random.integers(9_900, 10_100, 500) / 100).astype(np.float32)
size = (random.integers(1, 500, 500) / 100).astype(np.float32)
time_ns = 1_600_000_000 * 10**9 + np.arange(500) * 10**8
trades = TradeSeries(time_ns, price, size, random.integers(-1, 2, 500).astype(np.int8), "XYZ")
bars = make_bars(trades, TimeBars("1s"))
assert bars.count.tolist() == [10] * 50 and bars.start_ns[-1] == time_ns[-10]
assert bars.volume.dtype == np.float32
volume = make_bars(trades, VolumeBars(20.0, lot_size=0.01))
lots = [round(100 * float(q)) for q in size]
total, first = 0, [0]
for row, found in enumerate(lots):
    total += found
    if total >= 2000 and row + 1 < len(lots):
        first.append(row + 1)
        total = 0
assert volume.first_trade.tolist() == first
rule = AdaptiveThreshold(expected_trades=10, expected_imbalance=0.4, span=5, max_trades=50)
exact = NotionalBars(1e3, tick_size=0.01, lot_size=0.01)
for kind in (TickBars(7), NotionalBars(1e3), exact, ImbalanceBars("tick", rule)):
    assert make_bars(trades, kind).count.sum() == 500
try:
    make_bars(trades, NotionalBars(1e9, tick_size=0.01, lot_size=0.01))
except ValueError as error:
    assert "int32" in str(error)
else:
    raise AssertionError("expected an error for units beyond 32 bits")
"""


def test_float32_without_x64():
    done = subprocess.run([sys.executable, "-W", "error", "-c", FLOAT32], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
