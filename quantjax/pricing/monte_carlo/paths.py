"""What a simulation hands to payoffs: paths, or their law given the variance."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

__all__ = ["ConditionalPaths", "Paths"]


class Paths(eqx.Module):
    """Simulated paths, seen at `times`.

    `times` `[time]`: years, increasing; `initial_log_spot`: ln S_0, one number; `log_spot` `[time, path]`: ln S_t;
    `variance` `[time, path]`: v_t, per year; `integrated_variance` `[time, path]`: int_0^t v ds. A model's `simulate`
    gives ln(S_t / F_t), whose initial value is 0; `pricing.simulate_price` adds the forwards.
    """

    times: Float[jax.Array, "time"]
    initial_log_spot: Float[jax.Array, ""]
    log_spot: Float[jax.Array, "time path"]
    variance: Float[jax.Array, "time path"]
    integrated_variance: Float[jax.Array, "time path"]

    @property
    def spot(self) -> Float[jax.Array, "time path"]:
        """S_t, `[time, path]`."""
        return jnp.exp(self.log_spot)


class ConditionalPaths(eqx.Module):
    """The law of ln S_t given the path of the variance: normal with mean `mean` and variance `log_variance`.

    All `[time, path]` but `times` `[time]` and `initial_log_spot`. What remains random is the Brownian motion that is
    independent of the variance; `forward` is E[S_t | variance]. Source: Romano & Touzi (1997), Contingent claims and
    market completeness in a stochastic volatility model, Mathematical Finance 7:399.
    """

    times: Float[jax.Array, "time"]
    initial_log_spot: Float[jax.Array, ""]
    mean: Float[jax.Array, "time path"]
    log_variance: Float[jax.Array, "time path"]
    variance: Float[jax.Array, "time path"]
    integrated_variance: Float[jax.Array, "time path"]

    @property
    def forward(self) -> Float[jax.Array, "time path"]:
        """E[S_t | variance] = exp(mean + log_variance / 2), `[time, path]`."""
        return jnp.exp(self.mean + 0.5 * self.log_variance)
