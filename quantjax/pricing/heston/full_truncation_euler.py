"""Euler's scheme for Heston's model with full truncation, the plain one."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from quantjax.numerics.arguments import check_positive
from quantjax.pricing.monte_carlo.stepping import Step

__all__ = ["FullTruncationEuler"]


class FullTruncationEuler(eqx.Module):
    """v' = v + kappa (theta - v+) D + xi sqrt(v+ D) Z, ln S' = ln S - v+ D/2 + sqrt(v+ D) (rho Z + sqrt(1 - rho^2) Z').

    v+ = max(v, 0); v itself, which is the `variance` of the paths, may be negative. The least biased of the Euler
    schemes, of first order where Feller's condition holds and slower where it does not: `QuadraticExponential` needs
    far fewer steps. `steps_per_year`, `substeps`: as there. Source: Lord, Koekkoek & van Dijk (2010), A comparison of
    biased simulation schemes for stochastic volatility models, Quantitative Finance 10:177, eq. 11.

    >>> FullTruncationEuler(steps_per_year=250).substeps is None
    True
    """

    steps_per_year: float = eqx.field(static=True, default=250.0)
    substeps: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_positive("steps_per_year", self.steps_per_year)

    def coefficients(self, model, step_size: jax.Array) -> tuple[jax.Array, ...]:
        """What a step of this size needs, as numbers."""
        root = jnp.sqrt(step_size)
        return (
            step_size,
            model.kappa * step_size,
            model.theta,
            model.xi * root,
            model.rho * root,
            (1 - model.rho**2) * step_size,
        )

    def step(self, coefficients, variance: jax.Array, normal: jax.Array) -> Step:
        """One step of every path, `[path]`."""
        step_size, speed, theta, vol_of_vol, correlated, remaining = coefficients
        positive = variance > 0
        v = jnp.where(positive, variance, 0.0)
        # The inner where keeps the derivative of the root finite where it is not taken.
        shock = jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0) * normal
        after = variance + speed * (theta - v) + vol_of_vol * shock
        return Step(after, correlated * shock - 0.5 * step_size * v, remaining * v, step_size * v)
