"""The kernels of the bars under JAX's transformations, on both ways of summing, and block by block."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.lob import TradeSeries, bars
from quantjax.lob.bars import (
    AdaptiveThreshold,
    FixedThreshold,
    ImbalanceBars,
    ImbalanceState,
    imbalance_closes,
    make_bars,
)
from quantjax.lob.bars import aggregate as aggregate_module
from quantjax.lob.bars import blocks as blocks_module
from quantjax.lob.bars.aggregate import _sums_by_loop, _sums_by_scatter
from quantjax.lob.bars.imbalance_bars import _closes
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


def test_the_two_ways_of_summing_agree(monkeypatch):
    price, size, side, first, stop = inputs(4)
    for one, other in zip(*(way(*inputs(4)) for way in (_sums_by_loop, _sums_by_scatter)), strict=True):
        assert one.dtype == other.dtype
        assert_close(one, other, scale=10)
    # A NaN for the price of a bar, the size of another, both of a third, and the size of a trade in no bar.
    price = price.at[jnp.array([first[0], first[2]])].set(jnp.nan)
    size = size.at[jnp.array([first[1], first[2], 0])].set(jnp.nan)
    made = []
    for way in (_sums_by_loop, _sums_by_scatter):
        monkeypatch.setattr(aggregate_module, "_sums", way)
        made.append(bars.aggregate_bars(price, size, side, first, stop))
    for field in fields(made[0]):
        one, other = (getattr(values, field.name) for values in made)
        assert_close(one, other, scale=10, what=field.name)


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
    assert np.isnan([made.volume[1], made.notional[1], made.vwap[1]]).all()
    assert np.isfinite([made.high[1], made.low[1]]).all()
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


def test_integers_count_exactly_and_fractions_are_reached_above():
    side = inputs(8)[2].astype(jnp.int32)
    whole = bars.imbalance_closes(side, FixedThreshold(3))[1]
    np.testing.assert_array_equal(bars.imbalance_closes(side, FixedThreshold(2.5))[1], whole)
    np.testing.assert_array_equal(bars.imbalance_closes(side.astype(float), FixedThreshold(3.0))[1], whole)
    assert whole.any()
    large = FixedThreshold(2**53 + 1)
    assert bars.imbalance_closes(jnp.array([2**53, 1]), large)[1].tolist() == [False, True]
    rule = AdaptiveThreshold(expected_trades=5, expected_imbalance=-0.3, span=4)
    as_floats = bars.imbalance_closes(side.astype(float), rule)[1]
    np.testing.assert_array_equal(bars.imbalance_closes(side, rule)[1], as_floats)


def test_a_batch_of_thresholds_equals_a_loop():
    _, size, side, _, _ = inputs(9)
    signed = size * side
    limits = jnp.array([1.0, 2.0, 4.0])
    batch = jax.vmap(imbalance_closes, in_axes=(None, 0))(signed, FixedThreshold(limits))[1]
    inside = jax.vmap(lambda limit: imbalance_closes(signed, FixedThreshold(limit))[1])(limits)
    for row, limit in enumerate(limits):
        alone = imbalance_closes(signed, FixedThreshold(limit))[1]
        np.testing.assert_array_equal(batch[row], alone)
        np.testing.assert_array_equal(inside[row], alone)

    def closes(span, least, bars_of):
        rule = AdaptiveThreshold(expected_trades=bars_of, expected_imbalance=0.3, span=span, min_trades=least)
        return imbalance_closes(signed, rule)[1]

    swept = jax.vmap(closes)(jnp.array([2.0, 9.0]), jnp.array([1, 3]), jnp.array([5, 8]))
    for row, options in enumerate(((2.0, 1, 5), (9.0, 3, 8))):
        np.testing.assert_array_equal(swept[row], closes(*options))
    with pytest.raises(ValueError, match="threshold > 0 and finite"):
        FixedThreshold(jnp.array([1.0, -1.0]))


def test_one_compilation_for_a_sweep_of_thresholds():
    random = np.random.default_rng(2)
    trades = TradeSeries(
        np.arange(500), np.ones(500), random.integers(1, 99, 500) / 10, random.integers(-1, 2, 500).astype(np.int8), "A"
    )

    def rule(k: int) -> AdaptiveThreshold:
        return AdaptiveThreshold(expected_trades=5 + k, expected_imbalance=0.3, span=2 + k, min_trades=1 + k)

    for of, threshold, lot_size in (
        ("tick", lambda k: FixedThreshold(2.0 + k), None),
        ("volume", lambda k: FixedThreshold(2.0 + k), None),
        ("volume", lambda k: FixedThreshold(2.0 + k), 0.1),
        ("volume", rule, None),
    ):
        make_bars(trades, ImbalanceBars(of, threshold(0), lot_size=lot_size))
        compiled = _closes._cache_size()
        counts = [make_bars(trades, ImbalanceBars(of, threshold(k), lot_size=lot_size)).num_bars for k in range(1, 5)]
        assert _closes._cache_size() == compiled
        assert len(set(counts)) > 1


def test_cuts_run_on_the_cpu_where_the_default_is_a_gpu(monkeypatch):
    devices = []

    def step(state, block, count):
        state, closes = bars.threshold_closes(block, 2.0, state)
        devices.append((jax.config.jax_default_device, closes.device.platform))
        return state, closes

    size = np.asarray(inputs(3)[1])
    expected = blocks_module.closing_rows(step, jnp.zeros(()), size)
    monkeypatch.setattr(blocks_module.jax, "default_backend", lambda: "gpu")
    np.testing.assert_array_equal(blocks_module.closing_rows(step, jnp.zeros(()), size), expected)
    assert [getattr(device, "platform", None) for device, _ in devices] == [None, "cpu"]


def test_never_more_threads_than_cores(monkeypatch):
    monkeypatch.setattr(blocks_module, "usable_cores", lambda: 3)
    inside, alive = [], set()

    def inner(item):
        alive.add(threading.get_ident())
        inside.append(threading.active_count())
        return 2 * item

    def outer(item):
        return sum(blocks_module.in_parallel(inner, range(item, item + 4)))

    before = threading.active_count()
    for first_alone in (False, True):
        found = blocks_module.in_parallel(outer, range(8), first_alone=first_alone)
        assert found == [2 * sum(range(item, item + 4)) for item in range(8)]
    assert max(inside) <= before + 3


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
    series = [(price, size, side, cuts[:-1], cuts[1:]), (price[:50], size[:50], side[:50], cuts[:0], cuts[:0])]
    whole, none = blocks_module.aggregate_blocks(series)
    assert none.volume.shape == (0,)
    monkeypatch.setattr(blocks_module, "_TRADES", (128, 128))
    monkeypatch.setattr(blocks_module, "_BARS", (64, 64))
    none, pieces = blocks_module.aggregate_blocks(series[::-1])
    assert none.volume.shape == (0,)
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
from quantjax.lob.bars import AdaptiveThreshold, FixedThreshold, ImbalanceBars, make_bars
from quantjax.lob.bars import NotionalBars, TickBars, TimeBars, VolumeBars

assert not jax.config.read("jax_enable_x64")
random = np.random.default_rng(0)
price = (random.integers(9_900, 10_100, 500) / 100).astype(np.float32)
size = (random.integers(1, 500, 500) / 100).astype(np.float32)
time_ns = 1_600_000_000 * 10**9 + np.arange(500) * 10**8
trades = TradeSeries(time_ns, price, size, random.integers(-1, 2, 500), "XYZ")
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
signed = make_bars(trades, ImbalanceBars("volume", FixedThreshold(20.0), lot_size=0.01))
total, first = 0, [0]
for row, found in enumerate(lots):
    total += found * int(trades.side[row])
    if abs(total) >= 2000 and row + 1 < len(lots):
        first.append(row + 1)
        total = 0
assert signed.first_trade.tolist() == first
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
