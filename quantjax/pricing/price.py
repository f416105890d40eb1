"""Prices of European options under any model, by any engine."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from quantjax.pricing.fourier import Cos, Lewis
from quantjax.pricing.surface import SurfaceArguments, as_surface

__all__ = ["Engine", "price", "price_error"]


class Engine(Protocol):
    """What `price` asks of an engine; `Lewis`, `Cos` and `MonteCarlo` are such.

    One that must see the maturities' values has `traceable = False`, and is not compiled as a whole.
    """

    def normalised_price(
        self,
        model: Any,
        log_moneyness: Float[jax.Array, "maturity strike"],
        maturities: Float[jax.Array, " maturity"],
        call: Bool[jax.Array, "maturity strike"],
    ) -> Float[jax.Array, "maturity strike"]:
        """E (S/F - K/F)^+ or E (K/F - S/F)^+ for ln(K/F) and maturities > 0."""
        ...


def price(
    model,
    strikes,
    maturities,
    *,
    forward,
    discount: ArrayLike = 1.0,
    call: ArrayLike = True,
    engine: Engine | None = None,
    key: jax.Array | None = None,
) -> Float[jax.Array, "maturity strike"]:
    """Prices of European options: D E (S_T - K)^+ for calls, D E (K - S_T)^+ for puts, `[maturity, strike]`.

    `model`: a Module with `log_cf(u, t)` (`Heston`, `Black`, yours). `strikes` K: `[strike]`, or `[maturity, strike]`
    padded with NaN; `maturities` T in years, `[maturity]`; `forward` F(T) and `discount` D(T): scalar or `[maturity]`
    (`forward_curve` helps); `call`: True for calls, False for puts, or truth values of the shape of the strikes. With a
    scalar maturity or strike the result lacks that axis. `engine`: `Lewis()` if not given, `Cos(...)`, or
    `MonteCarlo(...)`, which alone takes a `key` (`simulate_price` gives its standard errors as well).

    Strikes that are NaN or infinite give NaN, and a gradient of 0; a maturity of 0 gives the intrinsic value;
    maturities and forwards that are NaN or infinite give NaN, and so do maturities, strikes and forwards out of range
    that are only known when computing, and parameters of `Heston` and `Black` out of their domain. Per item: the
    model's parameters are scalars, and for many models there is `jax.vmap`; jit and grad with respect to the model and
    everything else work. Raises ValueError for shapes that do not fit, for negative maturities, strikes, forwards or
    discounts that are known, and for Python floats and float64 arrays while JAX's x64 mode is off; TypeError for what
    is no number, model or engine. Sources stand with the engines.

    >>> from quantjax.pricing import Heston
    >>> model = Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
    >>> surface = price(model, jnp.array([90.0, 100.0, 110.0]), jnp.array([0.5, 1.0]), forward=100.0)
    >>> [[round(value, 4) for value in row] for row in surface.tolist()]
    [[12.1302, 5.119, 1.1511], [13.7132, 7.0243, 2.6047]]
    """
    engine = Lewis() if engine is None else engine
    if isinstance(engine, type) or not hasattr(engine, "normalised_price"):
        raise TypeError(f"expected engine as Lewis(), Cos(...) or MonteCarlo(...), got {engine!r}")
    arguments, shape = as_surface(model, strikes, maturities, forward, discount, call)
    if key is not None and isinstance(engine, Lewis | Cos):
        raise ValueError(f"expected no key for {type(engine).__name__}, which draws nothing; leave it out")
    # Monte Carlo chooses its steps by the maturities, which it cannot while they are traced.
    run = _compiled if getattr(engine, "traceable", True) else _price_table
    return run(model, arguments, engine, key).reshape(shape)


def price_error(
    model,
    strikes,
    maturities,
    *,
    forward,
    discount: ArrayLike = 1.0,
    call: ArrayLike = True,
    engine: Lewis | Cos | None = None,
) -> Float[jax.Array, "maturity strike"]:
    """How far `price` by a Fourier engine may be off, in currency, of the shape of the prices; the same arguments.

    Of `Cos` a bound, of `Lewis` the difference from twice the nodes: see their `normalised_error`. NaN where the price
    is NaN. Per item. Raises as `price`, and TypeError for an engine that knows no error.

    >>> from quantjax.pricing import Heston
    >>> model = Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
    >>> bool(price_error(model, 100.0, 1.0, forward=100.0, engine=Lewis(nodes=24)) < 1e-5)
    True
    """
    engine = Lewis() if engine is None else engine
    if isinstance(engine, type) or not hasattr(engine, "normalised_error"):
        raise TypeError(f"expected an engine with normalised_error, Lewis() or Cos(...), got {engine!r}")
    arguments, shape = as_surface(model, strikes, maturities, forward, discount, call)
    return _error_table(model, arguments, engine).reshape(shape)


def _price_table(model, arguments: SurfaceArguments, engine, key) -> jax.Array:
    """`price`, `[maturity, strike]`."""
    strikes, maturities, forward, discount, calls = arguments
    known, priced, log_moneyness = _inside(arguments)
    drawn = {} if key is None else {"key": key}
    value = engine.normalised_price(model, log_moneyness, jnp.where(maturities > 0, maturities, 1.0), calls, **drawn)
    safe_forward, strike = jnp.where(forward > 0, forward, 1.0)[:, None], jnp.where(known, strikes, 0.0)
    intrinsic = jnp.maximum(jnp.where(calls, safe_forward - strike, strike - safe_forward), 0.0)
    value = jnp.where(priced, value * safe_forward, intrinsic)
    return jnp.where(known, discount[:, None] * value, jnp.nan)


_compiled = jax.jit(_price_table)


@jax.jit
def _error_table(model, arguments: SurfaceArguments, engine) -> jax.Array:
    """`price_error`, `[maturity, strike]`."""
    _, maturities, forward, discount, calls = arguments
    known, priced, log_moneyness = _inside(arguments)
    error = engine.normalised_error(model, log_moneyness, jnp.where(maturities > 0, maturities, 1.0), calls)
    error = jnp.where(priced, error * (forward * discount)[:, None], 0.0)
    return jnp.where(known, error, jnp.nan)


def _inside(arguments: SurfaceArguments) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where there is a price, where it takes an engine, and ln(K/F), 0 where it takes none.

    What is not priced takes values at which everything, derivatives too, is finite.
    """
    strikes, maturities, forward, _, _ = arguments
    known = (strikes >= 0) & (strikes < jnp.inf)
    known &= ((maturities >= 0) & (maturities < jnp.inf) & (forward > 0) & (forward < jnp.inf))[:, None]
    positive = known & (strikes > 0)
    safe_forward = jnp.where(forward > 0, forward, 1.0)[:, None]
    log_moneyness = jnp.log(jnp.where(positive, strikes, safe_forward) / safe_forward)
    return known, positive & (maturities > 0)[:, None], log_moneyness
