"""Variance from high-frequency returns: realised, bipower (robust to jumps), two-scale (robust to noise)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quantjax.lob.intervals import interval_ns
from quantjax.lob.padding import padded
from quantjax.lob.trades.sampling import log_returns, observed, sample_prices
from quantjax.numerics.arguments import whole_number
from quantjax.numerics.running_sums import running_sum

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RealisedVariances", "bipower_variation", "realised_variance", "realised_variances", "two_scale_variance"]

Value = Float[jax.Array, "*batch"]
Returns = Float[jax.Array, "*batch time"]

# ACT/365.
_SECONDS_OF_YEAR = 365 * 86_400


def realised_variance(returns: Returns) -> Value:
    """Realised variance: RV = sum r_i^2 over the last axis, `[...]`.

    `returns`, log returns as decimals (`log_returns`), `[..., time]`; a NaN gives NaN. Not annualised: it is the
    variance of the time the returns span. Broadcasting. Source: Andersen, Bollerslev, Diebold & Labys (2003), Modeling
    and forecasting realized volatility, Econometrica 71(2).

    >>> round(float(realised_variance(jnp.array([0.01, -0.02]))), 8)
    0.0005
    """
    returns = jnp.asarray(returns)
    return (returns * returns).sum(axis=-1)


def bipower_variation(returns: Returns, *, finite_sample: bool = True) -> Value:
    """Bipower variation: BV = (pi / 2) sum_{i=2..n} |r_i| |r_{i-1}|, times n / (n - 1) with `finite_sample`, `[...]`.

    The integrated variance without the jumps, to which a large return next to an ordinary one adds little. `returns`
    as in `realised_variance`. The factor makes up for the one product fewer than returns. Broadcasting. Raises
    ValueError for fewer than two returns. Source: Barndorff-Nielsen & Shephard (2004), Power and bipower variation with
    stochastic volatility and jumps, Journal of Financial Econometrics 2(1), eq. 3; the factor as in Huang & Tauchen
    (2005), The relative contribution of jumps to total price variance, eq. 2.

    >>> round(float(bipower_variation(jnp.array([0.01, -0.02]), finite_sample=False)), 10)
    0.0003141593
    """
    size = jnp.abs(_at_least(returns, 2))
    count = size.shape[-1]
    factor = 0.5 * math.pi * (count / (count - 1) if finite_sample else 1.0)
    products = size[..., 1:] * size[..., :-1]
    # A product with ones: XLA's sum of shifted slices along the last axis takes three times as long on a CPU.
    return factor * jnp.matmul(products, jnp.ones(count - 1, size.dtype), precision="highest")


def two_scale_variance(returns: Returns, scale: int, *, adjusted: bool = True) -> Value:
    """Two-scale realised variance: TSRV = [Y, Y]^(K) - (nbar / n) [Y, Y]^(all), `[...]`.

    [Y, Y]^(K) = (1/K) sum_{i=0..n-K} (Y_{i+K} - Y_i)^2 is the average over the K grids of every K-th observation,
    [Y, Y]^(all) the realised variance of all n returns, nbar = (n - K + 1) / K. The second term takes off the bias of
    the noise; `adjusted` divides by 1 - nbar / n for small samples. May be negative where noise is all there is.

    `returns` as in `realised_variance`, tick by tick; `scale` K >= 2, of the order n^(2/3). Broadcasting. Raises
    ValueError for K outside [2, n]. Source: Zhang, Mykland & Ait-Sahalia (2005), A tale of two time scales, Journal of
    the American Statistical Association 100(472), eqs. 55 and 64.

    >>> round(float(two_scale_variance(jnp.array([0.01, 0.02, -0.01]), 2, adjusted=False)), 10)
    0.0003
    """
    returns = jnp.asarray(returns)
    count = returns.shape[-1] if returns.ndim else 0
    scale = whole_number(scale, "scale", 2)
    if scale > count:
        raise ValueError(f"expected scale of 2 to {count}, the number of returns, got {scale}")
    path = running_sum(returns)
    first, slow = path[..., scale - 1], path[..., scale:] - path[..., :-scale]
    slow_square = first * first + (slow * slow).sum(axis=-1)
    return _two_scales(slow_square, realised_variance(returns), count, scale, adjusted=adjusted)


def _two_scales(slow_square, fast_square, count, scale, *, adjusted: bool):
    """From the sums of squares of all slow returns and of all returns; `count` of the latter, and K."""
    share = (count - scale + 1) / scale / count
    variance = slow_square / scale - share * fast_square
    return variance / (1 - share) if adjusted else variance


class RealisedVariances(eqx.Module):
    """Variances of a stretch of time: `realised` and `bipower` of returns on the calendar grid, `two_scale` of all
    observations; NaN where there are too few.

    `seconds`: from the first observation to the last, which `two_scale` is the variance of; `grid_seconds`: from the
    first point of the grid to the last, which `realised` and `bipower` are the variance of; `interval_s`: its step;
    `scale`: K of the two-scale one; `counts`: observations, points of the grid, and those without news.
    """

    realised: float
    bipower: float
    two_scale: float
    seconds: float
    grid_seconds: float
    interval_s: float
    scale: int
    counts: dict[str, int]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each estimator: `variance`, the `seconds` it is the variance of, and `annual_volatility`, a decimal
        per year of 365 days, NaN where the variance is below 0 (as the two-scale one may be)."""
        import pandas as pd

        names = ("realised", "bipower", "two_scale")
        variance = np.array([getattr(self, name) for name in names])
        seconds = np.array([self.grid_seconds, self.grid_seconds, self.seconds])
        defined = (variance >= 0) & (seconds > 0)
        yearly = np.where(defined, variance, np.nan) * _SECONDS_OF_YEAR / np.where(defined, seconds, 1.0)
        columns = {"variance": variance, "seconds": seconds, "annual_volatility": np.sqrt(yearly)}
        return pd.DataFrame(columns, index=pd.Index(names))


