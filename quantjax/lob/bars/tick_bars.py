"""Tick bars: every n trades a bar."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from quantjax.lob.bars.cuts import BarKind, Cuts, cuts_at_closes
from quantjax.lob.trades.series import TradeSeries
from quantjax.numerics.arguments import is_integer, plain

__all__ = ["TickBars"]


class TickBars(BarKind):
    """Bars of `trades` trades each; the last holds what is left.

    Raises ValueError for anything but an integer of 1 or more. Source: Lopez de Prado (2018), Advances in Financial
    Machine Learning, section 2.3.1.

    >>> TickBars(100)
    TickBars(trades=100)
    """

    trades: int = eqx.field(static=True, converter=plain)

    def __check_init__(self):
        if not is_integer(self.trades) or self.trades < 1:
            raise ValueError(f"expected trades as an integer >= 1, got {self.trades!r}")

    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        return [
            cuts_at_closes(np.asarray(one.time_ns), np.arange(self.trades - 1, len(one), self.trades)) for one in trades
        ]
