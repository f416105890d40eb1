"""Arguments as they come: numpy's scalars as plain numbers, what must be whole or positive, and what JAX traces."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

__all__ = [
    "as_floating",
    "check_positive",
    "holds",
    "is_integer",
    "nanoseconds",
    "plain",
    "plain_float",
    "whole_number",
]


def as_floating(array, name: str) -> jax.Array:
    """A JAX array of floating numbers, of the dtype that the array has; integers and Decimals take JAX's default.

    Raises ValueError for float64 while JAX's x64 mode is off, which would cut the digits silently, and TypeError for
    what is no array of real numbers: text, dates, None, objects, rows of unequal lengths, complex numbers.
    Broadcasting.

    >>> as_floating([1, 2], "x").dtype == jnp.result_type(float)
    True
    """
    if getattr(array, "dtype", None) == np.float64 and not jax.config.read("jax_enable_x64"):
        raise ValueError(
            f"expected {name} in float32 while JAX's x64 mode is off, got float64; call "
            "jax.config.update('jax_enable_x64', True) at the start, or pass float32 arrays for float32 results"
        )
    try:
        numbers = jnp.asarray(float(array) if isinstance(array, Decimal) else array)
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None or not jnp.isrealobj(numbers):
        dtype = getattr(array, "dtype", None)
        kind = type(array).__name__ if dtype is None else f"dtype {dtype}"
        raise TypeError(f"expected {name} as numbers in rows of one length, got {array!r:.80} ({kind})")
    return numbers if jnp.issubdtype(numbers.dtype, jnp.floating) else numbers.astype(jnp.result_type(float))


def plain(value: Any) -> Any:
    """A Python number (or str) for a scalar of numpy or JAX; anything else, a traced number among it, as it is.

    The converter of static fields, which must hash and compare: `symbols[0]` and `time_ns[0]` of arrays are none such.

    >>> plain(np.int64(5)), plain(np.str_("XYZ")), plain(None)
    (5, 'XYZ', None)
    """
    if isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, Tracer):
        return value.item() if value.ndim == 0 else value
    return value


def plain_float(value: Any) -> Any:
    """As `plain`, and a float for a Decimal, which JAX does not know."""
    return float(value) if isinstance(value, Decimal) else plain(value)


def is_integer(value: Any) -> bool:
    """Whether a plain value is an integer; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole_number(value: Any, name: str, least: int = 1) -> int:
    """A Python int of an int or a numpy integer, no less than `least`; ValueError for anything else, bools among it.

    >>> whole_number(np.int32(5), "window")
    5
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"expected {name} as an integer >= {least}, got {value!r}") from None
    if number < least:
        raise ValueError(f"expected {name} as an integer >= {least}, got {value!r}")
    return number


def holds(condition: Callable[..., Any], *values: Any) -> bool:
    """Whether a condition holds for all elements; True where a value is traced, for then nobody knows."""
    if any(isinstance(value, Tracer) for value in values):
        return True
    return bool(np.all(condition(*map(np.asarray, values))))


def check_positive(name: str, value: Any) -> None:
    """Raise TypeError for what is no number, ValueError unless it is positive and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"expected {name} as a number, got {value!r}")
    if not 0 < float(value) < np.inf:
        raise ValueError(f"expected {name} > 0 and finite, got {value}")


def nanoseconds(times: Any, name: str) -> np.ndarray:
    """Times `[time]` as int64 nanoseconds since 1970 UTC; datetime64 and a DatetimeIndex are converted. Driver.

    >>> nanoseconds(np.array(["1970-01-01T00:00:01"], "datetime64[s]"), "at")
    array([1000000000])
    """
    if hasattr(times, "as_unit"):  # a pandas DatetimeIndex, which as an array would lose its time zone
        return np.asarray(times.as_unit("ns").asi8)
    array = np.asarray(times)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[ns]").astype(np.int64)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        raise TypeError(
            f"expected {name} as integer nanoseconds since 1970 UTC or as datetimes, [time], "
            f"got {array.dtype}{list(array.shape)}"
        )
    return array.astype(np.int64, copy=False)
