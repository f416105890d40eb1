"""How well a fair price (weighted mid, micro-price) foresees the mid: what comes later, and the errors against it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from quantjax.numerics.arguments import as_floating

__all__ = ["PredictorErrors", "next_change", "next_mid", "predictor_errors"]


class PredictorErrors(eqx.Module):
    """Errors of a predictor of the future mid, each `[...]`.

    `rmse`: root mean square of future - predictor; `mid_rmse`: of future - mid, both in the unit of the prices;
    `r_squared`: 1 - rmse^2 / mid_rmse^2, what the predictor gains on the mid, negative where it loses;
    `num_observations`, `num_dropped`: times used, and left out because something is not finite.
    """

    rmse: Float[jax.Array, "*batch"]
    mid_rmse: Float[jax.Array, "*batch"]
    r_squared: Float[jax.Array, "*batch"]
    num_observations: Int[jax.Array, "*batch"]
    num_dropped: Int[jax.Array, "*batch"]


def predictor_errors(predictor, mid, future) -> PredictorErrors:
    """Errors of `predictor` and of `mid` as forecasts of `future`: rmse^2 = mean_t (future_t - predictor_t)^2.

    Prices `[..., time]` in one unit, such as a micro-price, `lob.mid` and `lob.future_mids(...).mid` or `next_mid`.
    Times where any of the three is not finite are left out for both and counted; NaN where none is left, and the R^2
    where the mid never errs. The gradient of an error of 0 is taken as 0. Broadcasting. Raises ValueError for float64
    arrays while JAX's x64 mode is off.

    >>> errors = predictor_errors(jnp.array([1.5, 2.0]), jnp.array([1.0, 2.0]), jnp.array([2.0, 2.0]))
    >>> float(errors.r_squared), int(errors.num_observations)
    (0.75, 2)
    """
    named = {"predictor": predictor, "mid": mid, "future": future}
    predictor, mid, future = jnp.broadcast_arrays(*(as_floating(price, name) for name, price in named.items()))
    used = jnp.isfinite(predictor) & jnp.isfinite(mid) & jnp.isfinite(future)
    count = used.sum(-1)
    own, base = (
        jnp.where(used, jnp.where(used, future, 0.0) - jnp.where(used, forecast, 0.0), 0.0)
        for forecast in (predictor, mid)
    )
    some = count > 0
    divisor = jnp.where(some, count, 1)
    own, base = (jnp.where(some, (error**2).sum(-1) / divisor, jnp.nan) for error in (own, base))
    errs = base > 0
    return PredictorErrors(
        rmse=_root(own),
        mid_rmse=_root(base),
        r_squared=jnp.where(errs, 1 - own / jnp.where(errs, base, 1.0), jnp.nan),
        num_observations=count,
        num_dropped=used.shape[-1] - count,
    )


def _root(square: jax.Array) -> jax.Array:
    # The inner where keeps the gradient finite at 0; NaN stays NaN.
    return jnp.where(square == 0, 0.0, jnp.sqrt(jnp.where(square == 0, 1.0, square)))


def next_change(price) -> Int[jax.Array, " time"]:
    """Index of the next later price that differs from the last known one before it, `[time]`; `len(price)` where none.

    NaN prices are not known: a change that happens while they last is seen at the first known price after them, and
    the first known price of all is no change. Per item.

    >>> next_change(jnp.array([1.0, 1.0, 2.0, 2.0])).tolist(), next_change(jnp.array([1.0, jnp.nan, 2.0])).tolist()
    ([2, 2, 4, 4], [2, 2, 3])
    """
    price = jnp.asarray(price)
    count = price.shape[0]
    if count == 0:
        return jnp.zeros(0, jnp.int32)
    row = jnp.arange(count, dtype=jnp.int32)
    known = ~jnp.isnan(price)
    last = jax.lax.cummax(jnp.where(known, row, -1))[:-1]
    changed = known[1:] & (last >= 0) & (price[1:] != price[jnp.maximum(last, 0)])
    # The change that row t waits for is at t + 1 or later.
    at = jnp.where(changed, row[1:], count)
    return jnp.concatenate([jax.lax.cummin(at, reverse=True), jnp.full(1, count, at.dtype)])


def next_mid(price) -> Float[jax.Array, " time"]:
    """Mid after its next change: price[next_change(price)], `[time]`; NaN where it does not change again.

    Times without a mid (NaN) are passed over, as in `next_change`. Per item.

    >>> next_mid(jnp.array([1.0, 1.0, 2.0, 2.0])).tolist()
    [2.0, 2.0, nan, nan]
    """
    price = jnp.asarray(price)
    if price.shape[0] == 0:
        return price
    index = next_change(price)
    last = price.shape[0] - 1
    return jnp.where(index <= last, price[jnp.minimum(index, last)], jnp.nan)
