"""One trace for many calls, and float32 with x64 off in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import jax
import numpy as np
import pytest

from quantjax.lob.trades import (
    BulkVolume,
    bipower_variation,
    illiquidity,
    lee_ready,
    log_returns,
    realised_variances,
    roll_spread,
    sign_trades,
    split_spread_bps,
    trade_costs,
    trade_imbalance,
    trade_imbalance_by_interval,
    two_scale_variance,
    volume_weighted_mean,
    vpin,
)
from tests.lob.trades.inputs import random_series, random_trades


def test_one_trace_for_many_calls():
    traces = 0

    @jax.jit
    def kernel(price, size, side, mid):
        nonlocal traces
        traces += 1
        sign = lee_ready(price, mid)
        cost = split_spread_bps(price, sign, mid, mid)
        returns = log_returns(price)
        return (
            volume_weighted_mean(cost.effective, size),
            trade_imbalance(size, side),
            roll_spread(price),
            bipower_variation(returns) + two_scale_variance(returns, 5),
        )

    for seed in (1, 2, 3):
        trades = random_trades(seed)
        found = kernel(trades.price, trades.size, trades.side, trades.price + 0.004)
        assert np.isfinite(found[0])
    assert traces == 1


DRIVERS = {
    "sign_trades": lambda trades, series: sign_trades(trades, series),
    "trade_costs": lambda trades, series: trade_costs(trades, series, horizons_s=(2e-8,)).summary(),
    "trade_imbalance_by_interval": lambda trades, _: trade_imbalance_by_interval(trades, 1e-8),
    "illiquidity": lambda trades, _: illiquidity(trades, 2e-9),
    "realised_variances": lambda trades, _: realised_variances(trades.time_ns, trades.price, 2e-9),
    "vpin": lambda trades, _: vpin(trades, 2.5, window=5, lot_size=1e-3),
    "bulk vpin": lambda trades, _: vpin(trades, 2.5, window=5, lot_size=1e-3, classification=BulkVolume(2e-9)),
}


@pytest.mark.parametrize("name", DRIVERS)
def test_few_compilations_for_many_lengths(name):
    trades, series = random_trades(1, 1000), random_series(2)
    DRIVERS[name](trades[:950], series)
    before = compilations()
    for count in (951, 953, 957, 960):
        DRIVERS[name](trades[:count], series)
    # Of five lengths, one at most may be beyond a step of the padding: those of intervals and buckets are random.
    assert compilations() - before <= 1


def compilations() -> int:
    """Compilations in this process so far, found in the cache on disk or not."""
    return _COMPILED[0]


_COMPILED = [0]


def _count(event: str, seconds: float, **_) -> None:
    _COMPILED[0] += event == "/jax/core/compile/backend_compile_duration"


jax.monitoring.register_event_duration_secs_listener(_count)


FLOAT32 = """
import jax
import numpy as np
from quantjax import lob
from quantjax.lob import trades as t
from tests.lob.trades.inputs import random_series, random_trades
trades, series = random_trades(1, dtype=np.float32), random_series(2, dtype=np.float32)
assert not jax.config.read("jax_enable_x64")
costs = t.trade_costs(trades, series, horizons_s=(2e-8,))
there = ~np.isnan(costs.realised_bps[2e-8])
assert there.any()
sums = costs.realised_bps[2e-8] + costs.impact_bps[2e-8]
np.testing.assert_array_equal(costs.effective_bps[there], sums[there])
found = t.vpin(trades, 5.0, window=3, lot_size=1e-3)
np.testing.assert_array_equal(found.buy + found.sell + found.unknown, 5000)
assert found.vpin.dtype == np.float32
bulk = t.vpin(trades, 5.0, window=3, lot_size=1e-3, classification=t.BulkVolume(1e-7, sigma_window=5))
np.testing.assert_array_equal(bulk.buy + bulk.sell, 5000)
assert t.sign_trades(trades, series).lee_ready.dtype == np.int8
assert t.trade_imbalance_by_interval(trades, 1e-7).imbalance.dtype == np.float32
assert t.illiquidity(trades, 1e-7).kyle.coefficients.dtype == np.float32
assert np.isfinite(t.realised_variances(trades.time_ns, trades.price, 1e-8).two_scale)
try:
    t.realised_variances(trades.time_ns, np.float64(trades.price))
except ValueError as error:
    assert "jax_enable_x64" in str(error)
else:
    raise SystemExit("float64 was taken")
"""


def test_float32_without_x64():
    done = subprocess.run([sys.executable, "-W", "error", "-c", FLOAT32], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
