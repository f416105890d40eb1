"""Realised variances and what highs and lows tell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.lob.trades import (
    bipower_variation,
    corwin_schultz_spread,
    log_returns,
    parkinson_variance,
    realised_variance,
    realised_variances,
    sample_prices,
    two_scale_variance,
)
from tests.assertions import assert_close
from tests.lob.trades.inputs import slopes
from tests.reference import trade_metrics as oracle

SECOND = 10**9


@pytest.fixture(scope="module")
def returns():
    return 0.001 * np.random.default_rng(0).normal(size=(3, 97))


@pytest.mark.parametrize("flag", [True, False])
def test_estimators_equal_the_oracle_in_batches(returns, flag):
    bipower = jax.jit(bipower_variation, static_argnames="finite_sample")(returns, finite_sample=flag)
    assert_close(bipower, [oracle.bipower(row, flag) for row in returns])
    for scale in (2, 96) if flag else (5,):
        found = jax.jit(two_scale_variance, static_argnums=1, static_argnames="adjusted")(returns, scale, adjusted=flag)
        paths = np.concatenate([np.zeros((3, 1)), np.cumsum(returns, axis=1)], axis=1)
        assert_close(found, [oracle.two_scale(path, scale, flag) for path in paths], what=str(scale))
    assert_close(realised_variance(returns), (returns**2).sum(-1))
    assert_close(jax.jit(jax.vmap(realised_variance))(returns), jax.jit(realised_variance)(returns))
    if flag:
        eager = two_scale_variance(returns[1], 96)
        assert_close(np.asarray(found)[1], eager)


def test_simulated_day_with_noise_and_a_jump():
    # Two seconds' price for 6.5 hours, 1 % of volatility that day, noise of 5 bp: what each estimator is for.
    rng = np.random.default_rng(1)
    paths, steps, variance, noise = 100, 11_700, 1e-4, 5e-4
    clean = rng.normal(size=(paths, steps)) * np.sqrt(variance / steps)
    shock = noise * rng.normal(size=(paths, steps + 1))
    noisy = clean + np.diff(shock)
    standard_error = lambda values: np.std(values) / np.sqrt(paths)  # noqa: E731
    of_realised = jax.jit(realised_variance)
    realised = np.asarray(of_realised(clean))
    assert abs(realised.mean() - variance) < 4 * standard_error(realised)
    # Noise adds 2 n eta^2 to the realised variance, 59 times what is sought; two scales take it off.
    np.testing.assert_allclose(np.mean(of_realised(noisy)), variance + 2 * steps * noise**2, rtol=0.01)
    two_scale = np.asarray(jax.jit(two_scale_variance, static_argnums=1)(noisy, 500))
    assert abs(two_scale.mean() - variance) < 4 * standard_error(two_scale)
    assert np.std(two_scale) < 0.35 * variance
    # A jump of 2 % makes the realised variance five times as large, and the bipower one a few parts in a hundred.
    jumped = clean.copy()
    jumped[:, 3500] += 0.02
    bipower = np.asarray(jax.jit(bipower_variation)(jumped))
    np.testing.assert_allclose(np.mean(of_realised(jumped)), 5 * variance, rtol=0.01)
    np.testing.assert_allclose(bipower.mean(), variance, rtol=0.06)


def test_constant_and_missing_prices():
    flat = log_returns(np.full(4, 5.0))
    assert realised_variance(flat) == bipower_variation(flat) == two_scale_variance(flat, 2) == 0
    for bad in (jnp.nan, 0.0, -1.0):
        sick = log_returns(np.array([1.0, bad, 1.0, 1.0]))
        assert np.isnan(realised_variance(sick))
        assert np.isnan(two_scale_variance(sick, 2))
    with pytest.raises(ValueError, match="at least 2 times"):
        bipower_variation(jnp.zeros(1))
    with pytest.raises(ValueError, match="at least one time"):
        log_returns(jnp.zeros(0))
    for scale in (1, 11, 2.5):
        with pytest.raises(ValueError, match="expected scale"):
            two_scale_variance(jnp.zeros(10), scale)


def test_gradients_equal_finite_differences(returns):
    price = 100 * np.exp(np.cumsum(returns[0, :20]))
    for function in (
        lambda p: 1e4 * realised_variance(log_returns(p)),
        lambda p: 1e4 * bipower_variation(log_returns(p)),
        lambda p: 1e4 * two_scale_variance(log_returns(p), 5),
        lambda p: 1e4 * corwin_schultz_spread(p * 1.01, p, negative="keep").sum(),
    ):
        gradient, difference = slopes(function, price, step=1e-5)
        np.testing.assert_allclose(gradient, difference, rtol=1e-5)


def test_float32_returns_keep_the_digits_of_price_differences():
    # Powers of two on a grid that float32 holds: the returns are then as good as float32 can say.
    price = 65_536 + np.cumsum(np.random.default_rng(2).integers(-8, 9, 500)) / 64
    kernel = jax.jit(lambda price: realised_variance(log_returns(price)))
    wide, narrow = kernel(price), kernel(price.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, rtol=1e-5)


def test_previous_tick_sampling():
    time_ns = np.array([SECOND // 2, 2 * SECOND, 2 * SECOND, 5 * SECOND + 1, 6 * SECOND])
    price = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    sampled = sample_prices(time_ns, price, 1.0)
    assert (sampled.time_ns // SECOND).tolist() == [1, 2, 3, 4, 5]
    assert sampled.price.tolist() == [1.0, 3.0, 3.0, 3.0, 3.0]
    assert sampled.age_s.tolist() == [0.5, 0.0, 1.0, 2.0, 3.0]
    assert sampled.counts == {"points": 5, "points_without_news": 3}
    assert len(sample_prices(time_ns[:0], price[:0], 1.0).price) == 0
    with pytest.raises(ValueError, match="never decrease"):
        sample_prices(time_ns[::-1], price, 1.0)
    with pytest.raises(ValueError, match="a price at each time"):
        sample_prices(time_ns, price[1:], 1.0)
    with pytest.raises(ValueError, match="expected interval"):
        sample_prices(time_ns, price, 0.0)


def test_driver():
    rng = np.random.default_rng(3)
    time_ns = np.sort(rng.integers(0, 3600 * SECOND, 5000))
    price = 100 * np.exp(np.cumsum(1e-4 * rng.normal(size=5000)))
    found = realised_variances(time_ns, price, 10.0, scale=20)
    sampled = sample_prices(time_ns, price, 10.0)
    assert_close(found.realised, np.sum(np.diff(np.log(sampled.price)) ** 2), scale=1e3)
    assert_close(found.two_scale, oracle.two_scale(np.log(price), 20, True), scale=1e3)
    frame = found.to_pandas()
    # The grid runs from the first multiple to the last, the observations a little further at both ends.
    assert found.grid_seconds == 1e-9 * (sampled.time_ns[-1] - sampled.time_ns[0]) < found.seconds
    year = 365 * 86_400
    for name, seconds in (
        ("realised", found.grid_seconds),
        ("bipower", found.grid_seconds),
        ("two_scale", found.seconds),
    ):
        variance = getattr(found, name)
        assert_close(frame.loc[name, "annual_volatility"], np.sqrt(variance * year / seconds), what=name)
    assert_close(found.bipower, oracle.bipower(np.diff(np.log(sampled.price)), True), scale=1e3)
    assert realised_variances(time_ns, price).scale == round(4999 ** (2 / 3))
    for few in range(3):
        assert np.isnan(realised_variances(time_ns[:few], price[:few]).realised)
    for bad in (-price, 0 * price, np.inf * price):
        with pytest.raises(ValueError, match="positive prices"):
            realised_variances(time_ns, bad)
    for scale in (1, 5000, 2.5, True):
        with pytest.raises(ValueError, match="expected scale"):
            realised_variances(time_ns, price, scale=scale)
    assert realised_variances(time_ns, price, "10s", scale=np.int64(20)).two_scale == found.two_scale


def test_volatility_of_a_known_variance_whatever_the_ends():
    # 0.1 % a minute on nine minutes of grid, within eleven minutes of observations.
    time_ns = np.arange(-59, 599) * SECOND
    price = np.exp(0.001 * ((time_ns // (60 * SECOND)) % 2))
    found = realised_variances(time_ns, price, "1min")
    assert (found.grid_seconds, found.seconds) == (540.0, 657.0)
    assert_close(found.realised, 9e-6)
    assert_close(found.to_pandas().loc["realised", "annual_volatility"], np.sqrt(1e-6 * 365 * 1440))


def test_a_negative_variance_has_no_volatility():
    # Nothing but noise: up and down by the same again and again.
    price = 1 + 0.001 * (np.arange(102) % 2)
    found = realised_variances(np.arange(102) * SECOND, price, 2.0, scale=2)
    assert found.two_scale < 0
    frame = found.to_pandas()
    assert np.isnan(frame.loc["two_scale", "annual_volatility"])
    assert frame.loc["realised", "annual_volatility"] == 0


def test_high_low_against_the_oracle_and_a_simulation():
    rng = np.random.default_rng(4)
    low = 100 + rng.normal(size=30).cumsum() * 0.1
    high = low * (1 + 0.02 * rng.random(30))
    assert_close(corwin_schultz_spread(high, low, negative="keep"), oracle.corwin_schultz(high, low), scale=10)
    found, masked = corwin_schultz_spread(high, low), corwin_schultz_spread(high, low, negative="nan")
    assert (np.asarray(found) >= 0).all()
    np.testing.assert_array_equal(np.isnan(masked), np.asarray(corwin_schultz_spread(high, low, negative="keep")) < 0)
    assert_close(parkinson_variance(high, low), np.log(high / low) ** 2 / (4 * np.log(2)), scale=10)
    # Days of 4,000 trades at either side of a walk: a spread of 1 % comes back, a little low as in the paper.
    days, trades = 200, 4_000
    walk = np.cumsum(0.01 / np.sqrt(trades) * rng.normal(size=(days, trades)).ravel()).reshape(days, trades)
    price = np.exp(walk) * (1 + 0.005 * rng.choice([-1, 1], (days, trades)))
    spread = corwin_schultz_spread(price.max(1), price.min(1), negative="keep")
    np.testing.assert_allclose(np.mean(spread), 0.01, rtol=0.15)
    # Without a spread, Parkinson's is the variance of the day; the discrete path's range is a little short.
    parkinson = parkinson_variance(np.exp(walk.max(1)), np.exp(walk.min(1)))
    np.testing.assert_allclose(np.mean(parkinson), 1e-4, rtol=0.15)


def test_high_low_refusals_and_limits():
    with pytest.raises(ValueError, match="two periods"):
        corwin_schultz_spread(jnp.ones(1), jnp.ones(1))
    with pytest.raises(ValueError, match="expected negative"):
        corwin_schultz_spread(jnp.ones(2), jnp.ones(2), negative="drop")
    assert jnp.isnan(parkinson_variance(jnp.array([1.0, 1.0, jnp.nan]), jnp.array([2.0, 0.0, 1.0]))).all()
    still = np.ones(3)
    assert corwin_schultz_spread(still, still).tolist() == [0.0, 0.0]
    assert np.isfinite(jax.jit(jax.grad(lambda h: corwin_schultz_spread(h, still).sum()))(still)).all()
