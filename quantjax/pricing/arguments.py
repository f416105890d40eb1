"""Arguments of pricing formulas: one floating dtype for all, calls and puts, an error for what is known to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from quantjax.numerics.arguments import as_floating

__all__ = ["as_call", "as_operands", "check_precision"]


def as_call(call: Any) -> Bool[jax.Array, "*batch"]:
    """Which options are calls, the others puts, as an array; TypeError for what is no truth value.

    A 1 or -1, or a "call" or "put", says the same in other libraries, and here would be taken for True.
    """
    try:
        calls = jnp.asarray(call)
    except (TypeError, ValueError):  # text, None, rows of unequal lengths
        calls = None
    if calls is None or calls.dtype != jnp.bool_:
        raise TypeError(f"expected call as True, False or an array of truth values, got {call!r}")
    return calls


def as_operands(
    values: Mapping[str, Any], call: Any, *, positive: tuple[str, ...] = (), any_sign: tuple[str, ...] = ()
) -> list[jax.Array]:
    """The numbers as arrays of one floating dtype, that of the floating arrays among them, which the others take; and
    `call` as by `as_call`, the last.

    Raises ValueError for a Python number that is negative (unless named in `any_sign`) or 0 (if named in `positive`),
    for shapes that do not broadcast, and for float64, or nothing but Python numbers, while JAX's x64 mode is off;
    TypeError for what is no number.
    """
    values = {name: float(value) if isinstance(value, Decimal) else value for name, value in values.items()}
    for name, value in values.items():
        if name in any_sign or not isinstance(value, int | float):
            continue
        if value < 0 or (value == 0 and name in positive):
            raise ValueError(f"expected {name} {'> 0' if name in positive else '>= 0'}, got {value}")
    check_precision(values)
    # Python numbers go into that dtype at once; numpy's float64, a Python float by class, is not to lose its digits.
    numbers = [
        value if type(value) in (bool, int, float) else as_floating(value, name) for name, value in values.items()
    ]
    floating = [number for number, value in zip(numbers, values.values(), strict=True) if _is_floating(value)]
    dtype = jnp.result_type(*floating) if floating else jnp.dtype(jnp.float64)
    operands = [*(jnp.asarray(number, dtype) for number in numbers), as_call(call)]
    try:
        np.broadcast_shapes(*(operand.shape for operand in operands))
    except ValueError:
        names = (*values, "call")
        shapes = ", ".join(f"{name}{list(x.shape)}" for name, x in zip(names, operands, strict=True) if x.ndim)
        raise ValueError(f"expected shapes that broadcast, got {shapes}") from None
    return operands


def check_precision(values: Mapping[str, Any]) -> None:
    """Raise ValueError if JAX's x64 mode is off and no floating array, which asks for its own precision, is given."""
    if not jax.config.read("jax_enable_x64") and not any(map(_is_floating, values.values())):
        raise ValueError(
            f"expected float32 arrays while JAX's x64 mode is off, got none among {', '.join(values)}; call "
            "jax.config.update('jax_enable_x64', True) at the start, or pass float32 arrays for float32 results"
        )


def _is_floating(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return isinstance(dtype, np.dtype) and jnp.issubdtype(dtype, jnp.floating)  # pandas has dtypes of its own
