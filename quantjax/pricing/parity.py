"""Forward and discount factor of an expiry out of its calls and puts."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from quantjax.numerics.arguments import as_floating

__all__ = ["ParityFit", "fit_parity"]

_ROUNDS = 25  # of reweighting; the weights stand still after about ten
_HUBER = 1.345  # 95 % efficiency where the errors are normal
_MAD_TO_STD = 1.4826


class ParityFit(eqx.Module):
    """Forward F and discount factor D of the line C - P = D (F - K).

    `forward`, `discount` `[...]`, in the unit of the strikes and as a number; `forward_std_error`,
    `discount_std_error` `[...]`: sandwich (HC1) errors of the weighted fit, 0 for a discount that was given;
    `residual` `[..., strike]`: C - P less the line, NaN where there is no pair; `num_pairs` `[...]`.
    """

    forward: Float[jax.Array, "*batch"]
    discount: Float[jax.Array, "*batch"]
    forward_std_error: Float[jax.Array, "*batch"]
    discount_std_error: Float[jax.Array, "*batch"]
    residual: Float[jax.Array, "*batch strike"]
    num_pairs: Int[jax.Array, "*batch"]


def fit_parity(strike, call, put, spread: jax.typing.ArrayLike = 1.0, discount=None) -> ParityFit:
    """Forward and discount factor by put-call parity: C - P = D (F - K), a line in K.

    `strike`, `call`, `put` `[..., strike]`: prices of European options of one expiry; pairs with a number that is not
    finite take no part, so shorter expiries are padded with NaN. `spread` `[..., strike]`: the error of C - P that is
    thought usual, such as the two bid-ask spreads together, > 0; a pair's weight is 1 / spread^2 and is lowered where
    its residual lies far beyond the others' (Huber's weights of residual / spread, scale from the median absolute
    residual), so that single stale quotes do not move the line. `discount` `[...]`: the discount factor where it is
    known; only the forward is fitted then. Strikes and prices of one unit.

    NaN where there are fewer than two different strikes (with a discount given: no pair); the errors also where no
    degree of freedom is left. Broadcasting (the core axis is strike). Raises ValueError for float64 arrays while JAX's
    x64 mode is off. Source: Stoll (1969), Journal of Finance 24(5); Huber & Ronchetti, Robust Statistics, chapter 7.

    >>> strike = jnp.array([90.0, 100.0, 110.0, 120.0])
    >>> fit = fit_parity(strike, 0.98 * (105.0 - strike) + 7.0, jnp.full(4, 7.0))
    >>> round(float(fit.forward), 6), round(float(fit.discount), 6)
    (105.0, 0.98)
    """
    strike, call, put = (as_floating(x, name) for x, name in ((strike, "strike"), (call, "call"), (put, "put")))
    if strike.ndim == 0:
        raise ValueError("expected strikes [..., strike], got a number; parity needs the strikes of an expiry together")
    spread = jnp.asarray(spread, call.dtype)
    return _fit(strike, call, put, spread, None if discount is None else jnp.asarray(discount, call.dtype))


@jax.jit
def _fit(strike, call, put, spread, discount) -> ParityFit:
    strike, difference, spread = jnp.broadcast_arrays(strike, call - put, spread)
    used = jnp.isfinite(strike) & jnp.isfinite(difference) & (spread > 0) & jnp.isfinite(spread)
    k, y, s = (jnp.where(used, x, 1.0) for x in (strike, difference, spread))
    count = used.sum(-1)
    base = jnp.where(used, 1 / s**2, 0.0)
    # Weights are ratios: scaled so that none under- or overflows, whatever the unit.
    base = base / jnp.maximum(base.max(-1, keepdims=True), jnp.finfo(base.dtype).tiny)

    def line(weight):
        """The weighted line: D, a point on it, and the residuals."""
        total = _positive(weight.sum(-1, keepdims=True))
        k_mean, y_mean = ((weight * x).sum(-1, keepdims=True) / total for x in (k, y))
        if discount is None:
            slope = -(weight * (k - k_mean) * (y - y_mean)).sum(-1, keepdims=True)
            slope = slope / _positive((weight * (k - k_mean) ** 2).sum(-1, keepdims=True))
        else:
            slope = jnp.broadcast_to(discount, count.shape)[..., None]
        return slope, k_mean, y_mean, y - y_mean + slope * (k - k_mean)

    def huber(residual):
        """Weights, and those of the pairs that are not far out, which are all that curve the objective."""
        size = jnp.abs(residual) / s
        scale = _MAD_TO_STD * jnp.nanmedian(jnp.where(used, size, jnp.nan), axis=-1, keepdims=True)
        far = size > _HUBER * scale
        return jnp.where(far, base * _HUBER * scale / jnp.where(far, size, 1.0), base), jnp.where(far, 0.0, base)

    weight = jax.lax.fori_loop(0, _ROUNDS, lambda _, weight: huber(line(weight)[3])[0], base)
    slope, k_mean, y_mean, residual = line(weight)
    safe_slope = jnp.where(slope == 0, 1.0, slope)
    forward = k_mean + y_mean / safe_slope

    # Huber & Ronchetti, eq. 7.81: influences by the curvature of the objective, scores by the weights.
    weight, curving = huber(residual)
    total = _positive(curving.sum(-1, keepdims=True))
    centre = (curving * k).sum(-1, keepdims=True) / total
    score = jnp.where(used, weight * residual, 0.0)
    on_level, on_slope = score / total, jnp.zeros_like(score)
    if discount is None:
        on_slope = -score * (k - centre) / _positive((curving * (k - centre) ** 2).sum(-1, keepdims=True))
    on_forward = (on_level - (forward - centre) * on_slope) / safe_slope
    dof = count - (2 if discount is None else 1)
    factor = jnp.where(dof > 0, count / jnp.maximum(dof, 1), jnp.nan)

    def error(influence):
        square = factor * (influence**2).sum(-1)
        positive = square > 0  # the inner where keeps the gradient finite at a perfect fit
        return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), square)

    spread_out = jnp.where(used, k, -jnp.inf).max(-1) > jnp.where(used, k, jnp.inf).min(-1)
    known = (count > 0) & (spread_out if discount is None else True)
    nan = jnp.nan
    return ParityFit(
        forward=jnp.where(known, forward[..., 0], nan),
        discount=jnp.where(known, slope[..., 0], nan),
        forward_std_error=jnp.where(known, error(on_forward), nan),
        discount_std_error=jnp.where(known, error(on_slope) if discount is None else 0.0, nan),
        residual=jnp.where(used & known[..., None], residual, nan),
        num_pairs=count,
    )


def _positive(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, 1.0)
