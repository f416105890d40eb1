"""How well a fair price (weighted mid, micro-price) foresees the mid: what comes later, and the errors against it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from quantjax.lob.book import BookSeries
from quantjax.lob.flow.imbalance import check_times
from quantjax.lob.metrics.prices import mid

__all__ = ["PredictorErrors", "future_mid", "next_change", "next_mid", "predictor_errors"]


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

    Prices `[..., time]` in one unit, such as a micro-price, `lob.mid` and `future_mid` or `next_mid`. Times where any
    of the three is not finite are left out for both and counted; NaN where none is left, and the R^2 where the mid
    never errs. Broadcasting.

    >>> errors = predictor_errors(jnp.array([1.5, 2.0]), jnp.array([1.0, 2.0]), jnp.array([2.0, 2.0]))
    >>> float(errors.r_squared), int(errors.num_observations)
    (0.75, 2)
    """
    predictor, mid, future = jnp.broadcast_arrays(*(jnp.asarray(price) for price in (predictor, mid, future)))
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
        rmse=jnp.sqrt(own),
        mid_rmse=jnp.sqrt(base),
        r_squared=jnp.where(errs, 1 - own / jnp.where(errs, base, 1.0), jnp.nan),
        num_observations=count,
        num_dropped=used.shape[-1] - count,
    )


def next_change(price) -> Int[jax.Array, " time"]:
    """Index of the first later price that differs from the one before it, `[time]`; `len(price)` where there is none.

    A NaN differs from nothing and nothing from it. Per item.

    >>> next_change(jnp.array([1.0, 1.0, 2.0, 2.0])).tolist()
    [2, 2, 4, 4]
    """
    price = jnp.asarray(price)
    count = price.shape[0]
    if count == 0:
        return jnp.zeros(0, jnp.int32)
    known = (price[1:] == price[1:]) & (price[:-1] == price[:-1])
    changed = known & (price[1:] != price[:-1])
    # The change that row t waits for is at t + 1 or later.
    at = jnp.where(changed, jnp.arange(1, count, dtype=jnp.int32), count)
    return jnp.concatenate([jax.lax.cummin(at, reverse=True), jnp.full(1, count, at.dtype)])


def next_mid(price) -> Float[jax.Array, " time"]:
    """Mid after its next change: price[next_change(price)], `[time]`; NaN where it does not change again. Per item.

    >>> next_mid(jnp.array([1.0, 1.0, 2.0, 2.0])).tolist()
    [2.0, 2.0, nan, nan]
    """
    price = jnp.asarray(price)
    if price.shape[0] == 0:
        return price
    index = next_change(price)
    last = price.shape[0] - 1
    return jnp.where(index <= last, price[jnp.minimum(index, last)], jnp.nan)


def future_mid(series: BookSeries, horizon_s: float) -> Float[np.ndarray, " time"]:
    """Mid that stands `horizon_s` seconds after each book, `[time]`; NaN beyond the last book and without a side.

    The last book at or before that time counts. Driver. Raises ValueError for a horizon that is not positive and for
    times that go back.
    """
    if not horizon_s > 0:
        raise ValueError(f"expected horizon_s > 0, got {horizon_s!r}")
    time_ns = check_times(series)
    later_ns = time_ns + round(1e9 * horizon_s)
    rows = np.searchsorted(time_ns, later_ns, side="right") - 1
    return np.where(later_ns <= time_ns[-1], np.asarray(mid(series.book.top(1)))[rows], np.nan)
