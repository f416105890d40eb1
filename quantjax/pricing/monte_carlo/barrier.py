"""Barrier options, watched at the simulated times or, corrected by a Brownian bridge, between them as well."""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quantjax.pricing.arguments import as_call
from quantjax.pricing.monte_carlo.paths import Paths
from quantjax.pricing.monte_carlo.payoffs import Call, European, as_strike, check_smoothing, step_up, until

__all__ = ["Barrier"]


class Barrier(eqx.Module):
    """A European payoff that a barrier, touched from `side` "up" or "down", knocks "out" or "in"; no rebate.

    `barrier` one number or `[...]` as `strike`. `continuous=True`: between two times the path is a Brownian bridge with
    the variance V that the path had there, and stays below an upper barrier with probability
    1 - exp(-2 ln(B / S_i) ln(B / S_{i+1}) / V); the payment is the payoff times that of all gaps, which has no jump,
    so that gradients are right. False watches at the times alone; its gradient is NaN, as that of `Digital`, unless
    `smoothing` > 0: at each time it then survives along a ramp of this width in ln S, centred on the barrier, a bias of
    second order in it. A spot beyond the barrier at time 0 has touched it. Steps count: make the times as dense as the
    scheme's steps. Source: Andersen & Brotherton-Ratcliffe (1996), Exact exotics, Risk 9(10); Glasserman (2003),
    section 6.4.

    >>> Barrier(100.0, 135.0, "up", "out").continuous
    True
    """

    strike: Float[jax.Array, "*strike"] = eqx.field(converter=as_strike)
    barrier: Float[jax.Array, "*strike"] = eqx.field(converter=as_strike)
    side: Literal["up", "down"] = eqx.field(static=True)
    knock: Literal["in", "out"] = eqx.field(static=True)
    call: Call = eqx.field(converter=as_call, default=True)
    continuous: bool = eqx.field(static=True, default=True)
    at: int = eqx.field(static=True, default=-1)
    smoothing: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        check_smoothing(self.smoothing)
        if self.smoothing and self.continuous:
            raise ValueError("expected smoothing with continuous=False only: a continuous barrier is smooth as it is")
        if self.side not in ("up", "down") or self.knock not in ("in", "out"):
            raise ValueError(
                f"expected side as 'up' or 'down' and knock as 'in' or 'out', got {self.side!r} and {self.knock!r}"
            )

    def __call__(self, paths: Paths) -> Float[jax.Array, "*strike path"]:
        payment = European(self.strike, self.call, self.at)(paths)
        level = jnp.log(jnp.asarray(self.barrier))
        shape = np.broadcast_shapes(jnp.shape(self.strike), level.shape)
        level = jnp.broadcast_to(level, shape)[..., None]
        log_spot, variance = until(paths.log_spot, self.at), until(paths.integrated_variance, self.at)
        start = jnp.broadcast_to(paths.initial_log_spot, log_spot[:1].shape)
        log_spot = jnp.concatenate([start, log_spot])
        gap_variance = jnp.diff(variance, axis=0, prepend=0.0)
        sign = 1.0 if self.side == "up" else -1.0

        def survives(alive, gap):
            before, after, spread = gap
            before, after = sign * (level - before), sign * (level - after)
            if not self.continuous:
                return alive * step_up(after, self.smoothing), None
            inside = (before > 0) & (after > 0)
            # Where the path is not inside, or does not move, the exponent has no meaning and its value no part.
            moves = inside & (spread > 0)
            exponent = jnp.where(moves, before * after, 1.0) / jnp.where(moves, spread, 1.0)
            stays = jnp.where(moves, -jnp.expm1(-2 * exponent), jnp.where(inside, 1.0, 0.0))
            return alive * stays, None

        untouched = (sign * (level - paths.initial_log_spot) > 0).astype(log_spot.dtype)
        untouched = jnp.broadcast_to(untouched, (*shape, log_spot.shape[1]))
        alive, _ = jax.lax.scan(survives, untouched, (log_spot[:-1], log_spot[1:], gap_variance))
        return payment * (alive if self.knock == "out" else 1.0 - alive)
