"""What a calibration found."""

from __future__ import annotations

import enum
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from quantjax.numerics.least_squares import Reason
from quantjax.pricing.quotes import OptionQuotes

__all__ = ["Calibration", "CalibrationReason", "Starts"]


class CalibrationReason(enum.IntEnum):
    """Why a calibration ended; `Calibration.converged` is that of the first only."""

    CONVERGED = Reason.CONVERGED
    MAX_STEPS = Reason.MAX_STEPS
    STALLED = Reason.STALLED
    NOT_FINITE = Reason.NOT_FINITE
    TOO_FEW_QUOTES = 4
    SINGULAR = 5
    AT_BOUND = 6
    ENGINE_ERROR = 7


_MESSAGES = {
    CalibrationReason.CONVERGED: "converged",
    CalibrationReason.MAX_STEPS: "no end after max_steps: give the method more, or another start",
    CalibrationReason.STALLED: "no step lowered the error: give another start, or the engine more nodes",
    CalibrationReason.NOT_FINITE: "the model has no finite prices at the start: give another start",
    CalibrationReason.TOO_FEW_QUOTES: "fewer quotes (and priors) than parameters: fix parameters, or give priors",
    CalibrationReason.SINGULAR: "the quotes do not tell the parameters apart: fix some, or give priors",
    CalibrationReason.AT_BOUND: "the best fit lies at a bound of a parameter: fix it, give a prior, or another model",
    CalibrationReason.ENGINE_ERROR: "the engine's own error is large beside the fit's: give it more nodes or terms, or "
    "leave out quotes so far in the wings that their prices have no digits",
}


class Starts(eqx.Module):
    """What became of each start, `[start]`: `models` at their ends, `cost`, `num_steps`, `reason` of the solver."""

    models: Any
    cost: Float[jax.Array, "*batch start"]
    num_steps: Int[jax.Array, "*batch start"]
    reason: Int[jax.Array, "*batch start"]


class Calibration(eqx.Module):
    """A model fitted to quotes by `calibrate`.

    `model`; `errors` `[maturity, strike]`: its implied vols less the market's, in vol points (1 is a vol of 0.01), NaN
    where there is no quote, and where the model's price has no implied vol: `num_without_vol` counts
    those quotes; `rmse` and `max_error` over the others, in vol points, unweighted. `engine_error`: the largest error
    of the engine's prices at the end by its own account (`normalised_error`), in vol points, over the quotes with a
    weight; NaN for an engine that knows none. `converged`, and why: `reason`, a number of `CalibrationReason`;
    `message` says it in words.

    `parameters`: names of those that were free, in the order of the arrays that follow. `jacobian`
    `[maturity, strike, parameter]`: derivative of the implied vols (decimals) by the parameters, NaN where there is no
    quote or its weight is 0. `covariance` `[parameter, parameter]` and `std_error` of the parameters: s^2 (J'J)^-1 of
    the weighted errors and priors, s^2 = max(1, cost / (rows - parameters)), as weights are reciprocals of errors; NaN
    where rows are lacking or the Jacobian is singular. `condition_number` of that Jacobian with its columns scaled to
    length 1: above 1e8 it counts as singular, as does a standard error wider than the parameter's interval.
    `at_bound` `[parameter]`. `cost`: the sum of squared weighted errors and priors; `num_steps`: evaluations of the
    Jacobian; `start`: number of the start that won, `starts` tells of all.
    """

    model: Any
    quotes: OptionQuotes
    errors: Float[jax.Array, "*batch maturity strike"]
    rmse: Float[jax.Array, "*batch"]
    max_error: Float[jax.Array, "*batch"]
    num_without_vol: Int[jax.Array, "*batch"]
    engine_error: Float[jax.Array, "*batch"]
    converged: Bool[jax.Array, "*batch"]
    reason: Int[jax.Array, "*batch"]
    jacobian: Float[jax.Array, "*batch maturity strike parameter"]
    covariance: Float[jax.Array, "*batch parameter parameter"]
    condition_number: Float[jax.Array, "*batch"]
    at_bound: Bool[jax.Array, "*batch parameter"]
    cost: Float[jax.Array, "*batch"]
    num_steps: Int[jax.Array, "*batch"]
    start: Int[jax.Array, "*batch"]
    starts: Starts
    parameters: tuple[str, ...] = eqx.field(static=True)

    @property
    def std_error(self) -> dict[str, Float[jax.Array, "*batch"]]:
        """Standard error of each free parameter."""
        return {name: jnp.sqrt(self.covariance[..., number, number]) for number, name in enumerate(self.parameters)}

    @property
    def message(self) -> str:
        """`reason` in words, with the names of what is at a bound. Of one calibration, outside jit."""
        reason = CalibrationReason(int(self.reason))
        names = [name for name, held in zip(self.parameters, self.at_bound.tolist(), strict=True) if held]
        return _MESSAGES[reason] + (f" ({', '.join(names)})" if reason == CalibrationReason.AT_BOUND else "")

    @property
    def summary(self) -> str:
        """A few lines for a person. Of one calibration, outside jit."""
        lines = [f"{type(self.model).__name__} on {int(self.quotes.num_quotes)} quotes: {self.message}"]
        lines.append(f"error {float(self.rmse):.3g} vol points rmse, {float(self.max_error):.3g} at most")
        if int(self.num_without_vol):
            lines.append(f"quotes without a vol of the model, not in the error: {int(self.num_without_vol)}")
        if not jnp.isnan(self.engine_error):
            lines.append(f"engine off by {float(self.engine_error):.2g} vol points at most")
        lines += [
            f"{name:>6} {float(getattr(self.model, name)):12.6g} +- {float(error):.2g}"
            for name, error in self.std_error.items()
        ]
        lines.append(f"condition {float(self.condition_number):.2g}, {int(self.num_steps)} steps")
        return "\n".join(lines)

    def to_pandas(self):
        """`quotes.to_pandas()` with columns `model_vol` and `error` (vol points)."""
        import numpy as np

        table = self.quotes.to_pandas()
        error = np.asarray(self.errors)[np.isfinite(np.asarray(self.quotes.vols))]
        return table.assign(model_vol=table["vol"] + error / 100, error=error)

    def by_maturity(self):
        """A row a maturity, in the order of the quotes: how well it is fitted. Of one calibration, outside jit.

        `maturity`; `num_quotes`, and how many of them are `num_without_vol`; `rmse`, `max_error` and the mean
        `half_spread` of the quotes, in vol points, NaN where there is nothing to take them of.
        """
        import numpy as np
        import pandas as pd

        quotes = self.quotes
        quoted = np.isfinite(np.asarray(quotes.vols))
        errors = pd.DataFrame(np.asarray(self.errors))  # its means and maxima pass over NaN
        half_spreads = pd.DataFrame(50 * (np.asarray(quotes.ask_vols) - np.asarray(quotes.bid_vols)))
        columns = {
            "maturity": np.asarray(quotes.maturities),
            "num_quotes": quoted.sum(axis=1),
            "num_without_vol": quoted.sum(axis=1) - errors.count(axis=1),
            "rmse": (errors**2).mean(axis=1) ** 0.5,
            "max_error": errors.abs().max(axis=1),
            "half_spread": half_spreads.where(quoted).mean(axis=1),
        }
        return pd.DataFrame(columns)
