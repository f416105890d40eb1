"""Integrated order flow: the levels of the order flow imbalance weighted by their first principal component."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from quantjax.numerics.arguments import as_floating

__all__ = ["IntegratedOrderFlow", "fit_integrated_order_flow"]


class IntegratedOrderFlow(eqx.Module):
    """Weights of the levels, fitted by `fit_integrated_order_flow`, to be applied to any order flow.

    `weights` `[level]`: w1 / ||w1||_1, with a sum above 0; `explained_variance_ratio`: share of the variance of all
    levels along w1; `num_intervals`, `num_dropped`: intervals fitted to, and left out as not finite.
    """

    weights: Float[jax.Array, " level"]
    explained_variance_ratio: Float[jax.Array, ""]
    num_intervals: Int[jax.Array, ""]
    num_dropped: Int[jax.Array, ""]

    def __call__(self, normalised_ofi) -> Float[jax.Array, "*batch"]:
        """Integrated order flow: sum_m weight_m ofi^m, `[...]` from `[..., level]`. Broadcasting."""
        return jnp.matmul(as_floating(normalised_ofi, "order flow"), self.weights, precision="highest")


def fit_integrated_order_flow(normalised_ofi) -> IntegratedOrderFlow:
    """Fit the weights that integrate the levels: w1 = first eigenvector of Cov(ofi), weights w1 / ||w1||_1.

    `normalised_ofi` `[interval, level]`: the `normalised` order flow of a training window; apply the result to later
    intervals only, or it looks ahead. Levels are centred and not scaled. Intervals that are not finite are left out and
    counted. The weights are NaN where fewer than two intervals are left or no level varies.

    Per item. Raises ValueError for another number of axes, and for float64 while JAX's x64 mode is off. Source: Cont,
    Cucuringu & Zhang (2023), arXiv 2112.13213, eq. 4.

    >>> model = fit_integrated_order_flow(jnp.array([[1.0, 2.0], [2.0, 4.0], [-3.0, -6.0]]))
    >>> model.weights.round(6).tolist(), float(model(jnp.array([3.0, 6.0])).round(6))
    ([0.333333, 0.666667], 5.0)
    """
    flow = as_floating(normalised_ofi, "order flow")
    if flow.ndim != 2:
        raise ValueError(f"expected order flow [interval, level], got shape {list(flow.shape)}; vmap over the rest")
    used = jnp.isfinite(flow).all(-1)
    count = used.sum()
    divisor = jnp.maximum(count, 1).astype(flow.dtype)
    flow = jnp.where(used[:, None], flow, 0.0)
    centred = jnp.where(used[:, None], flow - flow.sum(0) / divisor, 0.0)
    covariance = jnp.matmul(centred.T, centred, precision="highest") / divisor
    total = jnp.trace(covariance)
    # Below this is the rounding of the mean.
    rounding = (16 * jnp.finfo(flow.dtype).eps) ** 2 * (flow**2).sum() / divisor
    defined = (count >= 2) & (total > rounding)
    # The identity has no gradient of its eigenvectors; distinct numbers on the diagonal do.
    instead = jnp.diag(jnp.arange(1.0, flow.shape[1] + 1, dtype=flow.dtype))
    values, vectors = jnp.linalg.eigh(jnp.where(defined, covariance, instead))
    first = vectors[:, -1]
    first = jnp.where(first.sum() < 0, -first, first) / jnp.abs(first).sum()
    return IntegratedOrderFlow(
        weights=jnp.where(defined, first, jnp.nan),
        explained_variance_ratio=jnp.where(defined, values[-1] / jnp.where(defined, total, 1.0), jnp.nan),
        num_intervals=count,
        num_dropped=flow.shape[0] - count,
    )
