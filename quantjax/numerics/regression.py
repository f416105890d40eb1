"""Ordinary least squares, batched, with the standard errors one asks for, and rows that are not numbers left out."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from quantjax.numerics.arguments import as_floating

__all__ = ["Homoskedastic", "NeweyWest", "Regression", "White", "ols"]

# A column whose share of variance that the columns before it leave unexplained is below this many roundings is taken
# as a combination of them.
_DEFICIENT = 100


class Homoskedastic(eqx.Module):
    """Errors of one variance, uncorrelated: Var(b) = s^2 (X'X)^-1, s^2 = sum e^2 / (n - p)."""

    def variance(self, influence: jax.Array, residual: jax.Array, num_observations, dof) -> jax.Array:
        """Variance of each coefficient `[..., p]` from each row's influence on it `[..., n, p]`."""
        return (residual**2).sum(-1, keepdims=True) / dof * (influence**2).sum(-2)


class White(eqx.Module):
    """Errors of unequal variances: Var(b) = (X'X)^-1 (sum e_t^2 x_t x_t') (X'X)^-1, HC1 (times n / (n - p)) or HC0.

    Source: White (1980), Econometrica 48:817; HC1: MacKinnon & White (1985), J. Econometrics 29:305.
    """

    small_sample: bool = eqx.field(static=True, default=True)

    def variance(self, influence: jax.Array, residual: jax.Array, num_observations, dof) -> jax.Array:
        """Variance of each coefficient `[..., p]` from each row's influence on it `[..., n, p]`."""
        variance = ((influence * residual[..., None]) ** 2).sum(-2)
        return variance * (num_observations / dof) if self.small_sample else variance


class NeweyWest(eqx.Module):
    """Errors of unequal variances, correlated up to `lags` rows apart, with Bartlett weights 1 - l / (lags + 1).

    A lag counts rows of the input; a row that is left out takes its place and counts 0. `small_sample` multiplies by
    n / (n - p). With 0 lags it is `White`. Source: Newey & West (1987), Econometrica 55:703.
    """

    lags: int = eqx.field(static=True)
    small_sample: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        if not isinstance(self.lags, int) or self.lags < 0:
            raise ValueError(f"expected lags as an integer >= 0, got {self.lags!r}")

    def variance(self, influence: jax.Array, residual: jax.Array, num_observations, dof) -> jax.Array:
        """Variance of each coefficient `[..., p]` from each row's influence on it `[..., n, p]`."""
        score = influence * residual[..., None]
        variance = (score**2).sum(-2)
        for lag in range(1, min(self.lags, score.shape[-2] - 1) + 1):
            weight = 1 - lag / (self.lags + 1)
            variance = variance + 2 * weight * (score[..., lag:, :] * score[..., :-lag, :]).sum(-2)
        return variance * (num_observations / dof) if self.small_sample else variance


class Regression(eqx.Module):
    """y = intercept + x coefficients + e, fitted by `ols`.

    `coefficients`, `std_error`, `t_stat`: `[..., k]`; `intercept`, `intercept_std_error`, `intercept_t_stat`: `[...]`,
    0 with NaN error where none was asked for; `r_squared` `[...]`: of the variance, or of the mean square where there
    is no intercept; `residual_std` `[...]`: sqrt(sum e^2 / (n - p)); `num_observations`, `num_dropped` `[...]`: rows
    used, and rows left out because something in them is not finite.
    """

    coefficients: Float[jax.Array, "*batch k"]
    std_error: Float[jax.Array, "*batch k"]
    t_stat: Float[jax.Array, "*batch k"]
    intercept: Float[jax.Array, "*batch"]
    intercept_std_error: Float[jax.Array, "*batch"]
    intercept_t_stat: Float[jax.Array, "*batch"]
    r_squared: Float[jax.Array, "*batch"]
    residual_std: Float[jax.Array, "*batch"]
    num_observations: Int[jax.Array, "*batch"]
    num_dropped: Int[jax.Array, "*batch"]

    def predict(self, x) -> Float[jax.Array, "*batch n"]:
        """intercept + x coefficients, `[..., n]`, for x `[..., n, k]`."""
        return self.intercept[..., None] + (jnp.asarray(x) * self.coefficients[..., None, :]).sum(-1)


def ols(x, y, *, intercept: bool = True, errors: Homoskedastic | White | NeweyWest | None = None) -> Regression:
    """Ordinary least squares: b = argmin sum_t (y_t - a - x_t b)^2.

    `x` `[..., n, k]`, `y` `[..., n]`, of any units; leading axes broadcast. `intercept`: fit `a` (default) or hold it
    at 0. `errors`: how the standard errors are made, `Homoskedastic()` (default), `White()` or `NeweyWest(lags)`. Rows
    with a number that is not finite are left out and counted. Everything is NaN where the columns are linearly
    dependent or there are fewer rows than coefficients; the standard errors also where there are just as many; the R^2
    also where y does not vary; a t statistic also where its standard error is 0.

    The columns are centred, scaled and made orthonormal by Cholesky's decomposition done twice (CholeskyQR2), which
    keeps the digits of the coefficients and of their errors as Householder's QR does as long as the columns are not
    dependent: a column whose variance the others explain but for 2e-14 of it a column (1e-5 in float32) counts as
    dependent. Broadcasting (the core axes are n, k of `x` and n of `y`). Raises ValueError for shapes that do
    not fit and for float64 arrays while JAX's x64 mode is off. Source: Greene, Econometric Analysis, chapters 3-4;
    Yamamoto et al. (2015), Electron. Trans. Numer. Anal. 44:306 (CholeskyQR2).

    >>> fit = ols(jnp.array([[0.0], [1.0], [2.0], [3.0]]), jnp.array([1.0, 3.0, 5.0, 8.0]))
    >>> fit.coefficients.round(6).tolist(), round(float(fit.intercept), 6), round(float(fit.r_squared), 6)
    ([2.3], 0.8, 0.988785)
    """
    errors = Homoskedastic() if errors is None else errors
    x, y = as_floating(x, "x"), as_floating(y, "y")
    if x.ndim < 2 or y.ndim < 1 or x.shape[-2] != y.shape[-1] or x.shape[-1] < 1:
        raise ValueError(
            f"expected x[..., n, k] with k >= 1 and y[..., n], got x{list(x.shape)} and y{list(y.shape)}; "
            "x[:, None] makes a column of one variable"
        )
    dtype = jnp.result_type(x, y)
    x, y = x.astype(dtype), y.astype(dtype)
    tiny = jnp.finfo(dtype).eps
    num_rows, num_columns = x.shape[-2:]
    num_coefficients = num_columns + intercept

    used = jnp.isfinite(y) & jnp.isfinite(x).all(-1)
    x = jnp.where(used[..., None], x, 0.0)
    y = jnp.where(used, y, 0.0)
    count = used.sum(-1)
    n = jnp.maximum(count, 1).astype(dtype)
    x_mean = x.sum(-2) / n[..., None] if intercept else jnp.zeros_like(x[..., 0, :])
    y_mean = y.sum(-1) / n if intercept else jnp.zeros_like(y[..., 0:1].sum(-1))
    z = jnp.where(used[..., None], x - x_mean[..., None, :], 0.0)
    centred = jnp.where(used, y - y_mean[..., None], 0.0)
    if intercept:
        # Once more: what the rounding of a mean of many large numbers left.
        z = jnp.where(used[..., None], z - z.sum(-2, keepdims=True) / n[..., None, None], 0.0)
        centred = jnp.where(used, centred - centred.sum(-1, keepdims=True) / n[..., None], 0.0)
    square, raw_square = (z**2).sum(-2), (x**2).sum(-2)
    varies = square > (16 * tiny) ** 2 * raw_square
    norm = jnp.sqrt(jnp.where(varies, square, 1.0))
    z = jnp.where(varies[..., None, :], z / norm[..., None, :], 0.0)

    gram = _gram(z)
    # The squares of the pivots are the shares of variance that the columns before leave unexplained.
    pivots = jnp.diagonal(jnp.linalg.cholesky(jax.lax.stop_gradient(gram)), axis1=-2, axis2=-1) ** 2
    defined = (pivots > _DEFICIENT * num_columns * tiny).all(-1) & (count >= num_coefficients)
    identity = jnp.eye(num_columns, dtype=dtype)

    # z = q (second first)'. The first factor loses as many digits as the columns are collinear, and q is orthonormal
    # but for that; the second makes it so.
    first = jnp.linalg.cholesky(jnp.where(defined[..., None, None], gram, identity))
    q = _solve(first, z)
    second = jnp.linalg.cholesky(jnp.where(defined[..., None, None], _gram(q), identity))
    q = _solve(second, q)
    # b_j = sum_t influence_tj y_t: the rows of R^-1 q'.
    influence = _solve(first, _solve(second, q, transpose=False), transpose=False)
    scaled = _times(influence, centred)
    scaled = scaled + _times(influence, centred - _predicted(z, scaled))
    residual = jnp.where(used, centred - _predicted(z, scaled), 0.0)
    coefficients = scaled / norm
    constant = y_mean - (x_mean * coefficients).sum(-1)

    # The intercept's influence follows from those of the columns in their own units.
    influence = influence / norm[..., None, :]
    own = jnp.where(used, 1 / n[..., None] - (influence * x_mean[..., None, :]).sum(-1), 0.0)
    influence = jnp.concatenate([influence, own[..., None]], -1)
    dof = (count - num_coefficients).astype(dtype)
    enough = defined & (dof > 0)
    safe_dof = jnp.where(dof > 0, dof, 1.0)
    variance = errors.variance(influence, residual, n[..., None], safe_dof[..., None])
    std_error = jnp.where(enough[..., None], _sqrt(variance), jnp.nan)
    estimate = jnp.concatenate([coefficients, constant[..., None]], -1)
    estimate = jnp.where(defined[..., None], estimate, jnp.nan)
    if not intercept:
        std_error = std_error.at[..., -1].set(jnp.nan)
    known = std_error > 0
    t_stat = jnp.where(known, estimate / jnp.where(known, std_error, 1.0), jnp.nan)

    unexplained, total = (residual**2).sum(-1), (centred**2).sum(-1)
    y_varies = defined & (total > (16 * tiny) ** 2 * (y**2).sum(-1))
    return Regression(
        coefficients=estimate[..., :-1],
        std_error=std_error[..., :-1],
        t_stat=t_stat[..., :-1],
        intercept=estimate[..., -1],
        intercept_std_error=std_error[..., -1],
        intercept_t_stat=t_stat[..., -1],
        r_squared=jnp.where(y_varies, 1 - unexplained / jnp.where(y_varies, total, 1.0), jnp.nan),
        residual_std=jnp.where(enough, _sqrt(unexplained / safe_dof), jnp.nan),
        num_observations=count,
        num_dropped=num_rows - count,
    )


def _sqrt(square: jax.Array) -> jax.Array:
    # The inner where keeps the gradient finite at 0 (a perfect fit).
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def _gram(z: jax.Array) -> jax.Array:
    return jnp.einsum("...nj,...nk->...jk", z, z, precision="highest")


def _times(influence: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.einsum("...nk,...n->...k", influence, y, precision="highest")


def _predicted(z: jax.Array, coefficients: jax.Array) -> jax.Array:
    return jnp.einsum("...nk,...k->...n", z, coefficients, precision="highest")


def _solve(factor: jax.Array, rows: jax.Array, *, transpose: bool = True) -> jax.Array:
    """rows factor'^-1, or rows factor^-1, for a lower triangular factor."""
    return jax.lax.linalg.triangular_solve(factor, rows, lower=True, transpose_a=transpose)
