"""Amihud, Kyle, Hasbrouck."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from quantjax.lob.trades import TradeSeries, amihud, illiquidity, kyle_lambda
from tests.assertions import assert_close
from tests.lob.trades.inputs import random_trades, slopes
from tests.reference import trade_metrics as oracle


def sample(seed: int, count: int = 60, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(2.0, 30.0, count)
    return (0.01 + 0.003 * x + 0.05 * rng.normal(size=count)).astype(dtype), x.astype(dtype)


@pytest.mark.parametrize("intercept", [True, False])
def test_kyle_equals_least_squares(intercept):
    batch = [sample(seed) for seed in range(3)]
    y, x = (np.stack(arrays) for arrays in zip(*batch, strict=True))
    found = jax.jit(kyle_lambda, static_argnames="intercept")(y, x, intercept=intercept)
    eager = kyle_lambda(y[1], x[1], intercept=intercept)
    for row, (one_y, one_x) in enumerate(batch):
        for name, value in oracle.least_squares(one_y, one_x, intercept).items():
            # One column of coefficients and their errors.
            assert_close(np.asarray(getattr(found, name)).reshape(3)[row], value, what=name)
    assert_close(eager.std_error, np.asarray(found.std_error)[1], scale=100)
    # Pairs with a NaN are as if they were not there.
    holes = np.concatenate([y[0], [np.nan, 1.0]]), np.concatenate([x[0], [1.0, np.nan]])
    patched = jax.jit(kyle_lambda, static_argnames="intercept")(*holes, intercept=intercept)
    assert_close(patched.std_error, np.asarray(found.std_error)[0])
    assert (patched.num_observations, patched.num_dropped) == (60, 2)


def test_kyle_recovers_a_known_lambda_within_its_standard_error():
    y, x = sample(9, 5000)
    found = jax.jit(kyle_lambda)(y, x)
    assert abs(found.coefficients[0] - 0.003) < 4 * found.std_error[0]
    small = jax.jit(kyle_lambda)(*sample(9, 5000, np.float32))
    assert small.coefficients.dtype == np.float32
    np.testing.assert_allclose(small.coefficients, found.coefficients, rtol=1e-4)


def test_kyle_where_it_is_undefined():
    kyle, gap = jax.jit(kyle_lambda), np.nan
    # The mean of a third of ones is 1/3 to the last bit, that of thirty tenths is not a tenth.
    for one in (1.0, 0.1, 1 / 3):
        flat = kyle(np.random.default_rng(0).normal(size=30), np.full(30, one))
        assert np.isnan(flat.coefficients).all()
        assert np.isnan(flat.std_error).all()
    exact = kyle(np.array([1.0, 2.0, gap]), np.array([1.0, 2.0, 3.0]))
    assert_close(exact.coefficients, [1.0])
    assert np.isnan(exact.std_error).all()
    assert np.isnan(kyle(np.array([1.0, gap, gap]), np.ones(3)).coefficients).all()
    assert np.isnan(kyle(np.zeros(0), np.zeros(0)).coefficients).all()
    slope = jax.jit(jax.grad(lambda y, x: kyle_lambda(y, x).std_error[0]))
    for x in (np.arange(4.0), np.full(4, 0.1)):  # a perfect fit, and none at all
        gradient = slope(2 * np.arange(4.0), x)
        assert np.isfinite(gradient).all()


def test_gradient_equals_finite_difference():
    y, x = sample(1)
    for function in (lambda v: kyle_lambda(y, v).coefficients[0], lambda v: kyle_lambda(y, v).std_error[0]):
        gradient, difference = slopes(function, x, step=1e-5)
        np.testing.assert_allclose(gradient, difference, rtol=1e-5)


def test_amihud_by_hand():
    returns = np.array([0.01, -0.02, 0.05, np.nan, 0.0])
    notional = np.array([1e4, 2e4, 0.0, 5.0, 1e4])
    found = amihud(returns, notional)
    assert_close(found.value, (1e-6 + 1e-6 + 0.0) / 3)
    assert found.intervals == 3
    assert np.isnan(amihud(returns, np.zeros(5)).value)
    assert np.isfinite(jax.jit(jax.grad(lambda v: amihud(np.ones(5), v).value))(notional)).all()


def test_illiquidity_of_trades_worked_by_hand():
    # Intervals of a second: [100, 101], none, [99], [102, 103]; prices run from last to last.
    time_ns = np.array([0, 500, 2_000, 3_000, 3_900]) * 1_000_000
    price, size = np.array([100.0, 101.0, 99.0, 102.0, 103.0]), np.array([1.0, 2.0, 3.0, 1.0, 4.0])
    trades = TradeSeries(time_ns, price, size, np.array([1, 1, -1, 1, 0]), "XYZ")
    found = illiquidity(trades, 1.0)
    returns = np.array([99 / 101 - 1, 103 / 99 - 1])
    assert_close(found.amihud.value, np.mean(np.abs(returns) / [297.0, 102.0 + 412.0]))
    assert_close(found.kyle.coefficients[0], (4.0 - -2.0) / (1.0 - -3.0))
    root = np.array([-np.sqrt(297.0), np.sqrt(102.0)])
    assert_close(found.hasbrouck.coefficients[0], root @ np.log1p(returns) / (root @ root))
    # The lengths that are compiled for leave no trace.
    assert (found.kyle.num_observations, found.kyle.num_dropped, found.hasbrouck.num_dropped) == (2, 0, 0)
    assert found.counts == {"intervals": 4, "intervals_without_trades": 1, "trades": 5, "unknown_side": 1}


def test_illiquidity_refuses_what_it_cannot_measure():
    trades = random_trades(1)
    with pytest.raises(ValueError, match="never decrease"):
        illiquidity(trades[::-1], 1e-7)
    with pytest.raises(ValueError, match="at least one trade"):
        illiquidity(trades[:0], 1.0)
    assert np.isnan(illiquidity(trades[:1], "1s").kyle.coefficients).all()
