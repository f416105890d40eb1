"""Arguments of pricing formulas: one floating dtype for all, and an error for what is known to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp

from quantjax.numerics.regression import as_floating

__all__ = ["as_operands"]


def as_operands(values: Mapping[str, Any], *, positive: tuple[str, ...] = ()) -> list[jax.Array]:
    """The numbers as arrays of one floating dtype, that of the arrays among them; Python numbers take it.

    Raises ValueError for a Python number that is negative (or 0, for those named in `positive`), and for float64, or
    nothing but Python numbers, while JAX's x64 mode is off.
    """
    values = {name: float(value) if isinstance(value, Decimal) else value for name, value in values.items()}
    for name, value in values.items():
        if isinstance(value, int | float) and (value < 0 or (value == 0 and name in positive)):
            raise ValueError(f"expected {name} {'> 0' if name in positive else '>= 0'}, got {value}")
    arrays = [as_floating(value, name) for name, value in values.items() if hasattr(value, "dtype")]
    if not arrays and not jax.config.read("jax_enable_x64"):
        names = ", ".join(values)
        raise ValueError(
            f"expected arrays in float32 while JAX's x64 mode is off, got Python numbers for {names}; call "
            "jax.config.update('jax_enable_x64', True) at the start, or pass float32 arrays for float32 results"
        )
    dtype = jnp.result_type(*arrays) if arrays else jnp.dtype(jnp.float64)
    return [jnp.asarray(value, dtype) for value in values.values()]
