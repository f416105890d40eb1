"""Least squares on problems whose answers are known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix
import pytest

from quantjax.numerics.least_squares import LevenbergMarquardt, Optax, Reason, least_squares

TIMES = jnp.linspace(0.0, 3.0, 25)
TRUTH = jnp.array([1.5, 0.7])


def decay(y):
    """Of exponentials, with a wave that no parameters can explain; `aux` is the curve."""
    curve = y[0] * jnp.exp(-y[1] * TIMES)
    return curve - TRUTH[0] * jnp.exp(-TRUTH[1] * TIMES) - 0.1 * jnp.cos(9 * TIMES), curve


def rosenbrock(y):
    return jnp.stack([10 * (y[1] - y[0] ** 2), 1 - y[0]]), None


@pytest.fixture(scope="module")
def best() -> np.ndarray:
    """From scipy, an independent solver."""
    scipy_optimize = pytest.importorskip("scipy.optimize")
    return scipy_optimize.least_squares(
        lambda y: np.asarray(decay(jnp.asarray(y))[0]), TRUTH, xtol=1e-14, ftol=1e-14, gtol=1e-14
    ).x


@pytest.mark.parametrize(
    "method",
    [
        LevenbergMarquardt(),
        Optax(optax.adam(0.05), max_steps=3000, rtol=1e-10),
        optimistix.LevenbergMarquardt(rtol=1e-10, atol=1e-10),
    ],
    ids=["marquardt", "adam", "optimistix"],
)
def test_minimum_is_that_of_scipy(method, best):
    fit = jax.jit(lambda start: least_squares(decay, start, method=method))(jnp.array([0.3, 2.0]))
    assert Reason(int(fit.reason)) == Reason.CONVERGED
    np.testing.assert_allclose(fit.unknowns, best, rtol=2e-5)
    residuals, curve = decay(fit.unknowns)
    np.testing.assert_allclose(fit.cost, (residuals**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(fit.aux, curve, rtol=1e-12)
    np.testing.assert_allclose(fit.jacobian, jax.jacrev(lambda y: decay(y)[0])(fit.unknowns), rtol=1e-9, atol=1e-12)
    assert not fit.at_bound.any()


def test_bounds_hold_and_are_told():
    fit = jax.jit(lambda start: least_squares(decay, start, lower=jnp.array([0.0, 1.0]), upper=jnp.array([5.0, 9.0])))(
        jnp.array([1.0, 3.0])
    )
    assert fit.at_bound.tolist() == [False, True]
    assert float(fit.unknowns[1]) == 1.0
    assert Reason(int(fit.reason)) == Reason.CONVERGED
    # The other is the regression on the curve that the bound leaves.
    shape = np.exp(-np.asarray(TIMES))
    target = np.asarray(decay(jnp.zeros(2))[0])
    np.testing.assert_allclose(fit.unknowns[0], -(shape @ target) / (shape @ shape), rtol=1e-8)


def test_a_valley_and_a_batch_of_starts():
    starts = jnp.array([[-1.2, 1.0], [3.0, 3.0], [0.9, 1.0]])
    solve = jax.jit(jax.vmap(lambda start: least_squares(rosenbrock, start)))
    fits = solve(starts)
    np.testing.assert_allclose(fits.unknowns, 1.0, rtol=1e-6)
    alone = least_squares(rosenbrock, starts[0])
    np.testing.assert_allclose(alone.unknowns, fits.unknowns[0], rtol=1e-10)
    assert int(alone.num_steps) == int(fits.num_steps[0])


@pytest.mark.parametrize(
    ("residuals", "max_steps", "reason"),
    [
        (rosenbrock, 3, Reason.MAX_STEPS),
        (lambda y: (jnp.full(2, jnp.nan) * y, None), 60, Reason.NOT_FINITE),
        # What is true everywhere else is not here: no step is an improvement.
        (lambda y: (jnp.where(y == jnp.array([2.0, 2.0]), y, 5 + y), None), 60, Reason.STALLED),
    ],
)
def test_failures_are_told(residuals, max_steps, reason):
    fit = least_squares(residuals, jnp.array([2.0, 2.0]), method=LevenbergMarquardt(max_steps=max_steps))
    assert Reason(int(fit.reason)) == reason


def test_bad_methods_are_refused():
    with pytest.raises(TypeError, match="LevenbergMarquardt"):
        least_squares(rosenbrock, TRUTH, method="lm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_steps"):
        LevenbergMarquardt(max_steps=0)
    with pytest.raises(ValueError, match="rtol"):
        LevenbergMarquardt(rtol=-1.0)
