"""Running means and covariances of samples that come chunk by chunk, and the estimate that controls make of them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Moments", "controlled_mean", "merged", "moments", "no_moments"]


class Moments(NamedTuple):
    """Means over samples of payments y `[..., ]` and controls c `[control]`, and the covariances that estimates need.

    `cross` `[..., control]`: of y and c; `covariance` `[control, control]`: of c; all divided by the number of samples.
    """

    mean: jax.Array
    variance: jax.Array
    cross: jax.Array
    control_mean: jax.Array
    covariance: jax.Array


def moments(payment: jax.Array, controls: jax.Array) -> Moments:
    """Of payments `[..., sample]` and controls `[control, sample]`."""
    count = payment.shape[-1]
    mean, control_mean = payment.mean(-1), controls.mean(-1)
    # Only the mean is differentiated: the rest serves the standard error and the coefficients, which are held fixed.
    y = jax.lax.stop_gradient(payment - mean[..., None])
    c = jax.lax.stop_gradient(controls - control_mean[:, None])
    return Moments(
        mean,
        (y**2).mean(-1),
        jnp.einsum("...n,kn->...k", y, c, precision="highest") / count,
        control_mean,
        jnp.einsum("jn,kn->jk", c, c, precision="highest") / count,
    )


def no_moments(like: Moments) -> Moments:
    """Where a running mean starts."""
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)


def merged(before: Moments, new: Moments, number: jax.Array) -> Moments:
    """Moments of `number` equal chunks and one more.

    In means, not sums, which would overflow in float32; n chunks add some sqrt(n) roundings to the mean, 1e-5 of it for
    a billion float32 paths in chunks of 16,384. Source: Chan, Golub & LeVeque (1983),
    Algorithms for computing the sample variance, American Statistician 37:242, eq. 2.1.
    """
    weight = 1.0 / (number.astype(before.mean.dtype) + 1)
    change = new.mean - before.mean
    control_change = new.control_mean - before.control_mean
    fixed = jax.lax.stop_gradient(change), jax.lax.stop_gradient(control_change)
    between = weight * (1 - weight)

    def mixed(old, chunk, product):
        return old + weight * (chunk - old) + between * product

    return Moments(
        before.mean + weight * change,
        mixed(before.variance, new.variance, fixed[0] ** 2),
        mixed(before.cross, new.cross, fixed[0][..., None] * fixed[1]),
        before.control_mean + weight * control_change,
        mixed(before.covariance, new.covariance, fixed[1][:, None] * fixed[1]),
    )


def controlled_mean(found: Moments) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean of y - c b with the b that leaves least variance, that variance, and b `[..., control]`.

    b solves Cov(c) b = Cov(c, y) on the directions in which the controls vary: those with less than 1e4 roundings of
    the correlation matrix's largest eigenvalue (controls that repeat each other) are left out. Held fixed under
    differentiation. Source: Glasserman (2003), section 4.1.2.
    """
    if not len(found.control_mean):
        return found.mean, found.variance, jnp.zeros_like(found.cross)
    scale = jnp.sqrt(jnp.diagonal(found.covariance))
    known = scale > 0
    scale = jnp.where(known, scale, 1.0)
    values, vectors = jnp.linalg.eigh(found.covariance / (scale[:, None] * scale))
    kept = values > 1e4 * jnp.finfo(values.dtype).eps * values[-1]
    inverse = jnp.where(kept, 1.0 / jnp.where(kept, values, 1.0), 0.0)
    projected = jnp.einsum("...k,kj->...j", found.cross / scale, vectors, precision="highest")
    coefficients = jnp.einsum("...j,kj->...k", projected * inverse, vectors, precision="highest") / scale
    coefficients = jax.lax.stop_gradient(coefficients)
    mean = found.mean - (coefficients * found.control_mean).sum(-1)
    return mean, jnp.maximum(found.variance - (projected**2 * inverse).sum(-1), 0.0), coefficients
