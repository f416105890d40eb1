"""Arguments of pricing formulas: one floating dtype for all, calls and puts, an error for what is known to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Bool

from quantjax.numerics.arguments import as_floating

__all__ = ["as_call", "as_operands"]


def as_call(call: Any) -> Bool[jax.Array, "*batch"]:
    """Which options are calls, the others puts, as an array; TypeError for what is no truth value.

    A 1 or -1, or a "call" or "put", says the same in other libraries, and here would be taken for True.
    """
    try:
        calls = jnp.asarray(call)
    except TypeError:  # text
        calls = None
    if calls is None or calls.dtype != jnp.bool_:
        raise TypeError(f"expected call as True, False or an array of truth values, got {call!r}")
    return calls


def as_operands(
    values: Mapping[str, Any], *, positive: tuple[str, ...] = (), any_sign: tuple[str, ...] = ()
) -> list[jax.Array]:
    """The numbers as arrays of one floating dtype, that of the floating arrays among them, which the others take.

    Raises ValueError for a Python number that is negative (unless named in `any_sign`) or 0 (if named in `positive`),
    and for float64, or nothing but Python numbers, while JAX's x64 mode is off.
    """
    values = {name: float(value) if isinstance(value, Decimal) else value for name, value in values.items()}
    for name, value in values.items():
        if name in any_sign or not isinstance(value, int | float):
            continue
        if value < 0 or (value == 0 and name in positive):
            raise ValueError(f"expected {name} {'> 0' if name in positive else '>= 0'}, got {value}")
    arrays = [as_floating(value, name) for name, value in values.items() if _is_floating(value)]
    if not arrays and not jax.config.read("jax_enable_x64"):
        raise ValueError(
            f"expected float32 arrays while JAX's x64 mode is off, got none among {', '.join(values)}; call "
            "jax.config.update('jax_enable_x64', True) at the start, or pass float32 arrays for float32 results"
        )
    dtype = jnp.result_type(*arrays) if arrays else jnp.dtype(jnp.float64)
    return [jnp.asarray(value, dtype) for value in values.values()]


def _is_floating(value: Any) -> bool:
    return hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating)
