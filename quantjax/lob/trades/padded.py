"""Arrays padded to a few lengths on their way into compiled code, and cut to their length on the way out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantjax.lob.padding import padded_length

__all__ = ["cut_to", "padded"]

_LEAST = 64


def padded(arrays: Sequence[np.ndarray], fill: Sequence[float]) -> list[np.ndarray]:
    """Arrays `[item]` of one length, each with its own `fill` up to the next `padded_length`.

    >>> [len(array) for array in padded([np.ones(65), np.ones(65)], [np.nan, 0])]
    [72, 72]
    """
    count = len(arrays[0])
    length = padded_length(count, _LEAST)
    if length == count:
        return list(arrays)
    lengthened = []
    for array, value in zip(arrays, fill, strict=True):
        longer = np.empty(length, array.dtype)
        longer[:count], longer[count:] = array, value
        lengthened.append(longer)
    return lengthened


def cut_to(count: int, array) -> np.ndarray:
    """The first `count` items as a numpy array.

    >>> cut_to(2, np.arange(3))
    array([0, 1])
    """
    return np.asarray(array)[:count]
