"""The arguments of a surface of prices, checked and brought to one shape and dtype."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import as_floating, holds
from quantjax.pricing.arguments import as_call, check_precision

__all__ = ["SurfaceArguments", "as_surface"]


class SurfaceArguments(NamedTuple):
    """Arrays of one dtype, `[maturity, strike]` and `[maturity]`."""

    strikes: Float[jax.Array, "maturity strike"]
    maturities: Float[jax.Array, " maturity"]
    forward: Float[jax.Array, " maturity"]
    discount: Float[jax.Array, " maturity"]
    calls: Bool[jax.Array, "maturity strike"]


def as_surface(model, strikes, maturities, forward, discount, call) -> tuple[SurfaceArguments, tuple[int, ...]]:
    """The arguments of `price`, and the shape of its result. Raises as `price`."""
    if isinstance(model, type) or not (hasattr(model, "log_cf") or hasattr(model, "simulate")):
        raise TypeError(f"expected a model with log_cf(u, t) or simulate(...), such as Heston(...), got {model!r:.80}")
    check_precision({"strikes": strikes, "maturities": maturities, "forward": forward})
    strikes, maturities = as_floating(strikes, "strikes"), as_floating(maturities, "maturities")
    forward, discount = as_floating(forward, "forward"), as_floating(discount, "discount")
    if any(jnp.ndim(leaf) for leaf in jax.tree.leaves(model)):
        raise ValueError("expected a model of scalar parameters, got a batched one; use jax.vmap for many models")
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
    if not holds(lambda d: ~(d < 0), discount):
        raise ValueError(f"expected discount >= 0, got {discount}")

    table = (maturities.size, strikes.shape[-1] if strikes.ndim else 1)
    dtype = jnp.result_type(strikes, maturities, forward, *jax.tree.leaves(model))
    arguments = SurfaceArguments(
        jnp.broadcast_to(strikes, table).astype(dtype),
        jnp.broadcast_to(maturities, table[:1]).astype(dtype),
        jnp.broadcast_to(forward, table[:1]).astype(dtype),
        jnp.broadcast_to(discount, table[:1]).astype(dtype),
        _calls(call, strikes, maturities, table),
    )
    return arguments, maturities.shape + strikes.shape[-1:]


def _calls(call, strikes, maturities, shape: tuple[int, int]) -> Bool[jax.Array, "maturity strike"]:
    calls = as_call(call)
    if maturities.ndim == 1 and strikes.ndim == 0 and calls.ndim == 1:
        calls = calls[:, None]
    try:
        return jnp.broadcast_to(calls, shape)
    except ValueError:
        raise ValueError(
            f"expected call as one truth value or [maturity, strike] {list(shape)}, got {list(calls.shape)}"
        ) from None
