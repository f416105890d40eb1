"""Heston's stochastic volatility model."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Complex, Float

from quantjax.numerics.arguments import as_floating, holds
from quantjax.numerics.split_complex import split
from quantjax.pricing.heston.characteristic import log_characteristic
from quantjax.pricing.heston.moments import critical_moments, cumulants
from quantjax.pricing.heston.quadratic_exponential import QuadraticExponential
from quantjax.pricing.monte_carlo.draws import Draws, PseudoRandom
from quantjax.pricing.monte_carlo.paths import ConditionalPaths, Paths
from quantjax.pricing.monte_carlo.stepping import VarianceScheme, simulate_conditional, simulate_paths

__all__ = ["Heston"]

Value = Float[jax.Array, "*batch"]


class Heston(eqx.Module):
    """Heston (1993): dS/S = (r - q) dt + sqrt(v) dW,  dv = kappa (theta - v) dt + xi sqrt(v) dB,  d<W, B> = rho dt.

    `v0`: variance now; `kappa`: speed of mean reversion, a year; `theta`: variance in the long run; `xi`: volatility of
    variance; `rho`: correlation of spot and variance, -1 < rho < 1. Parameters are leaves, scalars or `[...]` alike; a
    batched model goes through `jax.vmap`. `scheme`: how `simulate` steps. Raises ValueError for numbers outside their
    domain (v0, theta, kappa, xi >= 0, |rho| < 1) as far as they are known, and for float64 while JAX's x64 mode is off;
    where only computing knows (under jit and vmap), prices and paths are NaN.

    Source: Heston (1993), A closed-form solution for options with stochastic volatility, RFS 6(2):327.

    >>> model = Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
    >>> round(float(model.feller_ratio()), 2), round(float(model.total_variance(2.0)), 3)
    (0.48, 0.08)
    """

    v0: Value = eqx.field(converter=lambda value: _parameter(value, "v0"))
    kappa: Value = eqx.field(converter=lambda value: _parameter(value, "kappa"))
    theta: Value = eqx.field(converter=lambda value: _parameter(value, "theta"))
    xi: Value = eqx.field(converter=lambda value: _parameter(value, "xi"))
    rho: Value = eqx.field(converter=lambda value: _parameter(value, "rho"))
    scheme: VarianceScheme = eqx.field(static=True, default=QuadraticExponential())

    def parameter_bounds(self) -> dict[str, tuple[float, float]]:
        """The open intervals in which `calibrate` looks for each parameter."""
        return {"v0": (0.0, 4.0), "kappa": (0.0, 50.0), "theta": (0.0, 4.0), "xi": (0.0, 10.0), "rho": (-1.0, 1.0)}

    def log_cf(self, u: Complex[jax.Array, "*batch"], t: Value) -> Complex[jax.Array, "*batch"]:
        """ln E exp(i u ln(S_t / F_t)), `[...]`; 0 at u = 0 and u = -i.

        `u`: complex, inside the strip where the moment is finite; `t`: years. Continuous in u, exact to rounding for
        small xi and small t. Broadcasting. Source: `heston.characteristic`.

        >>> model = Heston(0.04, 1.5, 0.04, 0.5, -0.7)
        >>> abs(complex(model.log_cf(jnp.array(-1j), 1.0))) < 1e-15
        True
        """
        return log_characteristic(split(u), t, self._valid().v0, self.kappa, self.theta, self.xi, self.rho).joined()

    def _valid(self) -> Heston:
        """This model, with a v0 of NaN where parameters that only computing knows are outside of their domain."""
        rates = (self.v0 >= 0) & (self.kappa >= 0) & (self.theta >= 0) & (self.xi >= 0)
        v0 = jnp.where(rates & (jnp.abs(self.rho) < 1), self.v0, jnp.nan)
        return eqx.tree_at(lambda model: model.v0, self, v0)

    def simulate(self, times, num_paths: int, *, key: jax.Array, draws: Draws | None = None) -> Paths:
        """Paths of ln(S_t / F_t) and of the variance at `times`, by the model's `scheme`.

        `times` `[time]`: years, increasing from above 0; `draws`: `PseudoRandom()` (default) or `Sobol()`. Returns
        `Paths`, arrays `[time, path]` of the parameters' dtype. Raises ValueError for times that do not increase, and
        for traced times unless the scheme has `substeps`. Per item.

        >>> paths = Heston(0.04, 1.5, 0.04, 0.5, -0.7).simulate([0.5, 1.0], 1000, key=jax.random.key(0))
        >>> paths.spot.shape, abs(float(paths.spot[-1].mean()) - 1) < 0.02
        ((2, 1000), True)
        """
        return simulate_paths(self._valid(), self.scheme, times, num_paths, key=key, draws=draws or PseudoRandom())

    def simulate_conditional(
        self, times, num_paths: int, *, key: jax.Array, draws: Draws | None = None
    ) -> ConditionalPaths:
        """Paths of the variance at `times`, and the normal law of ln(S_t / F_t) given them. As `simulate`. Per item."""
        return simulate_conditional(
            self._valid(), self.scheme, times, num_paths, key=key, draws=draws or PseudoRandom()
        )

    def total_variance(self, t: Value) -> Value:
        """E int_0^t v ds = theta t + (v0 - theta) (1 - e^(-kappa t)) / kappa, `[...]`.

        Divided by t, the fair strike of a variance swap. Broadcasting. Source: Gatheral (2006), The Volatility Surface,
        chapter 11.
        """
        return self.theta * t + (self.v0 - self.theta) * _decayed(self.kappa, t)

    def gamma_swap(self, t: Value) -> Value:
        """E int_0^t (S_s / F_s) v ds: the total variance with kappa - rho xi in place of kappa, kappa theta kept.

        Under the measure with S/F as numeraire v has that drift. Broadcasting. Source: as `total_variance`.
        """
        speed = self.kappa - self.rho * self.xi
        decayed = _decayed(speed, t)
        # kappa theta (t - decayed) / speed, which tends to kappa theta t^2 / 2 as the speed tends to 0.
        small = jnp.abs(speed * t) < 1e-4
        ratio = jnp.where(
            small,
            0.5 * t**2 - speed * t**3 / 6 + speed**2 * t**4 / 24,
            (t - decayed) / jnp.where(small, 1.0, speed),
        )
        return self.v0 * decayed + self.kappa * self.theta * ratio

    def cumulants(self, t: Value, order: int = 4) -> tuple[Value, ...]:
        """The cumulants c_1 ... c_order of ln(S_t / F_t): mean, variance, third, fourth ..., each `[...]`.

        To some 13 digits for orders up to 4. Broadcasting. Source: `heston.moments`.

        >>> mean, variance, *_ = Heston(0.04, 1.5, 0.04, 0.5, -0.7).cumulants(1.0)
        >>> round(float(mean), 6), round(float(variance), 6)
        (-0.02, 0.044812)
        """
        return cumulants(order, t, self.v0, self.kappa, self.theta, self.xi, self.rho)

    def critical_moments(self, t: Value) -> tuple[Value, Value]:
        """The p < 0 and p > 1 between which E (S_t / F_t)^p is finite, `[...]`. Broadcasting.

        Source: `heston.moments`.
        """
        return critical_moments(t, self.kappa, self.xi, self.rho)

    def feller_ratio(self) -> Value:
        """2 kappa theta / xi^2: above 1 the variance stays positive."""
        return 2 * self.kappa * self.theta / self.xi**2


def _parameter(value, name: str) -> jax.Array:
    # An int as a float: JAX's integers are of no weak dtype, and a parameter is not to widen float32 strikes.
    value = as_floating(float(value) if isinstance(value, int) else value, name)
    if name == "rho":
        inside = holds(lambda x: ~(abs(x) >= 1), value)
        expected = "-1 < rho < 1"
    else:
        inside = holds(lambda x: ~(x < 0), value)
        expected = f"{name} >= 0"
    if not inside:
        raise ValueError(f"expected {expected}, got {value}")
    return value


def _decayed(speed, t) -> jax.Array:
    """(1 - e^(-speed t)) / speed, t where the speed is 0."""
    zero = speed == 0
    return jnp.where(zero, t, -jnp.expm1(-speed * t) / jnp.where(zero, 1.0, speed))
