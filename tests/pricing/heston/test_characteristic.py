"""Heston's characteristic function against 50 digits, its limits, moments, cumulants and what it rejects."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.pricing import Black, Heston
from quantjax.pricing.heston.moments import explosion_time
from tests.assertions import assert_close
from tests.reference.heston import log_cf

MODELS = (
    (0.04, 1.5, 0.04, 0.5, -0.7),
    (0.04, 1.5, 0.04, 1e-3, -0.7),
    (0.04, 1.5, 0.04, 1e-7, -0.7),
    (0.04, 0.01, 0.04, 2.0, 0.9),
    (0.01, 0.5, 0.04, 1.0, -0.99),
)
MATURITIES = (1 / 365, 1.0, 20.0)
ARGUMENTS = np.array([1e-3, 0.5 - 0.5j, 3 - 0.5j, 30 - 0.5j, 300 - 0.5j, 2 + 0.3j, 20 + 15j, 0.2 - 0.9j])


@pytest.mark.parametrize("parameters", MODELS)
def test_log_cf_to_the_last_digits(parameters):
    model, evaluate = Heston(*parameters), jax.jit(lambda model, u, t: model.log_cf(u, t))
    for t in MATURITIES:
        expected = np.array([log_cf(complex(u), t, *parameters) for u in ARGUMENTS])
        found = np.asarray(evaluate(model, ARGUMENTS, t))
        assert (np.abs(found - expected) < 5e-14 * np.abs(expected)).all(), (parameters, t, found - expected)


def test_it_is_continuous_along_the_line_and_a_martingale():
    """No branch jumps over long maturities, where a principal logarithm in the first form of the formula jumps."""
    model = Heston(0.09, 1.0, 0.09, 1.0, -0.3)
    u = jnp.linspace(0, 50, 5_001) - 0.5j
    phase = np.asarray(jax.jit(Heston.log_cf)(model, u, 30.0).imag)
    assert np.abs(np.diff(phase, 2)).max() < 1e-3
    for other in (model, Heston(0.04, 0.1, 0.04, 0.5, 0.7), Heston(0.04, 0.0, 0.04, 0.5, 0.7)):
        assert_close(np.abs(other.log_cf(jnp.array([0j, -1j]), 5.0)), [0.0, 0.0])


def test_limits():
    """No vol of vol is Black with the mean variance; no mean reversion either, with v0."""
    u = jnp.array([0.3, 2 - 0.5j, 40 - 0.5j])
    for model in (Heston(0.04, 1.5, 0.09, 0.0, -0.7), Heston(0.04, 0.0, 0.09, 0.0, -0.7)):
        vol = jnp.sqrt(model.total_variance(2.0) / 2.0)
        assert_close(model.log_cf(u, 2.0).real, Black(vol).log_cf(u, 2.0).real)
        assert_close(model.log_cf(u, 2.0).imag, Black(vol).log_cf(u, 2.0).imag)


@pytest.mark.parametrize("parameters", [MODELS[0], (0.04, 1.5, 0.04, 1e-3, -0.7), (0.04, 0.01, 0.04, 2.0, 0.5)])
def test_derivatives_in_every_parameter(parameters):
    u = 3 - 0.5j
    slopes = jax.grad(lambda model: Heston.log_cf(model, jnp.array(u), 1.0).real)(Heston(*parameters))
    for index, slope in enumerate(jax.tree.leaves(slopes)):
        step = 1e-4 * parameters[index]
        moved = [[*parameters[:index], parameters[index] + sign * step, *parameters[index + 1 :]] for sign in (1, -1)]
        up, down = (log_cf(u, 1.0, *p).real for p in moved)
        assert_close(slope, (up - down) / (2 * step), scale=1e5, what=str(index))


def test_derivatives_at_no_vol_of_vol_are_finite():
    slopes = jax.grad(lambda model: model.log_cf(jnp.array(3 - 0.5j), 1.0).real)(Heston(0.04, 1.5, 0.04, 0.0, -0.7))
    near = jax.grad(lambda model: model.log_cf(jnp.array(3 - 0.5j), 1.0).real)(Heston(0.04, 1.5, 0.04, 1e-7, -0.7))
    for one, other in zip(jax.tree.leaves(slopes), jax.tree.leaves(near), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_variance_and_gamma_swaps_are_derivatives_of_the_characteristic_function():
    """E X = -w / 2, and under the spot measure E X = w / 2."""
    for parameters in MODELS:
        model = Heston(*parameters)
        for t in (0.1, 2.0):
            mean, *_ = model.cumulants(t)
            assert_close(model.total_variance(t), -2 * mean, scale=10)
            tilted = jax.jvp(lambda p, model=model, t=t: model.log_cf(-1j * p, t).real, (1.0,), (1.0,))[1]
            assert_close(model.gamma_swap(t), 2 * tilted, scale=100)
    # Where kappa = rho xi, the speed under the spot measure is 0.
    level, beside = (Heston(0.04, 0.35, 0.09, 0.5, rho).gamma_swap(2.0) for rho in (0.7, 0.7 - 1e-9))
    assert_close(level, beside, scale=1e3)
    assert Heston(0.04, 1.5, 0.04, 0.5, -0.7).feller_ratio() == pytest.approx(0.48)


def test_cumulants_are_derivatives():
    model = Heston(*MODELS[0])

    def derivative(function):
        return lambda u: jax.jvp(function, (u,), (1.0,))[1]

    function, scale = (lambda u: model.log_cf(jax.lax.complex(u, 0.0 * u), 1.0)), 1
    for cumulant in model.cumulants(1.0):
        function, scale = derivative(function), scale * 1j
        assert_close(cumulant, (function(0.0) / scale).real, scale=100)
    batched = model.cumulants(jnp.array([0.5, 1.0]))
    assert_close(batched[3][1], model.cumulants(1.0)[3])


def test_explosion_times_and_critical_moments():
    """The moment's Riccati equation, integrated in small steps, leaves every bound at the explosion time."""
    for kappa, xi, rho, moment in itertools.product((0.5, 2.0), (0.6, 1.2), (-0.9, 0.3), (-3.0, 6.0)):
        time = float(explosion_time(jnp.array(moment), kappa, xi, rho))
        end = min(time, 50.0)
        slope = lambda d, k=kappa, x=xi, r=rho, p=moment: 0.5 * (p * p - p) + (r * x * p - k) * d + 0.5 * (x * d) ** 2  # noqa: E731
        d, step = 0.0, 0.99 * end / 20_000
        for _ in range(20_000):
            middle = d + 0.5 * step * slope(d)
            d += step * slope(middle)
        assert d < 1e4
        assert time == np.inf or d > 10, (kappa, xi, rho, moment, time, d)
    model = Heston(0.04, 0.5, 0.04, 1.0, -0.9)
    for moment in model.critical_moments(5.0):
        assert_close(explosion_time(moment, 0.5, 1.0, -0.9), 5.0, scale=1e5)
    lower, upper = Heston(0.04, 0.5, 0.04, 0.0, -0.9).critical_moments(5.0)
    assert lower < -1e8
    assert upper > 1e8


@pytest.mark.parametrize(
    ("name", "value"), [("v0", -0.1), ("kappa", -1), ("theta", -0.1), ("xi", -0.5), ("rho", 1.0), ("rho", -1.0)]
)
def test_parameters_outside_their_domain(name, value):
    parameters = {"v0": 0.04, "kappa": 1.5, "theta": 0.04, "xi": 0.5, "rho": -0.7, name: value}
    with pytest.raises(ValueError, match=name):
        Heston(**parameters)


def test_transforms_and_float32():
    model, u = Heston(*MODELS[0]), jnp.array([1 - 0.5j, 5 - 0.5j])
    assert_close(jax.jit(Heston.log_cf)(model, u, 1.0).real, model.log_cf(u, 1.0).real)
    many = Heston(*(jnp.array([value, value]) for value in MODELS[0]))
    assert_close(jax.vmap(lambda model: model.log_cf(u, 1.0))(many)[1].imag, model.log_cf(u, 1.0).imag)
    single = Heston(*(jnp.float32(value) for value in MODELS[0])).log_cf(u.astype(jnp.complex64), jnp.float32(1.0))
    assert single.dtype == jnp.complex64
    assert_close(single.real, model.log_cf(u, 1.0).real, scale=5)
