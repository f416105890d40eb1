"""Gatheral's raw SVI: a smile of five parameters, fitted to the quotes of one expiry."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from quantjax.numerics.arguments import as_floating
from quantjax.numerics.least_squares import LevenbergMarquardt, Reason, least_squares
from quantjax.pricing.quotes import OptionQuotes

__all__ = ["Svi", "SviFit", "fit_svi", "fit_svi_slices"]

_GRID = 9  # starts along m and along sigma
_MAX_STEPS = 100
_CHECKED = 201  # points at which the density is looked at
# Of m and ln sigma, in widths of the quoted strikes from the lowest: beyond it a slice is a parabola or two lines.
_BOX = ((-1.0, -5.3), (2.0, 1.4))


class Svi(eqx.Module):
    """Total variance of a slice, w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k = ln(K / F).

    `a` (the level), `b` >= 0 (the slope of the wings), |`rho`| < 1 (their asymmetry), `m` (where the smile turns) and
    `sigma` > 0 (how sharply): numbers or arrays `[...]` of one shape, all leaves. Methods broadcast the parameters
    against k elementwise; a batch of slices over `[slice, strike]` is `jax.vmap(Svi.total_variance)(svi, k)`. Wings are
    free of arbitrage where b (1 + |rho|) <= 2. Source: Gatheral & Jacquier (2014), Arbitrage-free SVI volatility
    surfaces, Quantitative Finance 14(1), eq. 3.1.

    >>> svi = Svi(0.04, 0.4, -0.4, 0.1, 0.2)
    >>> round(float(svi.total_variance(0.0)), 6)
    0.145443
    """

    a: Float[jax.Array, "*batch"]
    b: Float[jax.Array, "*batch"]
    rho: Float[jax.Array, "*batch"]
    m: Float[jax.Array, "*batch"]
    sigma: Float[jax.Array, "*batch"]

    def total_variance(self, log_moneyness):
        """w(k), `[...]`: implied variance times maturity."""
        x = log_moneyness - self.m
        return self.a + self.b * (self.rho * x + jnp.sqrt(x**2 + self.sigma**2))

    def slope(self, log_moneyness):
        """w'(k), `[...]`."""
        x = log_moneyness - self.m
        return self.b * (self.rho + x / jnp.sqrt(x**2 + self.sigma**2))

    def curvature(self, log_moneyness):
        """w''(k), `[...]`."""
        x = log_moneyness - self.m
        return self.b * self.sigma**2 / (x**2 + self.sigma**2) ** 1.5

    def implied_vol(self, log_moneyness, maturity):
        """sqrt(w(k) / T), `[...]`, per year; NaN where w is negative."""
        return jnp.sqrt(self.total_variance(log_moneyness) / maturity)

    def density_condition(self, log_moneyness):
        """Gatheral's g(k) = (1 - k w' / (2 w))^2 - w'^2 / 4 (1 / w + 1 / 4) + w'' / 2, `[...]`.

        The density of S_T is g(k) n(d_2) / (K sqrt w): where g is negative a butterfly has a negative price. Source:
        Gatheral & Jacquier (2014), eq. 2.1.
        """
        w, slope = self.total_variance(log_moneyness), self.slope(log_moneyness)
        first = (1 - log_moneyness * slope / (2 * w)) ** 2
        return first - slope**2 / 4 * (1 / w + 0.25) + self.curvature(log_moneyness) / 2


class SviFit(eqx.Module):
    """A slice fitted by `fit_svi`.

    `svi`: the smile; `std_error`: the standard errors of its parameters, as an `Svi`: sqrt of the diagonal of
    s^2 (J'J)^-1 with s^2 the mean square residual over n - 5, NaN where it has no inverse or n < 6; `residual`
    `[..., strike]`: fitted less quoted total variance, NaN where there is no quote; `rms_error` `[...]`: the root of
    its mean square; `min_density` `[...]`: the least g(k) over the quoted strikes and half their range beyond on either
    side, negative where the smile has a butterfly arbitrage; `num_quotes`, `num_steps` `[...]`; `converged` `[...]`:
    whether the solver came to a minimum; False too, with everything NaN, for fewer than five quotes.
    """

    svi: Svi
    std_error: Svi
    residual: Float[jax.Array, "*batch strike"]
    rms_error: Float[jax.Array, "*batch"]
    min_density: Float[jax.Array, "*batch"]
    num_quotes: Int[jax.Array, "*batch"]
    num_steps: Int[jax.Array, "*batch"]
    converged: Bool[jax.Array, "*batch"]

    def errors(self, quotes: OptionQuotes) -> Float[jax.Array, "maturity strike"]:
        """Vols of the slices less those of the quotes they were fitted to by `fit_svi_slices`, in vol points.

        NaN where there is no quote, and where w is negative. Per item.
        """
        vols = jax.vmap(Svi.implied_vol)(self.svi, quotes.log_moneyness, quotes.maturities)
        return 100 * (vols - quotes.vols)


