"""Andersen's quadratic-exponential scheme for Heston's model, with the martingale correction (QE-M)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics.arguments import check_positive
from quantjax.numerics.logarithm import vector_log
from quantjax.pricing.monte_carlo.stepping import Step

__all__ = ["QuadraticExponential"]

# -ln Q(z) - z^2/2 = P(z) / D(z) on [-1, 9], Q the upper tail of the standard normal: weighted rational least squares,
# relative error of -ln Q 3e-15 (float64) and 2e-8 (float32). Lowest power first.
_TAIL = {
    np.dtype("float64"): (
        (
            0.6931471805599458,
            1.6489461444926516,
            1.3175040179234374,
            0.606489589408422,
            0.17679688829228626,
            0.03389729601973226,
            0.004110097139204464,
            0.00028637177709566093,
            8.458780587619473e-06,
            5.691789249341337e-08,
        ),
        (
            1.0,
            1.2278223262803794,
            0.7495286264770373,
            0.2816138502579774,
            0.06990136555930658,
            0.011490371131213024,
            0.001193967615990145,
            6.890189048543446e-05,
            1.5913604902243851e-06,
            7.550603866024908e-09,
        ),
    ),
    np.dtype("float32"): (
        (
            0.6931471858808093,
            1.401821186485426,
            0.7425394764794633,
            0.18676276940502623,
            0.022724778639930755,
            0.0006359921355623246,
        ),
        (
            1.0,
            0.8712964502181137,
            0.33042879730697117,
            0.06504952219616904,
            0.005743244482814278,
            0.00010103088587237334,
        ),
    ),
}
# Means below this, and squared variation coefficients below this, are as good as 0; both only guard divisions.
_TINY_MEAN, _TINY_PSI = 1e-9, 1e-14
# Where Q(-1) >= 1 - p = 2 / (1 + psi), which is psi >= 1.378, v' is 0 wherever Z is below the fit.
_LEAST_SWITCH = 1.4


class QuadraticExponential(eqx.Module):
    """QE-M: the variance after a step has the right mean and variance, the spot is a martingale.

    Given v, psi = Var(v') / E(v')^2. Where psi <= `switch`, v' = a (b + Z)^2; else v' = 0 with probability p and
    exponential otherwise, drawn as max(0, (ln(1 - p) - ln Q(Z)) / beta) from the same normal Z, so that v' is
    continuous in Z. Then ln S' = ln S + K0* + K1 v + K2 v' + sqrt(K3 v + K4 v') Z', with K0* such that E[S'] = S; where
    that expectation is infinite (a step too long for a positive rho), K0 takes its place, which is no martingale.

    `steps_per_year`: steps are 1 / steps_per_year long at most, and each of the times is met; `substeps`: this many
    steps between two times instead, whatever their distance (needed where the times are traced). `switch`: Andersen's
    psi_c, between 1.4 and 2: below, the exponential branch would need -ln Q(Z) where it is not fitted. The bias is of
    second order in the step: docs/heston_bias.md. Gradients are pathwise with the branch held fixed.
    A xi below 5e-7 (float32: 2e-3) counts as that, without a gradient.

    Source: Andersen (2008), Simple and efficient simulation of the Heston stochastic volatility model, J. Computational
    Finance 11(3), sections 3.2, 4.2 and 4.3.2.

    >>> QuadraticExponential(steps_per_year=64).switch
    1.5
    """

    steps_per_year: float = eqx.field(static=True, default=32.0)
    substeps: int | None = eqx.field(static=True, default=None)
    switch: float = eqx.field(static=True, default=1.5)

    def __check_init__(self):
        check_positive("steps_per_year", self.steps_per_year)
        if not _LEAST_SWITCH <= self.switch <= 2:
            raise ValueError(f"expected switch (psi_c) between {_LEAST_SWITCH} and 2, got {self.switch}")

    def coefficients(self, model, step_size: jax.Array) -> tuple[jax.Array, ...]:
        """What a step of this size needs, as numbers."""
        kappa, theta, rho = model.kappa, model.theta, model.rho
        # The formulas divide by xi, where a smaller one leaves more rounding than this floor moves.
        xi = jnp.maximum(model.xi, jnp.finfo(jnp.result_type(model.xi)).eps ** 0.4)
        decay = jnp.exp(-kappa * step_size)
        # (1 - e^(-kappa D)) / kappa, which is D where kappa is 0.
        flat = jnp.abs(kappa * step_size) < 1e-12
        reach = jnp.where(flat, step_size, -jnp.expm1(-kappa * step_size) / jnp.where(flat, 1.0, kappa))
        tilt = 0.5 * step_size * (kappa * rho / xi - 0.5)
        k1, k2, k3 = tilt - rho / xi, tilt + rho / xi, 0.5 * step_size * (1 - rho**2)
        return (
            decay,
            theta * kappa * reach,
            xi**2 * decay * reach,
            0.5 * theta * kappa * (xi * reach) ** 2,
            -rho * kappa * theta * step_size / xi,
            k1,
            k2,
            k3,
            0.5 * step_size,
        )

    def step(self, coefficients, variance: jax.Array, normal: jax.Array) -> Step:
        """One step of every path, `[path]`."""
        decay, drift, slope, level, k0, k1, k2, k3, half_step = coefficients
        v, z = variance, normal
        mean = jnp.maximum(drift + v * decay, _TINY_MEAN)
        square = mean * mean
        spread = jnp.maximum(slope * v + level, _TINY_PSI * square)
        quadratic = spread <= self.switch * square

        # The two branches share their divisions: on the left of each pair the quadratic one's.
        quotient = 2 * square / jnp.where(quadratic, spread, square + spread)
        inverse_psi = jnp.where(quadratic, quotient, 2.0)  # 2 / psi
        mass = jnp.where(quadratic, 0.5, quotient)  # 1 - p
        b_square = inverse_psi - 1 + jnp.sqrt(inverse_psi * (inverse_psi - 1))
        scale = jnp.where(quadratic, mean, square + spread) / jnp.where(quadratic, 1 + b_square, 2 * mean)
        bounded = jnp.where(quadratic, 0.0, jnp.maximum(z, -1.0))
        exponential = jnp.maximum(scale * (_minus_log_tail(bounded) + vector_log(mass)), 0.0)
        after = jnp.where(quadratic, scale * (jnp.sqrt(b_square) + z) ** 2, exponential)

        # E exp(A v') where finite: exp(A b^2 a / (1 - 2 A a)) / sqrt(1 - 2 A a), or p + (1 - p) / (1 - A / beta).
        exponent = k2 + 0.5 * k3
        room = 1 - jnp.where(quadratic, 2.0, 1.0) * exponent * scale
        finite = room > 0
        room = jnp.where(finite, room, 1.0)
        ratio = jnp.where(quadratic, exponent * b_square * scale, mass) / room
        log = vector_log(jnp.where(quadratic, room, 1 - mass + ratio))
        corrected = jnp.where(quadratic, 0.5 * log - ratio, -log) - (k1 + 0.5 * k3) * v
        log_mean = jnp.where(finite, corrected, k0) + k1 * v + k2 * after
        both = v + after
        return Step(after, log_mean, k3 * both, half_step * both)


def _minus_log_tail(z: jax.Array) -> jax.Array:
    """-ln Q(z) for z in [-1, 9]: an exponential number out of a normal one."""
    above, below = _TAIL[np.dtype(z.dtype)]
    top, bottom = jnp.full_like(z, above[-1]), jnp.full_like(z, below[-1])
    for a, b in zip(above[-2::-1], below[-2::-1], strict=True):
        top, bottom = top * z + a, bottom * z + b
    return 0.5 * z * z + top / bottom
