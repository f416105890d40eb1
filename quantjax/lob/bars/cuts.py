"""Where bars begin and stop in a series of trades, and what every kind of bar can do: say so."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import numpy as np

from quantjax.lob.trades.series import TradeSeries

__all__ = ["BarKind", "Cuts", "cuts_at_closes"]


class Cuts(eqx.Module):
    """The bars of one series of trades: arrays `[bar]`.

    Bar k holds the trades first[k] <= i < stop[k], and lasts from `start_ns` to `end_ns` (int64, UTC); `complete` is
    False for a bar that the data may not cover whole; `outside` counts the trades that were left out of all bars.
    """

    first: np.ndarray
    stop: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    complete: np.ndarray
    outside: int


class BarKind(eqx.Module):
    """A kind of bar: TimeBars, TickBars, VolumeBars, NotionalBars or ImbalanceBars."""

    @abstractmethod
    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        """The cuts of each series; times in order, prices and sizes checked. Driver."""


def cuts_at_closes(time_ns: np.ndarray, closes: np.ndarray) -> Cuts:
    """Cuts of bars that the trades in the rows `closes` close; what comes after the last is a bar that is not complete.

    A bar lasts from the time of its first trade to the time of its last.
    """
    stop = np.asarray(closes, np.int64) + 1
    closed = len(stop)
    if (stop[-1] if closed else 0) < len(time_ns):
        stop = np.append(stop, len(time_ns))
    first = np.concatenate([[0], stop[:-1]]).astype(np.int64) if len(stop) else stop
    return Cuts(first, stop, time_ns[first], time_ns[stop - 1], np.arange(len(stop)) < closed, 0)
