"""What is paid, as functions of whole paths: European, digital, Asian, variance swap."""

from __future__ import annotations

from typing import Literal, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import as_floating
from quantjax.numerics.special import normal_cdf
from quantjax.pricing.arguments import as_call
from quantjax.pricing.monte_carlo.paths import ConditionalPaths, Paths

__all__ = [
    "Asian",
    "Call",
    "Digital",
    "European",
    "Payoff",
    "VarianceSwap",
    "as_strike",
    "check_smoothing",
    "payment",
    "step_up",
    "until",
]

Strike = Float[jax.Array, "*strike"]
Call = Bool[jax.Array, "*strike"]
Payment = Float[jax.Array, "*strike path"]


def as_strike(value) -> jax.Array:
    """A strike, a barrier or an expectation as an array."""
    return as_floating(value, "strike")


class Payoff(Protocol):
    """Anything that pays at one time: a function of `Paths` to payments `[..., path]`, not discounted.

    `at`: the number of the time of payment, in the order of `times`; a function without it pays at the last. A payoff
    with `given_variance(paths: ConditionalPaths)`, the expected payment given the path of the variance, can be priced
    by `MonteCarlo(conditional=True)`.
    """

    def __call__(self, paths: Paths) -> Payment: ...


class European(eqx.Module):
    """max(S_T - K, 0), or max(K - S_T, 0) where `call` is False.

    `strike`: one number or `[...]`; `call`: one truth value or `[...]`; `at`: which of the times is T, the last by
    default.
    """

    strike: Strike = eqx.field(converter=as_strike)
    call: Call = eqx.field(converter=as_call, default=True)
    at: int = eqx.field(static=True, default=-1)

    def __call__(self, paths: Paths) -> Payment:
        return jnp.maximum(self._sign(paths) * (paths.spot[self.at] - _column(self.strike)), 0.0)

    def given_variance(self, paths: ConditionalPaths) -> Payment:
        """Black's formula of what the variance's path leaves random."""
        sign, strike = self._sign(paths), _column(self.strike)
        d1, d2 = _black_d(paths, strike, self.at)
        return sign * (paths.spot[self.at] * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))

    def _sign(self, paths: Paths | ConditionalPaths) -> jax.Array:
        return jnp.where(_column(self.call), 1, -1).astype(paths.times.dtype)


class Digital(eqx.Module):
    """1 where S_T > K, or where S_T <= K with `call=False`: cash or nothing.

    `strike`, `call`, `at`: as in `European`. `smoothing`: pays along a ramp of this width in ln S, centred on the
    strike, instead of a jump; a bias of second order in it. Without it the gradient is NaN, as the derivative of a jump
    says nothing about the price; with `MonteCarlo(conditional=True)` there is no jump and no bias.
    """

    strike: Strike = eqx.field(converter=as_strike)
    call: Call = eqx.field(converter=as_call, default=True)
    at: int = eqx.field(static=True, default=-1)
    smoothing: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        check_smoothing(self.smoothing)

    def __call__(self, paths: Paths) -> Payment:
        distance = paths.log_spot[self.at] - jnp.log(_column(self.strike))
        above = step_up(distance, self.smoothing)
        return jnp.where(_column(self.call), above, 1.0 - above)

    def given_variance(self, paths: ConditionalPaths) -> Payment:
        """The probability that the variance's path leaves."""
        _, d2 = _black_d(paths, _column(self.strike), self.at)
        return normal_cdf(jnp.where(_column(self.call), d2, -d2))


class Asian(eqx.Module):
    """max(A - K, 0), or max(K - A, 0) with `call=False`: A the mean of S over all times up to that of payment.

    `strike`, `call`, `at`: as in `European`; `mean`: "arithmetic" or "geometric". Time 0 is not among the times.
    """

    strike: Strike = eqx.field(converter=as_strike)
    call: Call = eqx.field(converter=as_call, default=True)
    at: int = eqx.field(static=True, default=-1)
    mean: Literal["arithmetic", "geometric"] = eqx.field(static=True, default="arithmetic")

    def __check_init__(self):
        if self.mean not in ("arithmetic", "geometric"):
            raise ValueError(f"expected mean as 'arithmetic' or 'geometric', got {self.mean!r}")

    def __call__(self, paths: Paths) -> Payment:
        if self.mean == "arithmetic":
            average = until(paths.spot, self.at).mean(axis=0)
        else:
            average = jnp.exp(until(paths.log_spot, self.at).mean(axis=0))
        gain = average - _column(self.strike)
        return jnp.maximum(jnp.where(_column(self.call), gain, -gain), 0.0)


class VarianceSwap(eqx.Module):
    """(1 / T) sum (ln S_i / S_{i-1})^2 - K over all times from 0 to that of payment, T: per year, K too.

    `strike`: the variance K, one number or `[...]`, 0 for the realised variance itself.
    """

    strike: Strike = eqx.field(converter=as_strike, default=0.0)
    at: int = eqx.field(static=True, default=-1)

    def __call__(self, paths: Paths) -> Payment:
        log_spot = until(paths.log_spot, self.at)
        steps = jnp.diff(log_spot, axis=0, prepend=jnp.broadcast_to(paths.initial_log_spot, log_spot[:1].shape))
        return (steps**2).sum(axis=0) / paths.times[self.at] - _column(self.strike)


def payment(payoff, paths: Paths | ConditionalPaths) -> Payment:
    """What a payoff pays on paths; TypeError where they are conditional and it does not know how."""
    if isinstance(paths, Paths):
        return payoff(paths)
    if not hasattr(payoff, "given_variance"):
        raise TypeError(
            f"expected payoffs with given_variance(paths) for MonteCarlo(conditional=True), got {payoff!r}; European "
            "and Digital have it"
        )
    return payoff.given_variance(paths)


def until(values: jax.Array, at: int) -> jax.Array:
    """The rows up to and with number `at`."""
    return values if at == -1 else values[: at + 1 or None]


def check_smoothing(smoothing: float) -> None:
    """Raise ValueError for what is no width of a ramp."""
    if not 0 <= smoothing < np.inf:
        raise ValueError(f"expected smoothing >= 0, the width of the ramp in ln S, got {smoothing}")


def step_up(distance: jax.Array, smoothing: float) -> jax.Array:
    """1 above 0, else 0; with a smoothing > 0 a ramp of that width instead."""
    return jnp.clip(distance / smoothing + 0.5, 0.0, 1.0) if smoothing else _unsmooth_step(distance)


@jax.custom_jvp
def _unsmooth_step(distance: jax.Array) -> jax.Array:
    """1 above 0, else 0; its derivative is NaN, because that of a jump's Monte Carlo mean is not the mean's."""
    return (distance > 0).astype(distance.dtype)


@_unsmooth_step.defjvp
def _step_jvp(primals, tangents):
    return _unsmooth_step(primals[0]), jnp.nan * tangents[0]


def _column(value) -> jax.Array:
    return jnp.asarray(value)[..., None]


def _black_d(paths: ConditionalPaths, strike: jax.Array, at: int) -> tuple[jax.Array, jax.Array]:
    """d1 and d2 of Black's formula; a path without variance is as good as one with very little."""
    variance = jnp.maximum(paths.log_variance[at], 1e-24)
    std = jnp.sqrt(variance)
    d2 = (paths.mean[at] - jnp.log(strike)) / std
    return d2 + std, d2
