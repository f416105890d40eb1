"""Arguments that are whole numbers."""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["whole_number"]


def whole_number(value: Any, name: str, least: int = 1) -> int:
    """A Python int of an int or a numpy integer, no less than `least`; ValueError for anything else, bools among it.

    >>> import numpy as np
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
