"""Heston's schemes: step by step as the papers have them, exact where they claim to be, and biased as measured."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from quantjax.pricing import (
    European,
    FullTruncationEuler,
    Heston,
    MonteCarlo,
    QuadraticExponential,
    Sobol,
    simulate_price,
)
from quantjax.pricing.heston.quadratic_exponential import _minus_log_tail
from tests.assertions import assert_close
from tests.reference.heston_paths import full_truncation_euler, quadratic_exponential

# A. Lewis's reference set; Andersen's case I: ten years, Feller ratio 0.04, correlation -0.9.
LEWIS = {"v0": 0.04, "kappa": 4.0, "theta": 0.25, "xi": 1.0, "rho": -0.5}
ANDERSEN_I = {"v0": 0.04, "kappa": 0.5, "theta": 0.04, "xi": 1.0, "rho": -0.9}
LEWIS_PRICE = 16.07015491702883  # S = K = 100, T = 1, r = 0.01, q = 0.02


class GivenNormals(eqx.Module):
    """Normals `[step, factor, path]` from outside."""

    normals: jax.Array

    def prepare(self, key, step_sizes, num_factors, num_paths, dtype):
        return self.normals.astype(dtype), tuple


@pytest.mark.parametrize(
    ("scheme", "oracle", "parameters", "dtype"),
    [
        (QuadraticExponential(), quadratic_exponential, LEWIS, np.float64),
        (QuadraticExponential(), quadratic_exponential, ANDERSEN_I, np.float64),
        (QuadraticExponential(), quadratic_exponential, ANDERSEN_I, np.float32),
        (FullTruncationEuler(steps_per_year=32), full_truncation_euler, ANDERSEN_I, np.float64),
    ],
    ids=["qe lewis", "qe andersen I", "qe andersen I float32", "euler andersen I"],
)
def test_paths_are_those_of_the_papers(key, scheme, oracle, parameters, dtype):
    model = Heston(**{name: dtype(value) for name, value in parameters.items()}, scheme=scheme)
    normals = jax.random.normal(key, (16, 2, 40))
    draws = GivenNormals(normals)
    paths = jax.jit(lambda model: model.simulate(np.arange(1, 17) / 32, 40, key=key, draws=draws))(model)
    assert paths.log_spot.dtype == paths.variance.dtype == dtype
    expected = np.array([oracle(parameters, 1 / 32, np.asarray(normals[:, :, path])) for path in range(40)])
    # Sixteen steps of rounding, enlarged by 1 / xi and by the divisions near v = 0.
    tolerance = 1e-12 if dtype is np.float64 else 2e-4
    np.testing.assert_allclose(paths.variance, expected[:, :, 0].T, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(paths.log_spot, expected[:, :, 1].T, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("step_size", [1 / 64, 0.5])
@pytest.mark.parametrize(
    "parameters", [LEWIS, ANDERSEN_I, {**LEWIS, "kappa": 0.0}], ids=["lewis", "andersen", "kappa 0"]
)
def test_a_step_of_qe_has_the_moments_of_heston_and_is_a_martingale(parameters, step_size):
    model, scheme = Heston(**parameters), QuadraticExponential()
    kappa, theta, xi = model.kappa, model.theta, model.xi
    # The expectation over Z by the midpoint rule in its quantiles, cut where the density is below 1e-15.
    z, width = np.linspace(-8.0, 8.0, 160_001, retstep=True)
    weight = norm.pdf(z) * width
    coefficients = scheme.coefficients(model, jnp.asarray(step_size))
    one = jax.jit(lambda v: scheme.step(coefficients, jnp.full(z.shape, v), jnp.asarray(z)))
    for v in (0.0, 0.0005, 0.04, 0.5):
        step = one(v)
        decay = np.exp(-kappa * step_size)
        reach = (1 - decay) / kappa if kappa else step_size
        mean = v * decay + theta * kappa * reach
        variance = v * xi**2 * decay * reach + 0.5 * theta * kappa * (xi * reach) ** 2
        if mean == 0:
            assert float(step.variance.max()) < 1e-8
            continue
        after = np.asarray(step.variance)
        assert (after >= 0).all()
        np.testing.assert_allclose(weight @ after, mean, rtol=2e-9)
        np.testing.assert_allclose(weight @ after**2 - (weight @ after) ** 2, variance, rtol=1e-8)
        np.testing.assert_allclose(weight @ np.exp(step.mean + 0.5 * step.log_variance), 1.0, rtol=1e-8)
        # The spot's law given the variance: what is left of each step's variance.
        np.testing.assert_allclose(step.log_variance, (1 - model.rho**2) * step.integrated_variance, rtol=1e-13)


@pytest.mark.parametrize("switch", [1.4, 2.0])
def test_the_law_of_a_step_wherever_the_branches_switch(switch):
    # At variances whose psi is on either side of the switch, close to it.
    model, scheme, step_size = Heston(**ANDERSEN_I), QuadraticExponential(switch=switch), 0.25
    coefficients = scheme.coefficients(model, jnp.asarray(step_size))
    decay, drift, slope, level = map(float, coefficients[:4])
    z, width = np.linspace(-8.0, 8.0, 160_001, retstep=True)
    weight = norm.pdf(z) * width
    for psi in (switch - 0.01, switch + 0.01):
        # psi (drift + decay v)^2 = slope v + level
        v = np.roots([psi * decay**2, 2 * psi * drift * decay - slope, psi * drift**2 - level]).max()
        step = scheme.step(coefficients, jnp.full(z.shape, v), jnp.asarray(z))
        after, mean = np.asarray(step.variance), drift + decay * v
        np.testing.assert_allclose(weight @ after, mean, rtol=1e-8)
        np.testing.assert_allclose(weight @ after**2 - (weight @ after) ** 2, slope * v + level, rtol=1e-7)
        np.testing.assert_allclose(weight @ np.exp(step.mean + 0.5 * step.log_variance), 1.0, rtol=1e-8)


def test_exponential_out_of_a_normal():
    z = np.linspace(-1.0, 9.0, 2001)
    assert_close(_minus_log_tail(jnp.asarray(z)) / -norm.logsf(z), np.ones(z.shape))
    single = z.astype(np.float32)
    assert_close(_minus_log_tail(jnp.asarray(single)), -norm.logsf(single))


# Errors of the price measured with another program, 400,000 paths.
@pytest.mark.parametrize(("steps", "bias"), [(16, -0.0077)])
def test_bias_of_qe_is_the_measured_one(key, steps, bias):
    model = Heston(**LEWIS, scheme=QuadraticExponential(steps_per_year=steps))
    engine = MonteCarlo(1 << 16, draws=Sobol(), conditional=True)
    found = simulate_price(
        model,
        European(100.0),
        [1.0],
        spot=100.0,
        forward=100 * np.exp(-0.01),
        discount=np.exp(-0.01),
        engine=engine,
        key=key,
    )
    assert found.std_error < 0.001
    assert abs(found.price - LEWIS_PRICE - bias) < 4 * found.std_error + 0.0005  # their last digit is rounded


def test_spot_is_a_martingale_and_variance_has_its_mean(key):
    # Uneven times: runs of gaps with different numbers of steps.
    model = Heston(**ANDERSEN_I, scheme=QuadraticExponential(steps_per_year=8))
    times = np.array([0.1, 0.2, 1.0, 2.0, 2.5])
    num_paths = 1 << 17
    paths = jax.jit(lambda key: model.simulate(times, num_paths, key=key))(key)
    root = np.sqrt(num_paths)
    spot, variance = np.asarray(paths.spot), np.asarray(paths.variance)
    assert (np.abs(spot.mean(1) - 1) < 4 * spot.std(1) / root).all()
    mean = model.theta + (model.v0 - model.theta) * np.exp(-model.kappa * times)
    assert (np.abs(variance.mean(1) - mean) < 4 * variance.std(1) / root).all()
    integrated = np.asarray(paths.integrated_variance)
    # The trapezoid of a constant mean (v0 = theta) has no error.
    assert (np.abs(integrated.mean(1) - model.total_variance(times)) < 4 * integrated.std(1) / root).all()


def test_gradients_are_finite_where_the_variance_stays_at_zero(key):
    def mean(model):
        return model.simulate([2.0], 500, key=key).spot.mean()

    for scheme in (QuadraticExponential(substeps=4), FullTruncationEuler(substeps=4)):
        gradient = jax.jit(jax.grad(mean))(Heston(**ANDERSEN_I, scheme=scheme))
        assert all(np.isfinite(leaf) for leaf in jax.tree.leaves(gradient))


def test_steps_too_long_for_a_positive_correlation_stay_finite(key):
    model = Heston(0.04, 0.1, 0.5, 3.0, 0.95, scheme=QuadraticExponential(substeps=1))
    paths = jax.jit(lambda key: model.simulate([10.0], 1000, key=key))(key)
    assert np.isfinite(paths.log_spot).all()


def test_traced_times(key):
    model = Heston(**LEWIS)
    with pytest.raises(ValueError, match="substeps"):
        jax.jit(lambda t: model.simulate(t, 8, key=key).spot)(jnp.array([1.0]))
    fixed = Heston(**LEWIS, scheme=QuadraticExponential(substeps=4))
    simulate = jax.jit(lambda t: fixed.simulate(t, 1 << 12, key=key).log_spot)
    assert_close(simulate(jnp.array([0.5, 1.0])), fixed.simulate([0.5, 1.0], 1 << 12, key=key).log_spot)
    assert np.isnan(simulate(jnp.array([1.0, 0.5]))[1]).all()


@pytest.mark.parametrize("times", [[0.0, 1.0], [1.0, 0.5], [-1.0], [], [np.nan], [[1.0]]])
def test_times_that_are_none(key, times):
    with pytest.raises(ValueError, match="expected"):
        Heston(**LEWIS).simulate(times, 8, key=key)


def test_bad_schemes_and_numbers(key):
    with pytest.raises(ValueError, match=r"between 1\.4 and 2"):
        QuadraticExponential(switch=1.3)
    with pytest.raises(ValueError, match="steps_per_year"):
        FullTruncationEuler(steps_per_year=0)
    with pytest.raises(ValueError, match="substeps"):
        Heston(**LEWIS, scheme=QuadraticExponential(substeps=0)).simulate([1.0], 8, key=key)
    with pytest.raises(ValueError, match="num_paths"):
        Heston(**LEWIS).simulate([1.0], 0, key=key)
    # Two models and two paths: each path a model of its own would be a silent mistake.
    for name in ("v0", "kappa"):
        batch = Heston(**{**LEWIS, name: jnp.array([0.04, 0.09])})
        with pytest.raises(ValueError, match=r"use jax\.vmap"):
            batch.simulate([1.0], 2, key=key)


def test_no_vol_of_vol_is_black(key):
    model = Heston(0.04, 1.0, 0.04, 0.0, -0.5, QuadraticExponential(steps_per_year=8))
    paths = model.simulate([1.0], 1 << 14, key=key)
    np.testing.assert_allclose(paths.variance, 0.04, rtol=1e-5)
    np.testing.assert_allclose(paths.log_spot.std(), 0.2, rtol=0.02)
    assert abs(float(paths.spot.mean()) - 1) < 0.01


def test_parameters_out_of_their_domain_give_nan(key):
    run = jax.jit(lambda rho: Heston(0.04, 1.0, 0.04, 0.5, rho).simulate([0.1], 64, key=key).log_spot)
    assert np.isfinite(run(-0.5)).all()
    assert np.isnan(run(1.5)).all()
