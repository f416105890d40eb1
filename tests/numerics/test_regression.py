"""Least squares against numpy's, the textbook's formulas written out, and the laws of JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.numerics import Homoskedastic, NeweyWest, White
from quantjax.numerics import ols as eager_ols
from tests.assertions import assert_close

# Compiled: op by op the same takes many small compilations.
ols = jax.jit(eager_ols, static_argnames="intercept")
ERRORS = [Homoskedastic(), White(), White(small_sample=False), NeweyWest(3), NeweyWest(3, small_sample=False)]


def sample(n=40, k=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)) * [1.0, 100.0, 1e-3] + [5.0, -1e4, 0.0]
    y = x @ [0.5, -0.01, 300.0] + 2.0 + rng.normal(size=n) * (0.2 + 0.1 * np.abs(x[:, 0]))
    return x, y


def textbook(x, y, errors, intercept):
    """(coefficients, standard errors, R^2), the intercept last, from explicit inverses and loops over rows."""
    design = np.column_stack([x, np.ones(len(x))]) if intercept else x
    n, p = design.shape
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    residual = y - design @ beta
    bread = np.linalg.inv(design.T @ design)
    meat = np.zeros((p, p))
    if isinstance(errors, Homoskedastic):
        covariance = residual @ residual / (n - p) * bread
    else:
        lags = errors.lags if isinstance(errors, NeweyWest) else 0
        for s in range(n):
            for t in range(n):
                if abs(s - t) <= lags:
                    weight = 1 - abs(s - t) / (lags + 1)
                    meat += weight * residual[s] * residual[t] * np.outer(design[s], design[t])
        covariance = bread @ meat @ bread * (n / (n - p) if errors.small_sample else 1)
    total = ((y - y.mean() * intercept) ** 2).sum()
    return beta, np.sqrt(np.diag(covariance)), 1 - residual @ residual / total


@pytest.mark.parametrize("errors", ERRORS, ids=repr)
@pytest.mark.parametrize("intercept", [True, False])
def test_equals_the_textbook(errors, intercept):
    x, y = sample()
    fit = ols(x, y, intercept=intercept, errors=errors)
    beta, std_error, r_squared = textbook(x, y, errors, intercept)
    estimate, error = fit.coefficients, fit.std_error
    if intercept:
        estimate, error = np.append(estimate, fit.intercept), np.append(error, fit.intercept_std_error)
        np.testing.assert_allclose(fit.intercept_t_stat, beta[-1] / std_error[-1], rtol=1e-8)
    else:
        assert fit.intercept == 0
        assert np.isnan(fit.intercept_std_error)
    np.testing.assert_allclose(estimate, beta, rtol=1e-9)
    np.testing.assert_allclose(error, std_error, rtol=1e-7)
    np.testing.assert_allclose(fit.t_stat, (beta / std_error)[:3], rtol=1e-7)
    np.testing.assert_allclose(fit.r_squared, r_squared, rtol=1e-10)
    np.testing.assert_allclose(fit.predict(x), y - (y - x @ beta[:3] - (beta[3] if intercept else 0)), rtol=1e-9)
    assert (fit.num_observations, fit.num_dropped) == (40, 0)


def test_anscombes_first_quartet():
    # Anscombe (1973), American Statistician 27:17: y = 3.00 + 0.500 x, R^2 = 0.667, standard error of b 0.118.
    x = np.array([10.0, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5])
    y = np.array([8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68])
    fit = ols(x[:, None], y)
    np.testing.assert_allclose(
        [fit.coefficients[0], fit.intercept, fit.r_squared, fit.std_error[0]], [0.500, 3.00, 0.667, 0.118], atol=6e-4
    )
    np.testing.assert_allclose(fit.residual_std**2, 13.763 / 9, atol=2e-4)


def test_rows_that_are_not_numbers_are_left_out_and_counted():
    x, y = sample()
    holes_x, holes_y = x.copy(), y.copy()
    holes_x[3, 1], holes_x[7, 0], holes_y[[3, 20]] = np.nan, np.inf, np.nan
    kept = np.setdiff1d(np.arange(40), [3, 7, 20])
    fit, expected = ols(holes_x, holes_y, errors=White()), ols(x[kept], y[kept], errors=White())
    assert (fit.num_observations, fit.num_dropped) == (37, 3)
    for name in ("coefficients", "intercept", "std_error", "r_squared"):
        assert_close(getattr(fit, name), getattr(expected, name), scale=1e3, what=name)
    # A lag of Newey and West counts rows: one that is left out holds its place with 0.
    zero = np.zeros_like(y)
    zero[kept] = np.asarray(y - fit.predict(x))[kept]
    one = ols(holes_x[:, :1], holes_y, errors=NeweyWest(2))
    assert one.std_error[0] > 0


def test_undefined_is_nan():
    x, y = sample()
    for bad in (
        np.column_stack([x[:, 0], 2 * x[:, 0] - 3]),  # dependent, with the intercept
        np.column_stack([x[:, 0], np.full(40, 0.1)]),  # constant beside an intercept
        np.zeros((40, 2)),
    ):
        fit = ols(bad, y)
        assert np.isnan(fit.coefficients).all()
        assert np.isnan([fit.intercept, fit.r_squared, fit.std_error[0]]).all()
    assert np.isfinite(ols(np.column_stack([x[:, 0], np.full(40, 0.1)]), y, intercept=False).coefficients).all()
    x, few = x[:, :2], np.where(np.arange(40) < 3, y, np.nan)
    exact = ols(x, few)
    assert np.isfinite(exact.coefficients).all()
    assert np.isnan(exact.std_error).all()
    few[2] = np.nan
    assert np.isnan(ols(x, few).coefficients).all()
    assert ols(x, few).num_dropped == 38
    assert np.isnan(eager_ols(x[:0], y[:0]).intercept)
    assert np.isnan(ols(x, np.full(40, 3.3)).r_squared)


def test_nearly_collinear_columns_keep_their_digits():
    x, y = sample(200, 3, 3)
    near = np.column_stack([x[:, 0], x[:, 0] + 1e-5 * x[:, 2] / 1e-3])
    fit, exact = ols(near, y), np.linalg.lstsq(np.column_stack([near, np.ones(200)]), y, rcond=None)[0]
    np.testing.assert_allclose(fit.coefficients, exact[:2], rtol=1e-7)


@pytest.mark.parametrize("apart", [1e-3, 1e-6, 3e-7])
def test_nearly_collinear_columns_keep_the_digits_of_their_errors(apart):
    """Against exact fractions: as many digits as Householder's QR keeps."""
    rng = np.random.default_rng(1)
    near = rng.normal(size=200)
    x = np.column_stack([near, near + apart * rng.normal(size=200)])
    y = x @ [1.0, 2.0] + rng.normal(size=200)
    inverse, beta = exact_normal_equations(np.column_stack([x, np.ones(200)]), y)
    residual = y - np.column_stack([x, np.ones(200)]) @ beta
    fit = ols(x, y)
    np.testing.assert_allclose(fit.coefficients, beta[:2], rtol=1e-14 / apart + 1e-12)
    expected = np.sqrt(residual @ residual / 197 * np.diag(inverse))
    np.testing.assert_allclose(fit.std_error, expected[:2], rtol=1e-14 / apart + 1e-12)


