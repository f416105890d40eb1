"""The COS method: prices from a cosine series of the density."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import check_positive, plain_float, whole_number
from quantjax.numerics.split_complex import SplitComplex, split
from quantjax.numerics.trigonometry import vector_sin_cos
from quantjax.pricing.fourier.truncation import truncation_range

__all__ = ["Cos"]


class Cos(eqx.Module):
    """Fourier engine: the cosine series of the density of X = ln(S_T/F) on [a, b], Fang & Oosterlee's COS method.

    With w_j = j pi / (b - a) and A_j = Re(phi(w_j) e^(-i w_j a)), puts in units of the forward are

        sum'_j A_j 2 / ((b - a)(1 + w_j^2)) (e^k (sin(w_j (k - a)) / w_j - cos(w_j (k - a))) + e^a),

    the first term halved; calls by parity. `terms` J (default 512); `tolerance` (default 1e-11): the probability left
    outside [a, b]. Where a model knows its finite moments (`critical_moments(t)`), [a, b] comes from Chernoff's bounds
    P(X > b) <= E e^(p X) e^(-p b), which hold and are close; else from the fourth moment as Junike & Pankrashkin
    propose, which holds too but is wide. Where the density is sharp or its tails are long (a Feller ratio near 0), 512
    terms are too few and the prices wrong: `price_error` bounds the error. Use it as a check of `Lewis`, which is
    faster and takes any model.

    Source: Fang & Oosterlee (2008), A novel pricing method for European options based on Fourier-cosine series
    expansions, SIAM J. Sci. Comput. 31:826, section 3; Junike & Pankrashkin (2022), Precise option pricing by the COS
    method - how to choose the truncation range, Appl. Math. Comput. 421:126935.
    """

    terms: int = eqx.field(static=True, default=512, converter=lambda value: whole_number(value, "terms", least=8))
    tolerance: float = eqx.field(static=True, default=1e-11, converter=plain_float)

    def __check_init__(self):
        check_positive("tolerance", self.tolerance)

    def normalised_price(
        self,
        model,
        log_moneyness: Float[jax.Array, "maturity strike"],
        maturities: Float[jax.Array, " maturity"],
        call: Bool[jax.Array, "maturity strike"],
    ) -> Float[jax.Array, "maturity strike"]:
        """Undiscounted prices in units of the forward, of options with ln(K/F) at maturities > 0. Per item."""
        low, high = truncation_range(model, maturities, self.tolerance)
        width = high - low
        term = jnp.arange(self.terms)
        frequency = math.pi * term / width[:, None]
        phi = split(model.log_cf(jax.lax.complex(frequency, jnp.zeros_like(frequency)), maturities[:, None]))
        density = (phi + SplitComplex(jnp.zeros_like(frequency), -frequency * low[:, None])).exp().re
        weight = density * 2 / (width[:, None] * (1 + frequency * frequency)) * jnp.where(term == 0, 0.5, 1.0)
        # A strike outside [a, b] is worth its bound: put 0 below, and the parity value above.
        inside = jnp.clip(log_moneyness, low[:, None], high[:, None])
        strike = jnp.exp(inside)
        sine, cosine = vector_sin_cos(frequency[:, None] * (inside - low[:, None])[..., None])
        ramp = (inside - low[:, None])[..., None]
        slope = jnp.where(term == 0, ramp, sine / jnp.where(term == 0, 1.0, frequency)[:, None])
        # A product of matrices: the characteristic function is computed once for all strikes.
        wave = jnp.einsum("msn,mn->ms", slope - cosine, weight, precision="highest")
        put = strike * wave + (jnp.exp(low) * weight.sum(-1))[:, None]
        put = jnp.where(log_moneyness > high[:, None], put + jnp.exp(log_moneyness) - strike, put)
        return jnp.where(call, put + 1 - jnp.exp(log_moneyness), put)

    def normalised_error(
        self,
        model,
        log_moneyness: Float[jax.Array, "maturity strike"],
        maturities: Float[jax.Array, " maturity"],
        call: Bool[jax.Array, "maturity strike"],
    ) -> Float[jax.Array, "maturity strike"]:
        """A bound of the error of `normalised_price` as long as |phi| falls beyond the last term's frequency.

        2 e^k tolerance for the range, 2 |phi(w_J)| (e^k + e^a) / (pi w_J) for the terms left out. Per item.
        """
        low, high = truncation_range(model, maturities, self.tolerance)
        last = math.pi * self.terms / (high - low)
        phi = split(model.log_cf(jax.lax.complex(last, jnp.zeros_like(last)), maturities))
        strike = jnp.exp(log_moneyness)
        series = (2 / math.pi * jnp.exp(phi.re) / last)[:, None] * (strike + jnp.exp(low)[:, None])
        return 2 * self.tolerance * strike + series