def fit_svi(log_moneyness, total_variance, error: jax.typing.ArrayLike = 1.0) -> SviFit:
    """SVI by weighted least squares: min over the parameters of sum ((w(k_i) - w_i) / e_i)^2.

    `log_moneyness` k = ln(K / F), `total_variance` w = vol^2 T, `[strike]`; `error` e, a number or `[strike]`, > 0: how
    far w may be off, such as half the bid-ask spread in total variance; only ratios matter. A quote with a number that
    is not finite or an error that is not positive takes no part, so shorter slices are padded with NaN.

    For given (m, sigma) the other three parameters are linear and solved for, then clipped to w >= 0 and b (1 + |rho|)
    <= 2 (Lee's bound on the wings); m and sigma come from a grid and Levenberg-Marquardt, m no further than one width
    of the quoted strikes outside them and sigma from 0.005 to 4 widths: outside, smiles do not tell them. A butterfly
    arbitrage is not forbidden but told (`min_density`).

    Per item: one slice; `jax.vmap(fit_svi)` fits many. Differentiable in the quotes by the implicit function theorem.
    Raises ValueError for shapes other than `[strike]` and for float64 arrays while JAX's x64 mode is off. Source:
    Gatheral & Jacquier (2014); De Marco & Martini (2009), Quasi-explicit calibration of Gatheral's SVI model, Zeliade.

    >>> k, truth = jnp.linspace(-0.5, 0.5, 21), Svi(0.04, 0.4, -0.4, 0.1, 0.2)
    >>> fit = fit_svi(k, truth.total_variance(k))
    >>> bool(fit.converged), bool(fit.rms_error < 1e-8), bool(fit.min_density > 0)
    (True, True, True)
    """
    k, w = as_floating(log_moneyness, "log_moneyness"), as_floating(total_variance, "total_variance")
    if k.ndim != 1 or w.shape != k.shape:
        raise ValueError(
            f"expected log_moneyness and total_variance as [strike], got {list(k.shape)} and {list(w.shape)}; "
            "jax.vmap(fit_svi) fits several slices"
        )
    # The solver works in JAX's default precision, which is no less than that of the quotes.
    wide = jnp.result_type(float)
    fit = _fit(k.astype(wide), w.astype(wide), jnp.broadcast_to(jnp.asarray(error, wide), w.shape))
    return jax.tree.map(lambda leaf: leaf.astype(w.dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, fit)


def fit_svi_slices(quotes: OptionQuotes) -> SviFit:
    """`fit_svi` of every expiry of a surface: a result with a leading axis `[maturity]`.

    The error of a total variance is that of its vol, 2 vol T / weight. Rows are fitted each on its own: a calendar
    arbitrage between them is possible. Smooth vols at the quotes are `quotes.vols + fit.errors(quotes) / 100`. Per
    item. Raises ValueError for a stack of surfaces.

    >>> quotes = OptionQuotes.from_vols(
    ...     [80.0, 90.0, 100.0, 110.0, 120.0], [0.5], [[0.27, 0.235, 0.21, 0.2, 0.199]], forward=100.0)
    >>> fit = fit_svi_slices(quotes)
    >>> fit.converged.tolist(), bool(fit.rms_error[0] < 1e-4)
    ([True], True)
    """
    if quotes.vols.ndim != 2:
        raise ValueError(f"expected one surface, got vols{list(quotes.vols.shape)}; jax.vmap fits several")
    maturity = quotes.maturities[:, None]
    weighted = quotes.weights > 0
    error = jnp.where(weighted, 2 * quotes.vols * maturity / jnp.where(weighted, quotes.weights, 1.0), 0.0)
    return jax.vmap(fit_svi)(quotes.log_moneyness, quotes.vols**2 * maturity, error)


@jax.jit
def _fit(k: jax.Array, w: jax.Array, error: jax.Array) -> SviFit:
    dtype = w.dtype
    used = jnp.isfinite(k) & jnp.isfinite(w) & (error > 0) & jnp.isfinite(error)
    count = used.sum()
    k, w = jnp.where(used, k, 0.0), jnp.where(used, w, 1.0)
    weight = jnp.where(used, 1 / jnp.where(used, error, 1.0), 0.0)
    weight = weight / jnp.maximum(weight.max(), jnp.finfo(dtype).tiny)
    # In units of the slice: variances of its mean, log-moneyness of its width.
    level = jnp.where(used, w, 0.0).sum() / jnp.maximum(count, 1)
    level = jnp.where(level > 0, level, 1.0)
    low, high = jnp.where(used, k, jnp.inf).min(), jnp.where(used, k, -jnp.inf).max()
    low, width = jnp.where(count > 1, low, 0.0), jnp.where(high > low, high - low, 1.0)
    level, low, width = (jax.lax.stop_gradient(x) for x in (level, low, width))
    x, y = (k - low) / width, w / level
    steepest = 2 * width / level  # Lee's bound in these units

    data = (x, y, weight, steepest)
    point, num_steps, met = _minimum(data)
    unit = _curve(point, data)
    svi = Svi(unit.a * level, unit.b * level / width, unit.rho, low + unit.m * width, unit.sigma * width)
    enough = count >= 5
    residual = svi.total_variance(k) - w
    square = jnp.where(used, residual**2, 0.0).sum() / jnp.maximum(count, 1)
    points = low + width * jnp.linspace(-0.5, 1.5, _CHECKED, dtype=dtype)
    return SviFit(
        svi=jax.tree.map(lambda leaf: jnp.where(enough, leaf, jnp.nan), svi),
        std_error=_std_error(svi, k, weight, residual, count),
        residual=jnp.where(used & enough, residual, jnp.nan),
        rms_error=jnp.where(enough, jnp.sqrt(jnp.where(square > 0, square, 0.0)), jnp.nan),
        min_density=jnp.where(enough, svi.density_condition(points).min(), jnp.nan),
        num_quotes=count,
        num_steps=num_steps,
        converged=enough & met,
    )


@jax.custom_jvp
def _minimum(data) -> tuple[jax.Array, Any, Any]:
    """The best point (m, ln sigma), the steps to it, and whether it is a minimum."""
    start = _best_of_grid(data)
    double = start.dtype == jnp.float64
    # The fit is exact where the residuals are rounding; the rest of the tolerance is a small part of what the quotes'
    # errors leave open.
    method = LevenbergMarquardt(
        max_steps=_MAX_STEPS, rtol=1e-10 if double else 1e-5, atol=100 * float(jnp.finfo(start.dtype).eps)
    )
    lower, upper = (jnp.asarray(bound, start.dtype) for bound in _BOX)
    fit = least_squares(lambda point: (_residuals(point, data), None), start, lower=lower, upper=upper, method=method)
    return fit.unknowns, fit.num_steps, fit.reason == Reason.CONVERGED


@_minimum.defjvp
def _minimum_jvp(primals, tangents):
    # The implicit function theorem at the minimum. What stands at its bound stays there.
    (data,), (data_dot,) = primals, tangents
    point, num_steps, met = _minimum(data)

    def gradient(point, data):  # J'r, forwards: less to compile than backwards
        return jax.jacfwd(_residuals)(point, data).T @ _residuals(point, data)

    slope, slope_dot = jax.jvp(lambda data: gradient(point, data), (data,), (data_dot,))
    free = ~_at_bound(point, slope)
    hessian = jnp.where(free[:, None] & free[None, :], jax.jacfwd(gradient)(point, data), jnp.eye(2, dtype=point.dtype))
    determinant = hessian[0, 0] * hessian[1, 1] - hessian[0, 1] ** 2
    regular = determinant > 0
    inverse = jnp.array([[hessian[1, 1], -hessian[0, 1]], [-hessian[0, 1], hessian[0, 0]]])
    step = inverse @ jnp.where(free, slope_dot, 0.0) / jnp.where(regular, determinant, 1.0)
    nothing = (np.zeros(num_steps.shape, jax.dtypes.float0), np.zeros(met.shape, jax.dtypes.float0))
    return (point, num_steps, met), (jnp.where(regular, -step, 0.0), *nothing)


def _curve(point: jax.Array, data) -> Svi:
    """The slice of a point (m, ln sigma): its other three parameters are linear and solved for, then clipped to bounds.

    Without them, nothing is left of the narrow curved valley that five free parameters make.
    """
    x, y, weight, steepest = data
    m, sigma = point[0], jnp.exp(point[1])
    eps, tiny = jnp.finfo(y.dtype).eps, jnp.finfo(y.dtype).tiny
    u = (x - m) / sigma
    left, basis, rows = weight * y, [], []
    for column in (jnp.ones_like(u), u, jnp.sqrt(u**2 + 1)):
        rest, row = column * weight, []
        before = (rest**2).sum()
        for q in basis:  # Gram and Schmidt, modified
            along = (q * rest).sum()
            rest, row = rest - along * q, [*row, along]
        square = (rest**2).sum()
        # A column that equal or few strikes make a combination of the others takes no part.
        apart = square > 1e3 * eps**2 * before + tiny
        norm = jnp.sqrt(jnp.where(apart, square, 1.0))
        q = jnp.where(apart, rest / norm, 0.0)
        along = (q * left).sum()
        left = left - along * q
        basis, rows = [*basis, q], [*rows, ([*row, norm], along)]
    coefficients: list[jax.Array] = []
    for i in reversed(range(3)):
        later = sum(rows[j][0][i] * coefficients[2 - j] for j in range(i + 1, 3))
        coefficients.append((rows[i][1] - later) / rows[i][0][i])
    arch, tilt = coefficients[0], coefficients[1]
    arch = jnp.clip(arch, 1e-6, 0.4999 * steepest * sigma)
    edge = jnp.minimum(0.9999 * arch, 0.9999 * steepest * sigma - arch)  # no wing that falls, or beyond Lee's bound
    tilt = jnp.clip(tilt, -edge, edge)
    shape = tilt * u + arch * jnp.sqrt(u**2 + 1)
    least = jnp.sqrt(arch**2 - tilt**2)
    total = (weight**2).sum()
    mean = (weight**2 * (y - shape)).sum() / jnp.where(total > 0, total, 1.0)
    return Svi(jnp.maximum(mean, -least), arch / sigma, tilt / arch, m, sigma)


def _residuals(point: jax.Array, data) -> jax.Array:
    x, y, weight, _ = data
    return weight * (_curve(point, data).total_variance(x) - y)


def _best_of_grid(data) -> jax.Array:
    dtype = data[1].dtype
    m, sigma = jnp.linspace(-0.25, 1.25, _GRID, dtype=dtype), jnp.geomspace(0.02, 2.0, _GRID, dtype=dtype)
    points = jnp.stack([grid.ravel() for grid in jnp.meshgrid(m, jnp.log(sigma))], -1)
    cost = jax.vmap(lambda point: (_residuals(point, data) ** 2).sum())(points)
    return points[jnp.argmin(jnp.where(jnp.isfinite(cost), cost, jnp.inf))]


def _at_bound(point: jax.Array, gradient: jax.Array) -> jax.Array:
    """Which coordinates stand at their bound with the minimum beyond it."""
    low, high = (jnp.asarray(bound, point.dtype) for bound in _BOX)
    return ((point <= low) & (gradient > 0)) | ((point >= high) & (gradient < 0))


def _std_error(svi: Svi, k, weight, residual, count) -> Svi:
    jacobian = jax.jacfwd(lambda one: one.total_variance(k))(svi)
    columns = jnp.stack(jax.tree.leaves(jacobian), -1) * weight[:, None]
    norm = jnp.sqrt((columns**2).sum(0))
    scaled = columns / jnp.where(norm > 0, norm, 1.0)
    unit = jnp.eye(5, dtype=k.dtype)
    # So much of the unit matrix that a singular one has a Cholesky factor, and derivatives stay finite.
    gram = scaled.T @ scaled + 100 * jnp.finfo(k.dtype).eps * unit
    inverse = jax.scipy.linalg.solve(gram, unit, assume_a="pos")
    variance = ((weight * residual) ** 2).sum() / jnp.maximum(count - 5, 1)
    square = variance * jnp.diag(inverse) / jnp.where(norm > 0, norm, 1.0) ** 2
    known = (square >= 0) & (count > 5) & jnp.all(norm > 0)
    error = jnp.where(known, jnp.sqrt(jnp.where(known, square, 1.0)), jnp.nan)
    return Svi(*error)
