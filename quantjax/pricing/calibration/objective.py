"""What calibration minimises: weighted errors of implied vols, and what priors add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.bounded import Interval
from quantjax.pricing.black import black_price
from quantjax.pricing.implied_vol import implied_vol
from quantjax.pricing.price import Engine
from quantjax.pricing.quotes import OptionQuotes

__all__ = ["Market", "Parameters", "engine_error", "prior_residuals", "vol_errors"]

Table = Float[jax.Array, "maturity strike"]

_LEAST_VEGA = 1e-8  # of the forward


class Parameters(eqx.Module):
    """The free parameters of a model as a vector of free numbers: `names`, the bounds of each, and the model whose
    other parameters stay."""

    model: Any
    names: tuple[str, ...] = eqx.field(static=True)
    intervals: tuple[Interval, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, model, names: tuple[str, ...]) -> Parameters:
        """Between the model's own bounds."""
        bounds = model.parameter_bounds()
        return cls(model, names, tuple(Interval(*bounds[name]) for name in names))

    def free(self, model) -> Float[jax.Array, " parameter"]:
        """The vector of a model."""
        pairs = zip(self.intervals, self.names, strict=True)
        return jnp.stack([interval.free(getattr(model, name)) for interval, name in pairs])

    def bounded(self, free: Float[jax.Array, " parameter"]) -> Float[jax.Array, " parameter"]:
        """Parameters from the vector."""
        return jnp.stack([interval.bounded(value) for interval, value in zip(self.intervals, free, strict=True)])

    def replaced(self, values: Float[jax.Array, " parameter"]):
        """The model with these values of the free parameters."""
        return eqx.tree_at(lambda model: [getattr(model, name) for name in self.names], self.model, list(values))

    def reach(self) -> tuple[jax.Array, jax.Array]:
        """The free numbers at which parameters count as at their bounds."""
        lower, upper = zip(*(interval.reach for interval in self.intervals), strict=True)
        return jnp.array(lower), jnp.array(upper)


class Market(eqx.Module):
    """Quotes in units of the forward, with values at which everything is finite where there is none."""

    log_moneyness: Table
    maturities: Float[jax.Array, " maturity"]
    calls: Bool[jax.Array, "maturity strike"]
    vols: Table
    prices: Table
    vegas: Table
    known: Bool[jax.Array, "maturity strike"]
    weights: Table

    @classmethod
    def of(cls, quotes: OptionQuotes) -> Market:
        """From quotes; only strikes and vols that are known count."""
        known = jnp.isfinite(quotes.vols) & jnp.isfinite(quotes.strikes)
        log_moneyness = jnp.where(known, jnp.log(quotes.strikes) - jnp.log(quotes.forward)[:, None], 0.0)
        maturities = jnp.where(known.any(-1), quotes.maturities, 1.0)
        vols = jnp.where(known, quotes.vols, 0.2)
        calls = log_moneyness >= 0
        strikes, column = jnp.exp(log_moneyness), maturities[:, None]
        prices = black_price(1.0, strikes, column, vols, 1.0, calls)
        vegas = _normalised_vega(log_moneyness, column, vols)
        weights = jnp.where(known, quotes.weights, 0.0)
        return cls(log_moneyness, maturities, calls, vols, prices, jnp.maximum(vegas, _LEAST_VEGA), known, weights)


def vol_errors(model, market: Market, engine: Engine) -> tuple[Table, Table]:
    """Vol of the model less that of the market; the first with what stands in for it where the model has no vol.

    That is where the engine's price is beyond its bounds, by rounding far in the wings or by a model far off: there the
    first is the difference of prices over the market's vega, and the second is NaN. Both are 0 where there is no quote.
    """
    prices = engine.normalised_price(model, market.log_moneyness, market.maturities, market.calls)
    return _errors(prices, market)


@jax.custom_jvp
def _errors(prices: Table, market: Market) -> tuple[Table, Table]:
    error, exact, _ = _errors_and_slope(prices, market)
    return error, exact


@_errors.defjvp
def _errors_jvp(primals, tangents):
    # By the implicit function: the solver for the vol is not differentiated.
    error, exact, slope = _errors_and_slope(*primals)
    return (error, exact), (slope * tangents[0], slope * tangents[0])


def _errors_and_slope(prices: Table, market: Market) -> tuple[Table, Table, Table]:
    strikes = jnp.exp(market.log_moneyness)
    vols = implied_vol(prices, 1.0, strikes, market.maturities[:, None], 1.0, market.calls)
    has_vol = (vols > 0) & jnp.isfinite(vols)
    vols = jnp.where(has_vol, vols, market.vols)
    linear = (prices - market.prices) / market.vegas
    error = jnp.where(market.known, jnp.where(has_vol, vols - market.vols, linear), 0.0)
    vegas = jnp.where(has_vol, _normalised_vega(market.log_moneyness, market.maturities[:, None], vols), market.vegas)
    slope = jnp.where(market.known & (vegas > 0), 1 / jnp.where(vegas > 0, vegas, 1.0), 0.0)
    return error, jnp.where(has_vol | ~market.known, error, jnp.nan), slope


def engine_error(model, errors: Table, market: Market, engine: Engine) -> Float[jax.Array, ""]:
    """The largest error of the engine in vol, by its own account, over the quotes with a weight.

    `errors`: of the model, exact, as `vol_errors` gives them second; they tell the vols at which prices become vols.
    NaN for an engine without `normalised_error`.
    """
    normalised_error = getattr(engine, "normalised_error", None)
    if normalised_error is None:
        return jnp.full((), jnp.nan, market.vols.dtype)
    maturities = market.maturities
    prices = normalised_error(model, market.log_moneyness, maturities, market.calls)
    has_vol = jnp.isfinite(errors)
    vols = market.vols + jnp.where(has_vol, errors, 0.0)
    vegas = jnp.where(has_vol, _normalised_vega(market.log_moneyness, maturities[:, None], vols), market.vegas)
    return jnp.where(market.weights > 0, prices / vegas, 0.0).max()


def _normalised_vega(log_moneyness, maturity, vol) -> jax.Array:
    """Derivative of Black's price by the vol, in forwards. Broadcasting."""
    deviation = vol * jnp.sqrt(maturity)
    d1 = -log_moneyness / deviation + 0.5 * deviation
    return jnp.sqrt(maturity / (2 * jnp.pi)) * jnp.exp(-0.5 * d1**2)


def prior_residuals(
    parameters: Parameters, values: Float[jax.Array, " parameter"], priors: Mapping[str, tuple[float, float]]
) -> Float[jax.Array, " prior"]:
    """(parameter - mean) / std for each prior."""
    rows = [(values[parameters.names.index(name)] - mean) / std for name, (mean, std) in priors.items()]
    return jnp.stack(rows) if rows else jnp.zeros(0, values.dtype)
