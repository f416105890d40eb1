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
        if log_moneyness.shape[-1] == 1:
            contours = find_contours(model, maturities, log_moneyness[:, 0])
            total = self._own_contours(model, contours, maturities, log_moneyness[:, 0])[:, None]
        else:
            contours = find_contours(model, maturities)
            total = self._shared_contours(model, contours, maturities, log_moneyness)
        strike = jnp.exp(log_moneyness)
        control = black_price(1.0, strike, 1.0, jnp.sqrt(contours.total_variance)[:, None], call=call)
        return control - jnp.sqrt(strike) / jnp.pi * total

    def _own_contours(self, model, contours: Contours, maturities, log_moneyness) -> jax.Array:
        """Re int_(y > 0) e^(-i u k) (phi - e^(-w q / 2)) / q dz, `[maturity]`, one strike a maturity."""
        node = jnp.arange(self.nodes)[:, None]  # long axes of options, not of nodes, lie last: XLA makes loops of them
        _, _, integrand = self._integrand(model, contours, maturities, node, 1, log_moneyness)
        return _sum(integrand.re, 0)

    def _shared_contours(self, model, contours: Contours, maturities, log_moneyness) -> jax.Array:
        """The same for several strikes, `[maturity, strike]`, each on the contour of its side."""
        offset = log_moneyness - contours.centre[:, None]
        above = jax.lax.stop_gradient(offset) >= 0
        wide = jax.tree.map(lambda array: array[:, None, None], contours)
        node, sides = jnp.arange(self.nodes), jnp.array([1, -1])[:, None]
        z, lift, integrand = self._integrand(model, wide, maturities[:, None, None], node, sides, wide.centre)
        # Re z, and Im z + 1/2 but for its sign, are the same on both sides.
        sine, cosine = vector_sin_cos(offset[..., None] * z.re[:, :1])
        damping = jnp.exp(jnp.where(above, offset, -offset)[..., None] * lift[:, :1])
        # Products of matrices, and not sums: what makes their factors is computed once, in loops of its own.
        totals = _product(damping * cosine, integrand.re) + _product(damping * sine, integrand.im)
        return jnp.where(above, totals[..., 0], totals[..., 1])

    def _integrand(self, model, contours: Contours, maturities, node, sides, centre):
        """z, Im z + 1/2 and e^(-i u x) (phi - e^(-w q / 2)) / q dz, z = u - i/2, x the `centre`. Broadcasting."""
        z, step, lift = contours.nodes(self.nodes, node, sides)
        q = z * SplitComplex(z.re, z.im + 1)
        shift = SplitComplex(centre * lift, -centre * z.re)
        phi = (split(model.log_cf(z.joined(), maturities)) + shift).exp()
        control = (-0.5 * contours.total_variance * q + shift).exp()
        return z, lift, (phi - control) * step / q


def _product(factors: Float[jax.Array, "maturity strike node"], integrand: Float[jax.Array, "maturity side node"]):
    """Sum over the nodes, `[maturity, strike, side]`."""
    return jnp.einsum("msn,mjn->msj", factors, integrand, precision="highest")


def _sum(values: jax.Array, axis: int) -> jax.Array:
    """Sum over an axis as a product: a reduction would pull what makes the values into a loop of scalars."""
    ones = jnp.ones(values.shape[axis], values.dtype)
    return jnp.tensordot(ones, values, axes=(0, axis), precision="highest")
