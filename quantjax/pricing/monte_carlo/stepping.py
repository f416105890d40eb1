"""From a scheme's single step to paths at the times asked for."""

from __future__ import annotations

from itertools import groupby
from math import ceil
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from quantjax.numerics.arguments import whole_number
from quantjax.pricing.monte_carlo.draws import Draws
from quantjax.pricing.monte_carlo.paths import ConditionalPaths, Paths

__all__ = ["Step", "VarianceScheme", "check_times", "simulate_conditional", "simulate_paths", "step_counts"]

_ONE_MODEL = "expected a model with one number a parameter, got arrays; use jax.vmap for many models"


class Step(NamedTuple):
    """One step of every path: the variance after it, and the law of the log-spot's increment given the variance."""

    variance: jax.Array
    mean: jax.Array
    log_variance: jax.Array
    integrated_variance: jax.Array


class VarianceScheme(Protocol):
    """A scheme for models of stochastic variance, one normal a step for the variance and one for the spot."""

    @property
    def steps_per_year(self) -> float: ...

    @property
    def substeps(self) -> int | None: ...

    def coefficients(self, model: Any, step_size: jax.Array) -> Any:
        """What all paths share in a step: a pytree of numbers."""
        ...

    def step(self, coefficients: Any, variance: jax.Array, normal: jax.Array) -> Step:
        """One step."""
        ...


def simulate_paths(model, scheme: VarianceScheme, times, num_paths: int, *, key: jax.Array, draws: Draws) -> Paths:
    """Paths of ln(S_t / F_t) at `times` `[time]` by a scheme. Per item."""
    times, counts = _grid(model, scheme, times)

    def advance(state, step: Step, normals):
        log_spot, integrated = state
        positive = step.log_variance > 0  # the root of 0, a variance that stays at 0, has no derivative
        std = jnp.where(positive, jnp.sqrt(jnp.where(positive, step.log_variance, 1.0)), 0.0)
        return log_spot + step.mean + std * normals[1], integrated + step.integrated_variance

    variance, (log_spot, integrated) = _scan(
        model, scheme, times, counts, num_paths, advance=advance, num_states=2, num_factors=2, key=key, draws=draws
    )
    return Paths(times, *_centred(times), log_spot, variance, integrated)


def simulate_conditional(
    model, scheme: VarianceScheme, times, num_paths: int, *, key: jax.Array, draws: Draws
) -> ConditionalPaths:
    """Paths of the variance, and the law of ln(S_t / F_t) given them, at `times` `[time]`. Per item."""
    times, counts = _grid(model, scheme, times)

    def advance(state, step: Step, normals):
        increments = (step.mean, step.log_variance, step.integrated_variance)
        return tuple(total + increment for total, increment in zip(state, increments, strict=True))

    variance, (mean, log_variance, integrated) = _scan(
        model, scheme, times, counts, num_paths, advance=advance, num_states=3, num_factors=1, key=key, draws=draws
    )
    return ConditionalPaths(times, *_centred(times), mean, log_variance, variance, integrated)


def check_times(times) -> np.ndarray | jax.Array:
    """Times `[time]`, as numpy's float64 where they are known; ValueError unless they increase from above 0.

    Traced times that decrease give NaN paths.
    """
    known = not any(isinstance(time, Tracer) for time in jax.tree.leaves(times))
    times = np.asarray(times, np.float64) if known else jnp.asarray(times)
    if times.ndim != 1 or len(times) < 1:
        raise ValueError(f"expected times[time], at least one, got shape {list(times.shape)}")
    if known and not (np.isfinite(times).all() and (np.diff(times, prepend=0.0) > 0).all()):
        raise ValueError(f"expected finite times that increase from above 0, in years, got {times}")
    return times


def step_counts(times: np.ndarray | jax.Array, steps_per_year: float, substeps: int | None) -> list[int]:
    """How many steps lead to each of the times: `substeps`, or as many as keep each within 1 / steps_per_year."""
    if substeps is not None:
        return [whole_number(substeps, "substeps")] * len(times)
    if isinstance(times, jax.Array):
        raise ValueError(
            "expected times known before tracing (by jax.jit, among others), got traced ones; give the model's scheme "
            "substeps=..., a number of steps from one time to the next that does not depend on them"
        )
    # The slack keeps what rounding added to a whole number of steps from making one more.
    return [max(1, ceil(gap * steps_per_year - 1e-4)) for gap in np.diff(times, prepend=0.0)]


def _grid(model, scheme: VarianceScheme, times) -> tuple[jax.Array, list[int]]:
    times = check_times(times)
    counts = step_counts(times, scheme.steps_per_year, scheme.substeps)
    return jnp.asarray(times, jnp.result_type(*jax.tree.leaves(model))), counts


def _centred(times: jax.Array) -> tuple[jax.Array, jax.Array]:
    """ln S_0 and ln F_t of paths relative to their forwards."""
    return jnp.zeros((), times.dtype), jnp.zeros_like(times)


def _scan(model, scheme, times, counts, num_paths, *, advance, num_states, num_factors, key, draws):
    """States at all times, `[time, path]` each: a scan over each run of gaps that take equally many steps."""
    num_paths, dtype = whole_number(num_paths, "num_paths"), times.dtype
    gaps = jnp.diff(times, prepend=0.0)
    gaps = jnp.where(gaps >= 0, gaps, jnp.nan)  # traced times that decrease
    step_sizes = jnp.repeat(gaps / jnp.array(counts, dtype), np.array(counts), total_repeat_length=sum(counts))
    rows, normals = draws.prepare(key, step_sizes, num_factors, num_paths, dtype)

    def one(coefficients, state, row):
        z = normals(row)
        step = scheme.step(coefficients, state[0], z[0])
        return (step.variance, advance(state[1], step, z))

    def gap(state, inputs):
        coefficients, gap_rows = inputs
        state, _ = jax.lax.scan(lambda state, row: (one(coefficients, state, row), None), state, gap_rows)
        return state, state

    if jnp.ndim(model.v0):
        raise ValueError(_ONE_MODEL)
    zero = jnp.zeros(num_paths, dtype)
    state = (jnp.full(num_paths, model.v0, dtype), (zero,) * num_states)
    seen, first_gap, first_step = [], 0, 0
    for count, run in groupby(counts):
        length = len(list(run))
        sizes = gaps[first_gap : first_gap + length] / count
        coefficients = jax.vmap(lambda size: scheme.coefficients(model, size))(sizes)
        if any(coefficient.ndim > 1 for coefficient in jax.tree.leaves(coefficients)):
            raise ValueError(_ONE_MODEL)
        own = _folded(rows, slice(first_step, first_step + length * count), length)
        state, states = jax.lax.scan(gap, state, (coefficients, own))
        seen.append(states)
        first_gap, first_step = first_gap + length, first_step + length * count
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *seen)


def _folded(rows, steps: slice, length: int):
    """The rows of these steps, `[gap, step, ...]`."""
    return jax.tree.map(lambda row: row[steps].reshape(length, -1, *row.shape[1:]), rows)
