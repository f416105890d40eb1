"""Parameters of bars: plain numbers where they are known, left alone where JAX traces them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

__all__ = ["check_positive", "holds", "is_integer", "plain", "plain_float"]


def plain(value: Any) -> Any:
    """A Python number for a numpy or JAX scalar; anything else, a traced number among it, as it is."""
    if isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, Tracer):
        return value.item() if value.ndim == 0 else value
    return value


def plain_float(value: Any) -> Any:
    """As `plain`, and a float for a Decimal, which JAX does not know."""
    return float(value) if isinstance(value, Decimal) else plain(value)


def is_integer(value: Any) -> bool:
    """Whether a plain value is an integer; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool)


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