def realised_variances(
    time_ns: np.ndarray, price: np.ndarray, interval: str | float | Decimal = 60.0, *, scale: int | None = None
) -> RealisedVariances:
    """Realised variance and bipower variation on a calendar grid, two-scale variance of every observation. Driver.

    Arguments: `time_ns` and `price` `[observation]` of trades or mids, see `sample_prices`, whose errors these are;
    `interval`: step of the grid, seconds or "5min", on which the previous tick is taken; `scale` K of the two-scale
    variance, by default n^(2/3), rounded, and no less than 2. NaN where there are fewer than two returns (three for the
    two-scale one). Compiled for a few lengths. Raises ValueError for prices that are not positive and finite (NaN, a
    book with an empty side, is no observation), for a scale outside [2, n], and for float64 prices while JAX's x64 mode
    is off.
    """
    time_ns, price = np.asarray(time_ns), np.asarray(price)
    if price.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
        raise ValueError(
            "expected price in float32 while JAX's x64 mode is off, got float64; call "
            "jax.config.update('jax_enable_x64', True) at the start, or pass float32 prices for float32 results"
        )
    sampled = sample_prices(time_ns, price, interval)
    times, prices = observed(time_ns, price)
    bad = ~((prices > 0) & (prices < np.inf))
    if bad.any():
        raise ValueError(
            f"expected positive prices, finite or NaN, got {int(bad.sum())} that are not; "
            "lob.clean_trades drops trades of such prices"
        )
    ticks = max(len(prices) - 1, 0)
    scale = max(2, round(ticks ** (2 / 3))) if scale is None else whole_number(scale, "scale", 2)
    realised = bipower = two_scale = math.nan
    if (returns := len(sampled.price) - 1) > 1:
        realised, bipower = (float(value) for value in _on_grid(*_last_repeated(sampled.price)))
        bipower *= returns / (returns - 1)
    if ticks >= 3:
        if scale > ticks:
            raise ValueError(f"expected scale of 2 to {ticks}, the number of returns, got {scale}")
        two_scale = float(_two_scale(*_last_repeated(prices), ticks, scale))
    return RealisedVariances(
        realised=realised,
        bipower=bipower,
        two_scale=two_scale,
        seconds=_seconds(times),
        grid_seconds=_seconds(sampled.time_ns),
        interval_s=1e-9 * interval_ns(interval),
        scale=scale,
        counts={"observations": len(prices), **sampled.counts},
    )


def _seconds(time_ns: np.ndarray) -> float:
    return 1e-9 * float(time_ns[-1] - time_ns[0]) if len(time_ns) else 0.0


def _last_repeated(price: np.ndarray) -> list[np.ndarray]:
    """Prices of a length that is compiled for, by returns of 0."""
    return padded([price], [price[-1]])


@jax.jit
def _on_grid(price: jax.Array) -> tuple[jax.Array, jax.Array]:
    returns = log_returns(price)
    return realised_variance(returns), bipower_variation(returns, finite_sample=False)


@jax.jit
def _two_scale(price: jax.Array, count: jax.Array, scale: jax.Array) -> jax.Array:
    """`two_scale_variance` of the first `count` returns, whose number and K are not compiled in."""
    returns = log_returns(price)
    path = jnp.concatenate([jnp.zeros(1, returns.dtype), running_sum(returns)])
    later = jax.lax.dynamic_slice_in_dim(jnp.concatenate([path, path]), scale, path.shape[0])
    slow = jnp.where(jnp.arange(path.shape[0]) + scale <= count, later - path, 0.0)
    n, k = jnp.asarray(count, returns.dtype), jnp.asarray(scale, returns.dtype)
    return _two_scales((slow * slow).sum(), realised_variance(returns), n, k, adjusted=True)


def _at_least(returns, count: int) -> jax.Array:
    returns = jnp.asarray(returns)
    if returns.ndim == 0 or returns.shape[-1] < count:
        raise ValueError(f"expected returns [..., time] of at least {count} times, got shape {list(returns.shape)}")
    return returns
