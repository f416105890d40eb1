"""Lengths to pad arrays to, so that arrays of about the same length share compiled code."""

from __future__ import annotations

__all__ = ["padded_length"]


def padded_length(length: int, least: int = 1) -> int:
    """A length to pad `length` to: at least `least`, in steps of an eighth of it or less. Driver.

    Eight or fewer lengths between a power of two and the next; at most one eighth of the array is padding.

    >>> [padded_length(length, 16) for length in (3, 17, 1_000, 1_025)]
    [16, 18, 1024, 1152]
    """
    step = 1 << max(0, length.bit_length() - 4)
    return max(-(-length // step) * step, least)
