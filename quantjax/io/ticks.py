"""The price step of a symbol where nobody states it: the greatest common divisor of the prices seen, in integers."""

from __future__ import annotations

from math import gcd

import numpy as np

from feeds.decimals import UNIT

__all__ = ["UNKNOWN_TICK", "InferredTick", "TickGuess"]


class InferredTick(float):
    """A price step that nobody states: a number like any other, which `io.write_books` does not write down as stated.

    `float(tick)` states it.
    """

    __slots__ = ()


UNKNOWN_TICK = InferredTick(1 / UNIT)
"""Where no price was seen: the smallest step that decimals of 8 places can take."""


_LARGEST = 9e7


class TickGuess:
    """Greatest common divisor, in units of 1e-8, of all prices it was shown; it can only become smaller."""

    def __init__(self) -> None:
        self.units = 0

    def see_units(self, *prices: int) -> None:
        """Prices in units of 1e-8."""
        self.units = gcd(self.units, *prices)

    def see(self, prices: np.ndarray) -> None:
        """Prices as floats of at most 8 decimals, NaN where absent; exact below 9e7, where doubles tell them apart."""
        found = np.unique(prices[prices < _LARGEST])  # NaN is not below
        if len(found):
            self.units = gcd(self.units, int(np.gcd.reduce(np.rint(found * UNIT).astype(np.int64))))

    @property
    def size(self) -> InferredTick:
        """The step, `UNKNOWN_TICK` before any price."""
        return InferredTick(self.units / UNIT) if self.units else UNKNOWN_TICK

    def describe(self) -> str:
        """Where the number is from, for `metadata["tick_size"]`."""
        if not self.units:
            return f"{UNKNOWN_TICK:g}, unknown: no price was seen"
        return f"{self.size:.8f}".rstrip("0").rstrip(".") + ", inferred: greatest common divisor of the prices seen"
