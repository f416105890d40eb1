"""SVI: published parameters, derivatives and density by differentiation, fits that find what made the quotes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

from quantjax.pricing.quotes import OptionQuotes
from quantjax.pricing.svi import Svi, fit_svi, fit_svi_slices
from tests.assertions import assert_close

K = np.linspace(-0.6, 0.4, 25)
# Axel Vogt's parameters, with which w > 0 everywhere and the density is negative about k = 0.8: Gatheral & Jacquier
# (2014), example 3.1.
VOGT = Svi(-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
EQUITY = Svi(0.01, 0.1, -0.6, 0.02, 0.15)


def random_slices(count: int) -> Svi:
    rng = np.random.default_rng(5)
    b, rho = rng.uniform(0.05, 0.8, count), rng.uniform(-0.9, 0.9, count)
    m, sigma = rng.uniform(-0.3, 0.3, count), rng.uniform(0.03, 0.5, count)
    return Svi(rng.uniform(0.002, 0.2, count) - b * sigma * np.sqrt(1 - rho**2), b, rho, m, sigma)


def variances(svi: Svi) -> np.ndarray:
    return np.asarray(jax.vmap(Svi.total_variance, (0, None))(svi, K))


@pytest.fixture(scope="module")
def fit_all():
    """One shape for every batch: 64 slices of 25 quotes."""
    return jax.jit(jax.vmap(fit_svi, (None, 0, 0)))


def test_derivatives():
    for k in (-0.4, 0.0, 0.7):
        assert_close(VOGT.slope(k), jax.grad(VOGT.total_variance)(k))
        assert_close(VOGT.curvature(k), jax.grad(VOGT.slope)(k))
    assert_close(EQUITY.implied_vol(0.1, 2.0) ** 2 * 2.0, EQUITY.total_variance(0.1))


@pytest.mark.parametrize("svi", [VOGT, EQUITY])
def test_density_condition_is_that_of_the_prices(svi):
    def call(strike):  # of forward 1, undiscounted
        k = jnp.log(strike)
        root = jnp.sqrt(svi.total_variance(k))
        d1 = -k / root + root / 2
        return norm.cdf(d1) - strike * norm.cdf(d1 - root)

    for k in (-0.5, 0.1, 0.9):
        strike = jnp.exp(k)
        root = jnp.sqrt(svi.total_variance(k))
        density = svi.density_condition(k) * norm.pdf(-k / root - root / 2) / (strike * root)
        assert_close(density, jax.grad(jax.grad(call))(strike), scale=100)


def test_published_arbitrage_is_told():
    k = np.linspace(-1.0, 1.2, 25)
    fit = fit_svi(k, VOGT.total_variance(k))
    jax.tree.map(lambda one, other: assert_close(one, other, scale=1e4), fit.svi, VOGT)
    assert float(fit.min_density) < 0
    assert float(VOGT.total_variance(k).min()) > 0
    fine = fit_svi(k, EQUITY.total_variance(k))
    assert float(fine.min_density) > 0


def test_finds_what_made_the_quotes(fit_all):
    truth = random_slices(64)
    fit = fit_all(K, variances(truth), np.ones((64, 25)))
    assert fit.converged.all()
    assert (fit.num_quotes == 25).all()
    assert float(fit.rms_error.max()) < 1e-9
    steep = np.asarray(truth.b * (1 + np.abs(truth.rho))) < 1.9
    np.testing.assert_allclose(np.asarray(fit.svi.rho)[steep], np.asarray(truth.rho)[steep], atol=1e-4)


def test_errors_are_those_of_repeated_fits(fit_all):
    rng = np.random.default_rng(6)
    error = 2e-4 * (1 + 3 * np.abs(K))
    noisy = EQUITY.total_variance(K) + error * rng.normal(size=(64, 25))
    fit = fit_all(K, noisy, np.broadcast_to(error, (64, 25)))
    assert fit.converged.all()
    for name in ("a", "b", "rho", "m", "sigma"):
        estimate, told = np.asarray(getattr(fit.svi, name)), np.asarray(getattr(fit.std_error, name))
        assert abs(np.median(estimate) - float(getattr(EQUITY, name))) < 4 * estimate.std() / 8
        assert 0.7 < np.median(told) / estimate.std() < 1.4, name  # 64 fits know a deviation to 9 %


def test_padding_missing_and_too_few(fit_all):
    w = np.array(variances(random_slices(64)))
    w[0, 15:] = np.nan
    w[1, 4:] = np.nan
    w[2] = np.nan
    error = np.ones((64, 25))
    error[3, ::2] = 0.0  # no part
    error[4, 3] = np.inf
    fit = fit_all(K, w, error)
    assert fit.num_quotes[:5].tolist() == [15, 4, 0, 12, 24]
    assert fit.converged[:5].tolist() == [True, False, False, True, True]
    assert np.isnan(fit.svi.b[1:3]).all()
    assert np.isnan(fit.rms_error[1:3]).all()
    alone = fit_svi(K, w[0])
    assert_close(alone.svi.total_variance(K[:15]), fit_all(K, w, error).svi.a[0] * 0 + w[0, :15], scale=1e4)
    assert np.isnan(alone.residual[15:]).all()
    for arguments in ((0.0, 0.04), (K, w[0, :3]), (K, w)):
        with pytest.raises(ValueError, match=r"\[strike\]"):
            fit_svi(*arguments)


def test_stays_in_its_domain(fit_all):
    rng = np.random.default_rng(8)
    fit = fit_all(K, rng.uniform(0.0, 2.0, (64, 25)), np.ones((64, 25)))  # no smile at all
    svi = fit.svi
    assert (svi.b * (1 + np.abs(svi.rho)) <= 2 + 1e-9).all()
    assert (np.abs(svi.rho) <= 1).all()
    assert (svi.a + svi.b * svi.sigma * np.sqrt(1 - svi.rho**2) >= -1e-12).all()


def test_derivative_is_the_difference():
    rng = np.random.default_rng(9)
    w = np.asarray(EQUITY.total_variance(K)) + 1e-4 * rng.normal(size=25)
    direction = rng.normal(size=25) * 1e-2

    def at_the_money(shift):
        return fit_svi(K, w + shift * direction).svi.total_variance(0.0)

    step = 1e-3
    difference = (at_the_money(step) - at_the_money(-step)) / (2 * step)
    np.testing.assert_allclose(jax.jvp(at_the_money, (0.0,), (1.0,))[1], difference, rtol=1e-4)


def test_errors_at_the_quotes():
    vols = np.array([[0.27, 0.235, 0.21, 0.2, 0.199], [0.25, 0.23, np.nan, 0.2, 0.21]])
    quotes = OptionQuotes.from_vols([80.0, 90.0, 100.0, 110.0, 120.0], [0.5, 1.0], vols, forward=100.0)
    fit = fit_svi_slices(quotes)
    one = jax.tree.map(lambda leaf: leaf[0], fit.svi)
    expected = 100 * (one.implied_vol(quotes.log_moneyness[0], 0.5) - vols[0])
    assert_close(fit.errors(quotes)[0], expected, scale=1.0)
    assert np.abs(expected).max() < 0.1
    assert np.isnan(fit.errors(quotes)[1]).all()  # four quotes are too few


def test_float32():
    k = K.astype(np.float32)
    fit = fit_svi(k, np.asarray(EQUITY.total_variance(K)).astype(np.float32))
    assert fit.rms_error.dtype == fit.svi.rho.dtype == jnp.float32
    assert float(fit.rms_error) < 1e-5
