"""Static fields of Modules: numpy's scalars as Python's own, which hash and compare as JAX's caches need it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Python's int, float, bool or str of a numpy scalar; anything else as it is.

    The converter of static fields: equinox warns of numpy scalars there, and `symbols[0]` of an array is one.

    >>> plain(np.int64(5)), plain(np.str_("XYZ")), plain(None)
    (5, 'XYZ', None)
    """
    return value.item() if isinstance(value, np.generic) else value
