"""Lewis's integral for option prices, with Black's price as control variate, on hyperbolic contours."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import whole_number
from quantjax.numerics.split_complex import SplitComplex, split
from quantjax.numerics.trigonometry import vector_sin_cos
from quantjax.pricing.black import black_price
from quantjax.pricing.fourier.contour import Contours, find_contours

__all__ = ["Lewis"]


class Lewis(eqx.Module):
    """Fourier engine: Lewis's integral less Black's, by the trapezoidal rule on hyperbolic contours.

    With k = ln(K/F), X = ln(S_T/F), q = z^2 + i z, and Black's model with the total variance w = -8 ln phi(-i/2):

        price / (D F) = Black(k, w) - e^k / (2 pi) int e^(-i z k) (phi(z) - e^(-w q / 2)) / q dz

    for calls and puts alike. The difference has no poles at 0 and -i, and both terms agree at -i/2, so few nodes do:
    `nodes` (default 64) is their number on each of two contours a maturity (`fourier.contour`), shared by all strikes;
    with one strike a maturity there is one contour. The error falls exponentially with it: 64 nodes give 1e-10 of
    the forward or better from a day to 30 years, Feller ratios of 0.01 and |rho| of 0.99 included; 32 do for most
    calibrated models. Works for any model with `log_cf`; float32 gives 1e-6 of the forward.

    Source: Lewis (2001), A simple option formula for general jump-diffusion and other exponential Levy processes, eq. 3.11;
    Andersen & Piterbarg (2010), Interest Rate Modeling 1, section 8.4.3 (control variate).
    """

    nodes: int = eqx.field(static=True, default=64, converter=lambda value: whole_number(value, "nodes", least=8))

    def normalised_price(
        self,
        model,
        log_moneyness: Float[jax.Array, "maturity strike"],
        maturities: Float[jax.Array, " maturity"],
        call: Bool[jax.Array, "maturity strike"],
    ) -> Float[jax.Array, "maturity strike"]:
        """Undiscounted prices in units of the forward, of options with ln(K/F) at maturities > 0. Per item."""
        contours = find_contours(model, maturities)
        above = jax.lax.stop_gradient(log_moneyness) >= contours.centre[:, None]
        if log_moneyness.shape[-1] == 1:
            z, _, integrand = self._integrand(model, contours, maturities, jnp.where(above, 1, -1), log_moneyness)
            total = _sum(integrand.re)
        else:
            centre = contours.centre[:, None]
            z, lift, both = self._integrand(model, contours, maturities, jnp.array([1, -1]), centre)
            # z.re, and lift but for its sign, are the same on both sides.
            offset = (log_moneyness - centre)[..., None]
            side = above[..., None]
            sine, cosine = vector_sin_cos(offset * z.re[:, :1])
            damping = jnp.exp(jnp.where(side, offset, -offset) * lift[:, :1])
            integrand = both.at(0).where(side, both.at(1))
            total = _sum(damping * (cosine * integrand.re + sine * integrand.im))
        vol = jnp.sqrt(contours.total_variance)[:, None]
        strike = jnp.exp(log_moneyness)
        control = black_price(1.0, strike, 1.0, vol, call=call)
        return control - jnp.sqrt(strike) / jnp.pi * total

    def _integrand(self, model, contours: Contours, maturities, sides, centre):
        """z, Im z + 1/2 and e^(-i u x) (phi - e^(-w q / 2)) / q dz, z = u - i/2, x the `centre`; `[maturity, side, node]`."""
        z, step, lift = contours.nodes(self.nodes, sides)
        q = z.square() + z.times_i()
        centre = centre[..., None]
        shift = SplitComplex(centre * lift, -centre * z.re)
        phi = (split(model.log_cf(z.joined(), maturities[:, None, None])) + shift).exp()
        control = (-0.5 * contours.total_variance[:, None, None] * q + shift).exp()
        return z, lift, (phi - control) / q * step


def _sum(values: jax.Array) -> jax.Array:
    """Sum over the last axis as a product: a reduction would pull what makes the values into a scalar loop."""
    return jnp.matmul(values, jnp.ones(values.shape[-1], values.dtype), precision="highest")
