"""Gatheral's raw SVI: a smile of five parameters, fitted to the quotes of one expiry."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from quantjax.numerics.regression import as_floating
from quantjax.pricing.quotes import OptionQuotes

__all__ = ["Svi", "SviFit", "fit_svi", "fit_svi_slices"]

_GRID = 9  # starts along m and along sigma
_MAX_STEPS = 200
_CHECKED = 201  # points at which the density is looked at


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


def fit_svi(log_moneyness, total_variance, error: jax.typing.ArrayLike = 1.0) -> SviFit:
    """SVI by weighted least squares: min over the parameters of sum ((w(k_i) - w_i) / e_i)^2.

    `log_moneyness` k = ln(K / F), `total_variance` w = vol^2 T, `[strike]`; `error` e, a number or `[strike]`, > 0: how
    far w may be off, such as half the bid-ask spread in total variance; only ratios matter. A quote with a number that
    is not finite or an error that is not positive takes no part, so shorter slices are padded with NaN.

    The fit stays where w >= 0 everywhere and b (1 + |rho|) <= 2 (Lee's bound on the wings). For given (m, sigma) the
    other three parameters are linear, so a grid of (m, sigma) with a linear solve each gives the start of
    Levenberg-Marquardt over all five. A butterfly arbitrage is not forbidden but told (`min_density`).

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
    arbitrage between them is possible. Smooth vols at the quotes are `jax.vmap(Svi.implied_vol)(fit.svi,
    quotes.log_moneyness, quotes.maturities)`. Per item. Raises ValueError for a stack of surfaces.

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

    def residuals(z, data):
        x, y, weight, steepest = data
        return weight * (_unpack(z, steepest).total_variance(x) - y)

    data = (x, y, weight, steepest)
    held = jax.lax.stop_gradient(data)
    z, num_steps, met = _levenberg_marquardt(lambda z: residuals(z, held), _start(*held))

    # A Newton step at the minimum changes no value, and carries the derivatives of the implicit function theorem.
    def half_square(z, data):
        return 0.5 * (residuals(z, data) ** 2).sum()

    hessian = jax.hessian(half_square)(z, held)
    jitter = jnp.finfo(dtype).eps * jnp.trace(jnp.abs(hessian)) + jnp.finfo(dtype).tiny
    gradient = jax.grad(half_square)(z, data)
    step = jnp.linalg.solve(hessian + jitter * jnp.eye(5, dtype=dtype), gradient)
    step = jnp.where(jnp.isfinite(step), step, 0.0)  # a slice without a minimum
    z = z - (step - jax.lax.stop_gradient(step))
    unit = _unpack(z, steepest)
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


def _levenberg_marquardt(residuals, z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A minimum of sum r(z)^2 from `z`, the steps taken, and whether it is one.

    It is where Gauss and Newton's step would lower the sum by no more than a rounding; or where the fit is exact. The
    solver of optimistix asks for steps that change neither z nor the sum, which rounding keeps some slices from.
    """
    eps = jnp.finfo(z.dtype).eps
    exact = (100 * eps) ** 2
    identity = jnp.eye(len(z), dtype=z.dtype)

    def about(z):
        """r'r, the triangle R of J = Q R with columns of unit length, Q'r, and the lengths."""
        r, jacobian = residuals(z), jax.jacfwd(residuals)(z)
        norm = jnp.sqrt((jacobian**2).sum(0))
        scale = jnp.where(norm > 0, norm, 1.0)
        # With the squares of J'J, slices that turn outside their strikes are not fitted to the last digits.
        q, triangle = jnp.linalg.qr(jnp.concatenate([jacobian / scale, eps * identity]))
        return (r**2).sum(), triangle, q[: len(r)].T @ r, scale

    def solved(triangle, projected, damping):
        q, damped = jnp.linalg.qr(jnp.concatenate([triangle, jnp.sqrt(damping) * identity]))
        return jax.scipy.linalg.solve_triangular(damped, q[: len(z)].T @ projected)

    def unfinished(state):
        _, _, num_steps, _, met = state
        return (num_steps < _MAX_STEPS) & ~met

    def step(state):
        z, here, num_steps, damping, _ = state
        cost, triangle, projected, scale = here
        tried = z - solved(triangle, projected, damping) / scale
        then = about(tried)
        better = then[0] < cost
        here = jax.tree.map(lambda new, old: jnp.where(better, new, old), then, here)
        left = (here[2] ** 2).sum()  # what the linear model could still gain
        met = (left <= 10 * eps * here[0]) | (here[0] <= exact)
        damping = jnp.clip(jnp.where(better, damping / 5, damping * 4), eps**2, 1 / eps)
        return jnp.where(better, tried, z), here, num_steps + 1, damping, met

    start = (z, about(z), jnp.zeros((), jnp.int32), jnp.asarray(1e-2, z.dtype), jnp.asarray(False))
    z, _, num_steps, _, met = jax.lax.while_loop(unfinished, step, start)
    return z, num_steps, met


def _unpack(z: jax.Array, steepest) -> Svi:
    """Five free numbers as a slice with w >= 0 and wings no steeper than Lee's bound.

    ln of the least variance, the logits of the slopes of the left and the right wing over the bound, m, ln sigma.
    """
    left, right = steepest * jax.nn.sigmoid(z[1]), steepest * jax.nn.sigmoid(z[2])
    sigma = jnp.exp(z[4])
    least = sigma * jnp.sqrt(left * right)  # of the curve without a: b sigma sqrt(1 - rho^2)
    return Svi(jnp.exp(z[0]) - least, (left + right) / 2, (right - left) / (right + left), z[3], sigma)


def _start(x, y, weight, steepest) -> jax.Array:
    """Free numbers of a slice near the best: of a grid of (m, ln sigma) the best point, led to the minimum over both.

    For given m and sigma the curve is linear in the other three, which a linear solve gives: without them nothing is
    left of the narrow curved valley that five free parameters make. Bounds are met by clipping.
    """

    def linear(point):
        """The weighted columns of the three linear parameters, orthonormal, and the triangle that undoes it."""
        u = (x - point[0]) / jnp.exp(point[1])
        columns = jnp.stack([jnp.ones_like(u), u, jnp.sqrt(u**2 + 1)], -1) * weight[:, None]
        # Equal or few strikes leave directions open: a little of the identity closes them.
        size = jnp.sqrt((columns**2).sum()) + jnp.finfo(y.dtype).tiny
        tiny = 10 * jnp.finfo(y.dtype).eps * size * jnp.eye(3, dtype=y.dtype)
        q, triangle = jnp.linalg.qr(jnp.concatenate([columns, tiny]))
        return u, q[: len(x)], triangle

    def left_over(point):
        _, q, _ = linear(point)
        return weight * y - q @ (q.T @ (weight * y))

    def bounded(point):
        u, q, triangle = linear(point)
        sigma = jnp.exp(point[1])
        _, tilt, arch = jax.scipy.linalg.solve_triangular(triangle, q.T @ (weight * y))
        arch = jnp.clip(arch, 1e-6, 0.499 * steepest * sigma)
        tilt = jnp.clip(tilt, -0.999 * arch, 0.999 * arch)
        edge = 0.999 * steepest * sigma - arch  # no wing beyond Lee's bound
        tilt = jnp.clip(tilt, -edge, edge)
        shape = tilt * u + arch * jnp.sqrt(u**2 + 1)
        total = jnp.maximum((weight**2).sum(), jnp.finfo(y.dtype).tiny)
        least = jnp.sqrt(arch**2 - tilt**2)
        lowest = jnp.maximum((weight**2 * (y - shape)).sum() / total + least, 1e-6)
        cost = ((weight * (lowest - least + shape - y)) ** 2).sum()
        left, right = (arch - tilt) / sigma / steepest, (arch + tilt) / sigma / steepest
        return cost, jnp.stack([jnp.log(lowest), _logit(left), _logit(right), point[0], point[1]])

    m = jnp.linspace(-0.25, 1.25, _GRID, dtype=y.dtype)
    sigma = jnp.geomspace(0.02, 2.0, _GRID, dtype=y.dtype)
    points = jnp.stack([grid.ravel() for grid in jnp.meshgrid(m, jnp.log(sigma))], -1)
    cost, z = jax.vmap(bounded)(points)
    best = jnp.argmin(jnp.where(jnp.isfinite(cost), cost, jnp.inf))
    led, _, _ = _levenberg_marquardt(left_over, points[best])
    led_cost, led_z = bounded(led)
    return jnp.where(led_cost < cost[best], led_z, z[best])


def _logit(share: jax.Array) -> jax.Array:
    return jnp.log(share) - jnp.log1p(-share)


def _std_error(svi: Svi, k, weight, residual, count) -> Svi:
    jacobian = jax.jacfwd(lambda one: one.total_variance(k))(svi)
    columns = jnp.stack(jax.tree.leaves(jacobian), -1) * weight[:, None]
    norm = jnp.sqrt((columns**2).sum(0))
    safe = jnp.where(norm > 0, norm, 1.0)
    gram = (columns / safe).T @ (columns / safe)
    inverse = jnp.linalg.inv(gram)
    variance = ((weight * residual) ** 2).sum() / jnp.maximum(count - 5, 1)
    square = variance * jnp.diag(inverse) / safe**2
    known = (square >= 0) & (count > 5) & jnp.all(norm > 0)
    error = jnp.where(known, jnp.sqrt(jnp.where(known, square, 1.0)), jnp.nan)
    return Svi(*error)
