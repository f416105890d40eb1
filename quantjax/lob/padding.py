"""Arrays padded to a few lengths, so that those of about the same length share compiled code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["cut_to", "padded", "padded_length"]

_LEAST = 64


def padded_length(length: int, least: int = 1) -> int:
    """A length to pad `length` to: at least `least`, in steps of an eighth of it or less. Driver.

    Eight or fewer lengths between a power of two and the next; at most one eighth of the array is padding.

    >>> [padded_length(length, 16) for length in (3, 17, 1_000, 1_025)]
    [16, 18, 1024, 1152]
    """
    step = 1 << max(0, length.bit_length() - 4)
    return max(-(-length // step) * step, least)


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