def exact_normal_equations(design, y):
    """((X'X)^-1, coefficients) by elimination of fractions."""
    rows = [[Fraction(float(v)) for v in row] for row in design]
    right = [Fraction(float(v)) for v in y]
    p = design.shape[1]
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(p)]
        + [Fraction(int(i == j)) for j in range(p)]
        + [sum(row[i] * value for row, value in zip(rows, right, strict=True))]
        for i in range(p)
    ]
    for i in range(p):
        table[i] = [value / table[i][i] for value in table[i]]
        for j in range(p):
            if j != i:
                table[j] = [a - table[j][i] * b for a, b in zip(table[j], table[i], strict=True)]
    solved = np.array([[float(value) for value in row[p:]] for row in table])
    return solved[:, :p], solved[:, p]


def test_transforms_and_gradients():
    x, y = sample()
    x, y = np.stack([x, x * 2, x + 1]), np.stack([y, y**2, y + 3])
    x[1, 5, 0] = np.nan
    traces = 0

    @jax.jit
    def fit(x, y):
        nonlocal traces
        traces += 1
        return eager_ols(x, y, errors=NeweyWest(2))

    batched = fit(x, y)
    fit(x + 1, y)
    assert traces == 1
    item = eager_ols(x[1], y[1], errors=NeweyWest(2))
    mapped = jax.jit(jax.vmap(lambda x, y: eager_ols(x, y, errors=NeweyWest(2))))(x, y)
    jax.tree.map(lambda a, b: assert_close(a, b, scale=1e4), mapped, batched)
    jax.tree.map(lambda a, b: assert_close(a, b[1], scale=1e4), item, batched)

    @jax.jit
    def loss(y):
        result = ols(jnp.asarray(x[1]), y, errors=White())
        return result.coefficients[0] + result.std_error[1] + result.r_squared

    gradient = jax.jit(jax.grad(loss))(jnp.asarray(y[1]))
    assert jnp.isfinite(gradient).all()
    direction = np.cos(np.arange(40.0))
    difference = (loss(y[1] + 1e-5 * direction) - loss(y[1] - 1e-5 * direction)) / 2e-5
    np.testing.assert_allclose(gradient @ direction, difference, rtol=1e-5)
    perfect = jax.jit(jax.grad(lambda x: ols(x, 2 * x[:, 0]).std_error.sum()))(jnp.asarray(x[0]))
    assert jnp.isfinite(perfect).all()


def test_float32_without_x64():
    x, y = sample()
    single = ols(x.astype(np.float32)[:, [0, 2]], y.astype(np.float32))
    assert single.coefficients.dtype == np.float32
    np.testing.assert_allclose(single.coefficients, ols(x[:, [0, 2]], y).coefficients, rtol=1e-3)
    code = (
        "import numpy as np; from quantjax.numerics import ols; x = np.arange(6, dtype=np.float32);"
        "fit = ols(x[:, None], 2 * x + 1); assert fit.coefficients.dtype == np.float32;"
        "np.testing.assert_allclose([fit.coefficients[0], fit.intercept], [2, 1], rtol=1e-5)\n"
        "try: ols(np.ones((3, 1)), np.ones(3))\nexcept ValueError as error: assert 'jax_enable_x64' in str(error)\n"
        "else: raise AssertionError"
    )
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_bad_inputs():
    with pytest.raises(ValueError, match=r"x\[\.\.\., n, k\].* got x\[4\] and y\[4\]"):
        eager_ols(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match=r"got x\[4, 1\] and y\[3\]"):
        eager_ols(np.ones((4, 1)), np.ones(3))
    with pytest.raises(ValueError, match="lags as an integer >= 0, got -1"):
        NeweyWest(-1)
