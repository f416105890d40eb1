"""What a simulation hands to payoffs: paths, or their law given the variance."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

__all__ = ["ConditionalPaths", "Paths"]


class Paths(eqx.Module):
    """Simulated paths, seen at `times`.

    `times` `[time]`: years, increasing; `initial_log_spot`: ln S_0, one number; `log_forward` `[time]`: ln F_t;
    `log_spot` `[time, path]`: ln S_t; `variance` `[time, path]`: v_t, per year; `integrated_variance` `[time, path]`:
    int_0^t v ds. A model's `simulate` gives paths whose S_0 and forwards are 1; `scaled` gives them others.
    """

    times: Float[jax.Array, " time"]
    initial_log_spot: Float[jax.Array, ""]
    log_forward: Float[jax.Array, " time"]
    log_spot: Float[jax.Array, "time path"]
    variance: Float[jax.Array, "time path"]
    integrated_variance: Float[jax.Array, "time path"]

    @property
    def spot(self) -> Float[jax.Array, "time path"]:
        """S_t, `[time, path]`."""
        return jnp.exp(self.log_spot)

    def scaled(self, spot, forward: Float[jax.Array, " time"]) -> Paths:
        """The same paths with this S_0 and these forwards."""
        return dataclasses.replace(self, **_shifted(self, spot, forward), log_spot=self.log_spot + _log(forward))


class ConditionalPaths(eqx.Module):
    """The law of ln S_t given the path of the variance: normal, with these `mean` and `log_variance`.

    All `[time, path]` but `times`, `log_forward` `[time]` and `initial_log_spot`, as in `Paths`. What remains random is
    the Brownian motion that is independent of the variance. Source: Romano & Touzi (1997), Contingent claims and
    market completeness in a stochastic volatility model, Mathematical Finance 7:399.
    """

    times: Float[jax.Array, " time"]
    initial_log_spot: Float[jax.Array, ""]
    log_forward: Float[jax.Array, " time"]
    mean: Float[jax.Array, "time path"]
    log_variance: Float[jax.Array, "time path"]
    variance: Float[jax.Array, "time path"]
    integrated_variance: Float[jax.Array, "time path"]

    @property
    def spot(self) -> Float[jax.Array, "time path"]:
        """E[S_t | variance] = exp(mean + log_variance / 2), `[time, path]`."""
        return jnp.exp(self.mean + 0.5 * self.log_variance)

    def scaled(self, spot, forward: Float[jax.Array, " time"]) -> ConditionalPaths:
        """The same paths with this S_0 and these forwards."""
        return dataclasses.replace(self, **_shifted(self, spot, forward), mean=self.mean + _log(forward))


def _shifted(paths: Paths | ConditionalPaths, spot, forward) -> dict[str, jax.Array]:
    return {
        "initial_log_spot": jnp.log(jnp.asarray(spot, paths.times.dtype)),
        "log_forward": jnp.log(jnp.asarray(forward, paths.times.dtype)),
    }


def _log(forward: jax.Array) -> jax.Array:
    return jnp.log(jnp.asarray(forward))[:, None]
