"""What is known about the paths, to take its noise out of what is not."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.pricing.monte_carlo.paths import ConditionalPaths, Paths
from quantjax.pricing.monte_carlo.payoffs import as_strike, payment

__all__ = ["ControlVariate", "SpotControl"]


class ControlVariate(eqx.Module):
    """A payoff whose expected payment, not discounted, is known: a European by a Fourier engine, say.

    `payoff`: as those that are priced; `expectation`: one number or `[...]`, as the payoff pays. Several strikes are
    several controls.
    """

    payoff: Callable[[Paths], jax.Array]
    expectation: Float[jax.Array, "*strike"] = eqx.field(converter=as_strike)

    def values(self, paths: Paths | ConditionalPaths) -> Float[jax.Array, "control path"]:
        """Payments minus their expectations."""
        value = payment(self.payoff, paths) - jnp.asarray(self.expectation)[..., None]
        return value.reshape(-1, value.shape[-1])


class SpotControl(eqx.Module):
    """S_t / F_t - 1 at each of the times numbered `at` (the last by default): 0 in the mean, whatever the model."""

    at: tuple[int, ...] = eqx.field(static=True, default=(-1,))

    def values(self, paths: Paths | ConditionalPaths) -> Float[jax.Array, "control path"]:
        """S_t / F_t - 1."""
        chosen = jnp.array(self.at)
        return paths.spot[chosen] * jnp.exp(-paths.log_forward[chosen])[:, None] - 1
