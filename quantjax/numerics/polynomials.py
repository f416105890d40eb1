"""Polynomials by Horner's scheme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["horner"]


def horner(coefficients: Sequence[Any], x: Any) -> Any:
    """c0 + c1 x + c2 x^2 + ..., of numbers or arrays; numpy's stay numpy's, JAX's are traced. Broadcasting.

    >>> horner((1.0, 0.0, 2.0), 3.0)
    19.0
    """
    *lower, value = coefficients
    for coefficient in reversed(lower):
        value = coefficient + x * value
    return value
