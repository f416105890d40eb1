"""Nonlinear least squares in a few unknowns between bounds: Levenberg-Marquardt in one compiled loop."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import optimistix
from jaxtyping import Bool, Float, Int

from quantjax.numerics.arguments import check_positive, whole_number

__all__ = ["Fit", "LevenbergMarquardt", "Method", "Optax", "Reason", "least_squares"]

Vector = Float[jax.Array, " unknown"]
Residuals = Callable[[Vector], tuple[Float[jax.Array, " residual"], Any]]

# The damping starts at the first, and beyond the last no step is short enough.
_FIRST_DAMPING, _LAST_DAMPING = 1e-3, 1e10
# A step as short as this that does not lower the cost is lost in the rounding of the function.
_ROUNDING = 1e-5
# Enough for Cholesky's decomposition of a singular matrix.
_NO_DAMPING = 1e-11
# No step is longer: unknowns are logarithms, or nearly.
_LONGEST_STEP = 2.0


class Reason(enum.IntEnum):
    """Why a solver ended."""

    CONVERGED = 0
    MAX_STEPS = 1
    STALLED = 2
    NOT_FINITE = 3


class Fit(eqx.Module):
    """Where a solver ended: `unknowns`, `residuals` and their exact `jacobian` `[residual, unknown]` there, `cost` (the
    sum of squares), `aux` of the function there, `num_steps`, `reason` (a number of `Reason`), and `at_bound`
    `[unknown]`: whether it lies at its lower or upper bound."""

    unknowns: Vector
    residuals: Float[jax.Array, " residual"]
    jacobian: Float[jax.Array, "residual unknown"]
    cost: Float[jax.Array, ""]
    aux: Any
    num_steps: Int[jax.Array, ""]
    reason: Int[jax.Array, ""]
    at_bound: Bool[jax.Array, " unknown"]


class LevenbergMarquardt(eqx.Module):
    """Levenberg-Marquardt with Marquardt's scaling: (J'J + damping diag J'J) step = -J'r.

    `max_steps` evaluations of residuals and Jacobian at most. It has converged when a full step could lower the cost by
    no more than the fraction `rtol`, or when the root mean square of the residuals is below `atol`.

    Source: Marquardt (1963), J. SIAM 11:431; More (1978), The Levenberg-Marquardt algorithm, LNM 630:105 (scaling).
    """

    max_steps: int = eqx.field(static=True, default=60, converter=lambda value: whole_number(value, "max_steps"))
    rtol: float = eqx.field(static=True, default=1e-10)
    atol: float = eqx.field(static=True, default=1e-8)

    def __check_init__(self):
        check_positive("rtol", self.rtol)
        check_positive("atol", self.atol)


class Optax(eqx.Module):
    """A gradient method of optax on half the sum of squares: `optimiser`, for example `optax.adam(0.05)`.

    `max_steps` at most; it has converged as in `LevenbergMarquardt`, with an `rtol` that such methods reach.
    """

    optimiser: optax.GradientTransformation = eqx.field(static=True)
    max_steps: int = eqx.field(static=True, default=500, converter=lambda value: whole_number(value, "max_steps"))
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-6)

    def __check_init__(self):
        check_positive("rtol", self.rtol)
        check_positive("atol", self.atol)


Method = LevenbergMarquardt | Optax | optimistix.AbstractLeastSquaresSolver


class _Point(eqx.Module):
    """Unknowns with all that is computed there."""

    unknowns: Vector
    residuals: jax.Array
    jacobian: jax.Array
    cost: jax.Array
    aux: Any


class _State(eqx.Module):
    """The best point so far, where to look next, and what the method remembers."""

    best: _Point
    trial: Vector
    memory: Any
    num_steps: jax.Array
    reason: jax.Array  # -1 while it goes on


def least_squares(
    residuals: Residuals,
    start: Vector,
    *,
    lower: Vector | None = None,
    upper: Vector | None = None,
    method: Method | None = None,
) -> Fit:
    """The unknowns y that minimise sum_i r_i(y)^2 between `lower` and `upper`, from `start`.

    `residuals(y)` gives r `[residual]` and anything else that is wanted at the end (`Fit.aux`); its Jacobian is exact,
    by forward differentiation. `method`: `LevenbergMarquardt()` if not given, `Optax(...)`, or a least-squares solver
    of optimistix (`optimistix.Dogleg(rtol=1e-8, atol=1e-8)`: 256 steps at most, bounds are looked at in the end only).
    A step to where a residual is not finite is not taken. Per item: traceable, `jax.vmap` over starts and data.

    >>> def residuals(y):
    ...     return jnp.stack([10 * (y[1] - y[0] ** 2), 1 - y[0]]), None
    >>> fit = least_squares(residuals, jnp.array([-1.2, 1.0]))
    >>> fit.unknowns.round(6).tolist(), Reason(int(fit.reason)).name
    ([1.0, 1.0], 'CONVERGED')
    """
    method = LevenbergMarquardt() if method is None else method
    lower = jnp.full_like(start, -jnp.inf) if lower is None else lower
    upper = jnp.full_like(start, jnp.inf) if upper is None else upper
    if isinstance(method, LevenbergMarquardt):
        memory, step = _Damping.first(start.dtype), _marquardt
    elif isinstance(method, Optax):
        memory, step = method.optimiser.init(start), _gradient_step
    elif isinstance(method, optimistix.AbstractLeastSquaresSolver):
        return _optimistix(residuals, start, method, lower, upper)
    else:
        raise TypeError(
            f"expected method as LevenbergMarquardt, Optax or a least-squares solver of optimistix, got {method!r}"
        )

    # The function is evaluated in one place, in the loop, so that it is compiled once.
    def advance(state: _State) -> _State:
        trial = _evaluated(residuals, state.trial)
        best, move, memory, stuck = step(method, state.best, trial, state.memory, lower, upper)
        num_steps = state.num_steps + 1
        reason = jnp.where(num_steps >= method.max_steps, Reason.MAX_STEPS, -1)
        reason = jnp.where(stuck, Reason.STALLED, reason)
        worse = ~(trial.cost < state.best.cost)
        reason = jnp.where(_optimal(best, worse, lower, upper, method), Reason.CONVERGED, reason)
        reason = jnp.where(jnp.isinf(best.cost), Reason.NOT_FINITE, reason)
        return _State(best, jnp.clip(best.unknowns + move, lower, upper), memory, num_steps, reason)

    shapes = jax.eval_shape(lambda unknowns: _evaluated(residuals, unknowns), start)
    nowhere = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    nowhere = eqx.tree_at(
        lambda point: (point.unknowns, point.cost), nowhere, (start, jnp.full_like(nowhere.cost, jnp.inf))
    )
    first = _State(nowhere, start, memory, jnp.zeros((), int), jnp.full((), -1))
    last = jax.lax.while_loop(lambda state: state.reason < 0, advance, first)
    return _fit(last.best, last.num_steps, last.reason, lower, upper)


def _evaluated(residuals: Residuals, unknowns: Vector) -> _Point:
    def twice(unknowns):
        value, aux = residuals(unknowns)
        return value, (value, aux)

    jacobian, (value, aux) = jax.jacfwd(twice, has_aux=True)(unknowns)
    return _Point(unknowns, value, jacobian, value @ value, aux)


class _Damping(eqx.Module):
    """The damping, and the cost that the linear model promised for the next point."""

    damping: jax.Array
    promised: jax.Array

    @classmethod
    def first(cls, dtype) -> _Damping:
        return cls(jnp.full((), _FIRST_DAMPING, dtype), jnp.zeros((), dtype))


def _marquardt(method, best: _Point, trial: _Point, memory: _Damping, lower, upper):
    better = _finite(trial) & (trial.cost < best.cost)
    # How much of the promised fall came true; nothing was promised at the start.
    start = jnp.isinf(best.cost)
    share = jnp.where(start, 0.5, (best.cost - trial.cost) / jnp.where(start, 1.0, best.cost - memory.promised))
    eased = jnp.where(share > 0.75, 0.1, jnp.where(share < 0.25, 4.0, 1.0))
    damping = memory.damping * jnp.where(better, eased, 8.0)
    best = _chosen(better, trial, best)
    move = jnp.clip(_damped_step(best, damping, lower, upper), -_LONGEST_STEP, _LONGEST_STEP)
    move = jnp.clip(best.unknowns + move, lower, upper) - best.unknowns
    promised = ((best.residuals + best.jacobian @ move) ** 2).sum()
    return best, move, _Damping(damping, promised), damping > _LAST_DAMPING


def _gradient_step(method, best: _Point, trial: _Point, memory, lower, upper):
    finite = _finite(trial)
    best = _chosen(finite, trial, best)
    updates, memory = method.optimiser.update(best.residuals @ best.jacobian, memory, best.unknowns)
    return best, jnp.asarray(updates), memory, ~finite


def _optimistix(residuals: Residuals, start: Vector, solver, lower: Vector, upper: Vector) -> Fit:
    solution = optimistix.least_squares(
        lambda unknowns, args: residuals(unknowns)[0], solver, start, max_steps=256, throw=False
    )
    point = _evaluated(residuals, solution.value)
    results = optimistix.RESULTS
    reason = jnp.where(
        solution.result == results.successful,
        Reason.CONVERGED,
        jnp.where(solution.result == results.nonlinear_max_steps_reached, Reason.MAX_STEPS, Reason.STALLED),
    )
    reason = jnp.where(_finite(point), reason, Reason.NOT_FINITE)
    return _fit(point, solution.stats["num_steps"], reason, lower, upper)


def _chosen(condition, one: _Point, other: _Point) -> _Point:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


def _fit(point: _Point, num_steps, reason, lower: Vector, upper: Vector) -> Fit:
    at_bound = (point.unknowns <= lower) | (point.unknowns >= upper)
    return Fit(point.unknowns, point.residuals, point.jacobian, point.cost, point.aux, num_steps, reason, at_bound)


def _finite(point: _Point) -> jax.Array:
    return jnp.isfinite(point.cost) & jnp.isfinite(point.jacobian).all()


def _optimal(point: _Point, worse, lower: Vector, upper: Vector, method: LevenbergMarquardt | Optax) -> jax.Array:
    """Whether the cost is next to nothing, could by the linear model fall no further, or does not by a small step."""
    move = _damped_step(point, _NO_DAMPING, lower, upper)
    fall = -(point.residuals @ point.jacobian) @ move
    small = point.cost <= method.atol**2 * len(point.residuals)
    rounding = worse & (jnp.abs(move).max() < _ROUNDING)
    return jnp.isfinite(point.cost) & (small | (fall <= method.rtol * point.cost) | rounding)


def _damped_step(point: _Point, damping, lower: Vector, upper: Vector) -> Vector:
    """-(J'J + damping diag J'J)^-1 J'r, without the unknowns that are held at a bound."""
    gradient = point.residuals @ point.jacobian
    held = ((point.unknowns <= lower) & (gradient > 0)) | ((point.unknowns >= upper) & (gradient < 0))
    jacobian = jnp.where(held, 0.0, point.jacobian)
    norm = jnp.sqrt((jacobian**2).sum(0))
    norm = jnp.where(norm > 0, norm, 1.0)
    scaled = jacobian / norm
    matrix = scaled.T @ scaled
    diagonal = jnp.diag(matrix)
    # A column of zeros has a diagonal of 0: then the unknown stays.
    matrix = matrix + jnp.diag(jnp.where(diagonal > 0, damping * diagonal, 1.0))
    return -jax.scipy.linalg.solve(matrix, jnp.where(held, 0.0, gradient) / norm, assume_a="pos") / norm
