"""Greeks of surfaces under any model, by automatic differentiation."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Float

from quantjax.numerics.arguments import as_floating
from quantjax.pricing.price import Engine, price

__all__ = ["ModelGreeks", "greeks"]

Surface = Float[jax.Array, "maturity strike"]


class ModelGreeks(eqx.Module):
    """Derivatives of prices V(F, model, t), each of the shape of the prices; conventions and units as in `Greeks`.

    `parameters`, `vannas` and `volgas` are models whose leaves are derivatives in those parameters: with Heston,
    `greeks.parameters.v0` is dV/dv0, `greeks.vannas.rho` is d2V/dF drho, `greeks.volgas.xi` is d2V/dxi2.
    """

    price: Surface
    """V, currency."""
    delta: Surface
    """dV/dF, units of the underlying, discounted; the model's parameters fixed."""
    gamma: Surface
    """d2V/dF2, per currency."""
    theta: Surface
    """dV/dt = -dV/dT, currency a year, at a fixed forward and rate r = -ln(D) / T."""
    rho: Surface
    """dV/dr = -T V, currency per 1.00 of rate, the forward fixed."""
    charm: Surface
    """d2V/dF dt, a year."""
    parameters: Any
    """dV/dparameter, currency per 1.00 of it."""
    vannas: Any
    """d2V/dF dparameter."""
    volgas: Any
    """d2V/dparameter2."""


def greeks(
    model,
    strikes,
    maturities,
    *,
    forward,
    discount: ArrayLike = 1.0,
    call: ArrayLike = True,
    engine: Engine | None = None,
    key: jax.Array | None = None,
) -> ModelGreeks:
    """Price and Greeks, to second order, of European options under any model; the arguments are those of `price`.

    Each is of the shape of the prices, `[maturity, strike]` or less: dV/dx and d2V/dx dy by `jax.jvp` of `jax.jvp`.
    Exact derivatives of what the engine computes, without bumps. The model's parameters are scalars. At a maturity of 0
    the slopes in time are 0. `MonteCarlo` needs a scheme with `substeps`, and gives second derivatives where its paths
    are `conditional`. Per item; jit and vmap work. Raises as `price`. `black_greeks` has Black's closed form.

    >>> from quantjax.pricing import Heston
    >>> model = Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
    >>> found = greeks(model, 100.0, 1.0, forward=100.0)
    >>> round(float(found.delta), 6), round(float(found.gamma), 6), round(float(found.parameters.v0), 4)
    (0.639301, 0.02301, 49.7575)
    """
    # What is known of the arguments is checked here, outside of the compiled part.
    jax.eval_shape(
        lambda: price(model, strikes, maturities, forward=forward, discount=discount, call=call, engine=engine, key=key)
    )
    strikes, maturities = as_floating(strikes, "strikes"), as_floating(maturities, "maturities")
    forward, discount = as_floating(forward, "forward"), as_floating(discount, "discount")
    return _greeks(model, strikes, maturities, forward, discount, call, engine, key)


@jax.jit
def _greeks(model, strikes, maturities, forward, discount, call, engine, key) -> ModelGreeks:
    leaves, structure = jax.tree.flatten(model)
    later = maturities > 0
    rate = jnp.where(later, -jnp.log(discount) / jnp.where(later, maturities, 1.0), 0.0)

    def value(inputs):
        """The prices of the parameters, the forward and the maturities moved by the last two of the inputs."""
        moved = jnp.where(later, maturities + inputs[-1], maturities)
        return price(
            structure.unflatten(list(inputs[:-2])),
            strikes,
            moved,
            forward=forward + inputs[-2],
            discount=jnp.where(later, jnp.exp(-rate * moved), discount),
            call=call,
            engine=engine,
            key=key,
        )

    # All derivatives as one program: of second order, for pairs of directions side by side.
    count = len(leaves)
    dtype = jnp.result_type(strikes, maturities, forward, *leaves)
    inputs = jnp.stack([*(jnp.asarray(leaf, dtype) for leaf in leaves), *jnp.zeros(2, dtype)])
    of_forward, of_time = count, count + 1
    pairs = [(of_forward, of_forward), (of_time, of_forward)]
    pairs += [(leaf, of_forward) for leaf in range(count)] + [(leaf, leaf) for leaf in range(count)]
    direction = jnp.eye(count + 2, dtype=inputs.dtype)

    def derivatives(first, second):
        return jax.jvp(lambda x: jax.jvp(value, (x,), (first,))[1], (inputs,), (second,))

    slopes, curvatures = jax.vmap(derivatives)(*(direction[jnp.array(side)] for side in zip(*pairs, strict=True)))
    prices = value(inputs)
    years = maturities if strikes.ndim == 0 or maturities.ndim == 0 else maturities[:, None]
    found = ModelGreeks(
        price=prices,
        delta=slopes[0],
        gamma=curvatures[0],
        theta=-slopes[1],
        rho=-years * prices,
        charm=-curvatures[1],
        parameters=structure.unflatten(list(slopes[2 : 2 + count])),
        vannas=structure.unflatten(list(curvatures[2 : 2 + count])),
        volgas=structure.unflatten(list(curvatures[2 + count :])),
    )
    # Derivatives of a NaN that stands for "no price" would be 0.
    return jax.tree.map(lambda values: jnp.where(jnp.isnan(prices), jnp.nan, values), found)
