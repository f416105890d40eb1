"""Prices of European options under any model, by any engine."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import holds
from quantjax.numerics.regression import as_floating
from quantjax.pricing.fourier.lewis import Lewis

__all__ = ["Engine", "price"]


class Engine(Protocol):
    """What `price` asks of an engine; `Lewis`, `Cos` and `MonteCarlo` are such."""

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
    discount=1.0,
    call=True,
    engine: Engine | None = None,
    key: jax.Array | None = None,
) -> Float[jax.Array, "maturity strike"]:
    """Prices of European options: D E (S_T - K)^+ for calls, D E (K - S_T)^+ for puts, `[maturity, strike]`.

    `model`: a Module with `log_cf(u, t)` (`Heston`, `Black`, yours). `strikes` K: `[strike]`, or `[maturity, strike]`
    padded with NaN; `maturities` T in years, `[maturity]`; `forward` F(T) and `discount` D(T): scalar or `[maturity]`
    (`forward_curve` helps); `call`: True for calls, False for puts, or truth values of the shape of the strikes. With a
    scalar maturity or strike the result lacks that axis. `engine`: `Lewis()` if not given, `Cos(...)`, or
    `MonteCarlo(...)`, which alone takes a `key` (`simulate_price` gives its standard errors as well).

    NaN strikes give NaN, and a gradient of 0; a maturity of 0 gives the intrinsic value; negative maturities, strikes
    and forwards that are only known when computing give NaN. Per item: for many models use `jax.vmap`; jit and grad with
    respect to the model and everything else work. Raises ValueError for shapes that do not fit, for negative
    maturities, strikes or forwards that are known, and for float64 arrays while JAX's x64 mode is off.

    >>> from quantjax.pricing import Heston
    >>> model = Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
    >>> surface = price(model, jnp.array([90.0, 100.0, 110.0]), jnp.array([0.5, 1.0]), forward=100.0)
    >>> [[round(value, 4) for value in row] for row in surface.tolist()]
    [[12.1302, 5.119, 1.1511], [13.7132, 7.0243, 2.6047]]
    """
    engine = Lewis() if engine is None else engine
    strikes, maturities = as_floating(strikes, "strikes"), as_floating(maturities, "maturities")
    forward, discount = as_floating(forward, "forward"), as_floating(discount, "discount")
    if strikes.ndim > 2 or maturities.ndim > 1 or (strikes.ndim == 2 and maturities.shape != strikes.shape[:1]):
        raise ValueError(
            "expected strikes [strike] or [maturity, strike] and maturities [maturity], got "
            f"strikes{list(strikes.shape)} and maturities{list(maturities.shape)}; use jax.vmap for many surfaces"
        )
    for name, value in (("forward", forward), ("discount", discount)):
        if value.ndim and value.shape not in ((1,), maturities.shape):
            raise ValueError(
                f"expected {name} as a number or [maturity] {list(maturities.shape)}, got {list(value.shape)}"
            )
    if not holds(lambda t: ~(t < 0), maturities):
        raise ValueError(f"expected maturities >= 0 in years, got {maturities}")
    if not holds(lambda k: ~(k < 0), strikes):
        raise ValueError("expected strikes >= 0 (NaN pads), got a negative one; subtract nothing from them")
    if not holds(lambda f: ~(f <= 0), forward):
        raise ValueError(f"expected forward > 0, got {forward}")

    table = (maturities.shape or (1,)) + (strikes.shape[-1:] or (1,))
    dtype = jnp.result_type(strikes, maturities, forward, *jax.tree.leaves(model))
    value = _price_table(
        model,
        jnp.broadcast_to(strikes, table).astype(dtype),
        jnp.broadcast_to(maturities, table[:1]).astype(dtype),
        jnp.broadcast_to(forward, table[:1]).astype(dtype),
        jnp.broadcast_to(discount, table[:1]).astype(dtype),
        _calls(call, strikes, maturities, table),
        engine,
        key,
    )
    return value.reshape(maturities.shape + strikes.shape[-1:])


@jax.jit
def _price_table(model, strikes, maturities, forward, discount, calls, engine, key) -> jax.Array:
    """`price` of arrays `[maturity, strike]` and `[maturity]` of one dtype."""
    known = (strikes >= 0) & ((maturities >= 0) & (forward > 0))[:, None]
    positive, later = known & (strikes > 0), maturities > 0
    # What is not priced takes values at which everything, derivatives too, is finite.
    safe_forward = jnp.where(forward > 0, forward, 1.0)[:, None]
    log_moneyness = jnp.log(jnp.where(positive, strikes, safe_forward) / safe_forward)
    drawn = {} if key is None else {"key": key}
    value = engine.normalised_price(model, log_moneyness, jnp.where(later, maturities, 1.0), calls, **drawn)
    strike = jnp.where(known, strikes, 0.0)
    intrinsic = jnp.maximum(jnp.where(calls, safe_forward - strike, strike - safe_forward), 0.0)
    value = jnp.where(positive & later[:, None], value * safe_forward, intrinsic)
    return jnp.where(known, discount[:, None] * value, jnp.nan)


def _calls(call, strikes, maturities, shape: tuple[int, int]) -> Bool[jax.Array, "maturity strike"]:
    calls = jnp.asarray(call)
    if calls.dtype != jnp.bool_:
        raise TypeError(f"expected call as True, False or an array of truth values, got {call!r}")
    if maturities.ndim == 1 and strikes.ndim == 0 and calls.ndim == 1:
        calls = calls[:, None]
    try:
        return jnp.broadcast_to(calls, shape)
    except ValueError:
        raise ValueError(
            f"expected call as one truth value or [maturity, strike] {list(shape)}, got {list(calls.shape)}"
        ) from None
