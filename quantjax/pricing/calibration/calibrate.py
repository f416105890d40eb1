"""Calibration of a model to option quotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics.arguments import holds, whole_number
from quantjax.numerics.least_squares import Fit, Method, Reason, least_squares
from quantjax.pricing.calibration.objective import Market, Parameters, engine_error, prior_residuals, vol_errors
from quantjax.pricing.calibration.result import Calibration, CalibrationReason, Starts
from quantjax.pricing.fourier.lewis import Lewis
from quantjax.pricing.price import Engine
from quantjax.pricing.quotes import OptionQuotes

__all__ = ["calibrate"]

# Vols of these errors: docs/heston_calibration.md.
_NODES = 32
# Above this condition the parameters have no digits left: the Jacobian is exact to about 1e-12.
_SINGULAR = 1e8
# The engine's error is small where it is below this share of the fit's rmse, or below so many vol points.
_SHARE, _LEAST = 0.1, 1e-4
# Random starts lie about the model with this standard deviation, in free numbers: a factor of e, or as much of rho.
_SPREAD = 1.0


def calibrate(
    model,
    quotes: OptionQuotes,
    *,
    engine: Engine | None = None,
    method: Method | None = None,
    starts: int = 1,
    key: jax.Array | None = None,
    fixed: Sequence[str] = (),
    priors: Mapping[str, tuple[float, float]] | None = None,
) -> Calibration:
    """The parameters that minimise sum_i (w_i (vol_i(model) - vol_i))^2 + sum_j ((p_j - mean_j) / std_j)^2.

    `model`: the first start, a Module with `parameter_bounds()` (`Heston`), each parameter a scalar; `quotes`: with the
    weights w (`OptionQuotes`). `engine`: `Lewis(nodes=32)` if not given; docs/heston_calibration.md compares numbers of
    nodes. `method`: `LevenbergMarquardt()` if not given, `Optax(optax.adam(0.05))`, or a least-squares solver of
    optimistix. `starts`: how many, the others drawn about the model by `key` (normal, standard deviation 1 in the free
    numbers: a factor e for positive parameters); the best end wins. `fixed`: names of parameters that stay as in the
    model. `priors`: mean and standard deviation by name, of normal laws.

    Parameters stay inside their bounds (`numerics.bounded`). The errors are those of exact implied vols. Returns a
    `Calibration`; look at `converged` and `message`: it says when the fit ended early, at a bound, with fewer quotes
    than parameters, where the quotes do not tell parameters apart, or where the engine's own error at the end
    (`Calibration.engine_error`) exceeds both 1e-4 vol points and a tenth of the rmse.

    Per item: `jax.vmap` over models and stacked quotes. Compiled once for the shape of the quotes and the options.
    Raises TypeError for a model without `parameter_bounds()` and an engine that draws, ValueError for quotes without a
    vol or weight, for float32, for starts outside the bounds, for unknown names, for priors without a positive
    deviation, and for many starts without a key.

    Source: Cui, del Bano Rollin & Germano (2017), Full and fast calibration of the Heston stochastic volatility model,
    EJOR 263:625, who fit prices and whose exact gradient is here forward differentiation.

    >>> from quantjax.pricing import Heston, OptionQuotes, price
    >>> strikes, maturities = jnp.linspace(80.0, 120.0, 5), jnp.array([0.25, 1.0])
    >>> truth = Heston(v0=0.05, kappa=2.0, theta=0.06, xi=0.6, rho=-0.6)
    >>> calls = price(truth, strikes, maturities, forward=100.0)
    >>> quotes = OptionQuotes.from_prices(strikes, maturities, calls, forward=100.0)
    >>> result = calibrate(Heston(v0=0.04, kappa=1.0, theta=0.04, xi=0.4, rho=-0.3), quotes)
    >>> bool(result.converged), round(float(result.model.kappa), 6), round(float(result.rmse), 6)
    (True, 2.0, 0.0)
    """
    engine = Lewis(nodes=_NODES) if engine is None else engine
    model = jax.tree.map(jnp.asarray, model)
    if isinstance(engine, type) or not hasattr(engine, "normalised_price") or not getattr(engine, "traceable", True):
        raise TypeError(f"expected an engine that draws nothing, such as Lewis() or Cos(...), got {engine!r:.80}")
    priors = dict(priors or {})
    _check_quotes(quotes)
    names = _free_names(model, fixed)
    _check_priors(priors, names)
    starts = whole_number(starts, "starts")
    if starts > 1 and key is None:
        raise ValueError(f"expected a key for {starts} starts, got none; give key=jax.random.key(0)")
    return _calibrate(model, quotes, engine, method, starts, key, names, priors)


@eqx.filter_jit
def _calibrate(model, quotes, engine, method, starts, key, names, priors) -> Calibration:
    """`calibrate` of checked arguments."""
    parameters, market = Parameters.of(model, names), Market.of(quotes)

    def residuals(free):
        values = parameters.bounded(free)
        error, exact = vol_errors(parameters.replaced(values), market, engine)
        rows = (market.weights * error).ravel()
        return jnp.concatenate([rows, prior_residuals(parameters, values, priors)]), exact

    def solve(start) -> Fit:
        return least_squares(residuals, start, lower=lower, upper=upper, method=method)

    lower, upper = parameters.reach()
    first = parameters.free(model)
    if starts == 1 or key is None:
        fits = jax.tree.map(lambda leaf: leaf[None], solve(first))
    else:
        drawn = first + _SPREAD * jax.random.normal(key, (starts - 1, len(first)), first.dtype)
        fits = jax.vmap(solve)(jnp.concatenate([first[None], drawn]))
    best = jnp.argmin(jnp.where(jnp.isfinite(fits.cost), fits.cost, jnp.inf))
    fit = jax.tree.map(lambda leaf: leaf[best], fits)
    report = Starts(
        jax.vmap(lambda free: parameters.replaced(parameters.bounded(free)))(fits.unknowns),
        fits.cost,
        fits.num_steps,
        fits.reason,
    )
    return _result(quotes, market, parameters, engine, fit, best, report, len(priors))


def _result(
    quotes: OptionQuotes,
    market: Market,
    parameters: Parameters,
    engine: Engine,
    fit: Fit,
    best,
    report: Starts,
    num_priors: int,
) -> Calibration:
    values = parameters.bounded(fit.unknowns)
    model = parameters.replaced(values)
    slope = jax.vmap(jax.grad(lambda free, number: parameters.bounded(free)[number]), (None, 0))(
        fit.unknowns, jnp.arange(len(values))
    ).diagonal()
    jacobian = fit.jacobian / slope  # by the parameters themselves
    norm = jnp.sqrt((jacobian**2).sum(0))
    scaled = jacobian / jnp.where(norm > 0, norm, 1.0)
    _, singular_values, directions = jnp.linalg.svd(scaled, full_matrices=False)
    full = len(singular_values) == len(values)
    condition = singular_values[0] / (singular_values[-1] if full else 0.0)
    rows = (market.weights > 0).sum() + num_priors
    singular = ~(condition < _SINGULAR)
    excess = rows - len(values)
    regular = (excess > 0) & ~singular
    # (J'J)^-1 from the singular values: J'J itself would square the condition number.
    half = directions / jnp.where(regular, singular_values, 1.0)[:, None] / jnp.where(norm > 0, norm, 1.0)
    # Weights are reciprocals of errors: a fit better than they say tells no more than they do.
    variance = jnp.maximum(fit.cost / jnp.where(excess > 0, excess, 1), 1.0)
    covariance = jnp.where(regular, variance * (half.T @ half), jnp.nan)
    # What may be anywhere in its interval is not found, whatever the solver says.
    widths = jnp.array([interval.upper - interval.lower for interval in parameters.intervals])
    singular = singular | (jnp.sqrt(covariance.diagonal()) > widths).any()

    errors = jnp.where(market.known, 100 * fit.aux, jnp.nan)
    counted = jnp.isfinite(errors)
    square = jnp.where(counted, errors, 0.0) ** 2
    rmse = jnp.sqrt(square.sum() / jnp.maximum(counted.sum(), 1))
    off = 100 * engine_error(model, fit.aux, market, engine)
    # Where the engine knows an error, one that is no number is no small one.
    coarse = ~(off <= jnp.maximum(_SHARE * rmse, _LEAST)) & hasattr(engine, "normalised_error")

    # Solvers stall on the rough cost of an engine that is off.
    reason = jnp.where(coarse & (fit.reason == Reason.STALLED), CalibrationReason.ENGINE_ERROR, fit.reason)
    solved = reason == CalibrationReason.CONVERGED
    for failed, why in (
        (fit.at_bound.any(), CalibrationReason.AT_BOUND),
        (singular, CalibrationReason.SINGULAR),
        (coarse, CalibrationReason.ENGINE_ERROR),
        (rows < len(values), CalibrationReason.TOO_FEW_QUOTES),
    ):
        reason = jnp.where(failed & solved, why, reason)

    shape = market.weights.shape
    weighted = fit.jacobian[: market.weights.size].reshape(*shape, -1) / slope
    used = (market.weights > 0)[..., None]
    return Calibration(
        model=model,
        quotes=quotes,
        errors=errors,
        rmse=rmse,
        max_error=jnp.sqrt(square.max()),
        num_without_vol=(market.known & ~counted).sum(),
        engine_error=off,
        converged=reason == CalibrationReason.CONVERGED,
        reason=reason,
        jacobian=jnp.where(used, weighted / jnp.where(used, market.weights[..., None], 1.0), jnp.nan),
        covariance=covariance,
        condition_number=condition,
        at_bound=fit.at_bound,
        cost=fit.cost,
        num_steps=fit.num_steps,
        start=best,
        starts=report,
        parameters=parameters.names,
    )


def _check_quotes(quotes: OptionQuotes) -> None:
    if quotes.vols.ndim != 2:
        raise ValueError(f"expected one surface, got vols{list(quotes.vols.shape)}; use jax.vmap for a stack of them")
    if any(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(quotes)) or not jax.config.read("jax_enable_x64"):
        raise ValueError(
            "expected quotes in float64, in which derivatives of the prices keep enough digits; call "
            "jax.config.update('jax_enable_x64', True) at the start and give float64 arrays"
        )
    if quotes.vols.size == 0 or not holds(lambda vols: np.isfinite(vols).any(), quotes.vols):
        raise ValueError("expected at least one quote with a vol, got none (all NaN); see quotes.num_unpriced")
    if not holds(lambda vols, weights: (weights[np.isfinite(vols)] > 0).any(), quotes.vols, quotes.weights):
        raise ValueError("expected a weight > 0 at one quote at least, got none")


def _free_names(model: Any, fixed: Sequence[str]) -> tuple[str, ...]:
    """The parameters to be found, of a checked model."""
    if not hasattr(model, "parameter_bounds"):
        raise TypeError(f"expected a model with parameter_bounds() (as Heston has), got {type(model).__name__}")
    if isinstance(fixed, str):
        raise TypeError(f"expected fixed as a sequence of names, got {fixed!r}; give ({fixed!r},)")
    bounds = model.parameter_bounds()
    if unknown := set(fixed) - set(bounds):
        raise ValueError(f"expected fixed among {', '.join(bounds)}, got {', '.join(sorted(unknown))}")
    names = tuple(name for name in bounds if name not in fixed)
    if not names:
        raise ValueError("expected a parameter to be free, got all of them in fixed")
    for name in bounds:
        value = jnp.asarray(getattr(model, name))
        if value.shape != ():
            raise ValueError(f"expected {name} as a scalar, got {list(value.shape)}; use jax.vmap for many models")
        if value.dtype != jnp.float64:
            raise ValueError(
                f"expected {name} in float64, got {value.dtype}; call jax.config.update('jax_enable_x64', True) at the "
                "start and give float64 parameters"
            )
    for name in names:
        (lower, upper), value = bounds[name], getattr(model, name)
        if not holds(lambda x, lower=lower, upper=upper: (x > lower) & (x < upper), value):
            raise ValueError(
                f"expected a start with {lower} < {name} < {upper}, got {float(value)}; move it inside, or fix it"
            )
    return names


def _check_priors(priors: Mapping[str, tuple[float, float]], names: tuple[str, ...]) -> None:
    if unknown := set(priors) - set(names):
        raise ValueError(f"expected priors for free parameters ({', '.join(names)}), got {', '.join(sorted(unknown))}")
    for name, prior in priors.items():
        if len(prior) != 2 or not holds(lambda mean, std: np.isfinite(mean) & (std > 0), *prior):
            raise ValueError(f"expected the prior of {name} as (mean, standard deviation > 0), got {prior}")
