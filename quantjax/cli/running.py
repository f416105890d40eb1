"""Means of every metric over blocks that are not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from quantjax.lob import BookAnalysis

__all__ = ["RunningMeans"]


class RunningMeans:
    """Counts of a symbol's books by state, and the mean of each metric over the books where it is defined."""

    def __init__(self, first: BookAnalysis | None = None) -> None:
        self._counts: dict[str, int] = {}
        self._sums: dict[str, float] = {}
        self._defined: dict[str, int] = {}
        self._beyond: dict[float, int] = {}
        if first is not None:
            self.add(first)

    def add(self, block: BookAnalysis) -> None:
        """Take a block in."""
        for name, count in block.counts.items():
            self._counts[name] = self._counts.get(name, 0) + count
        reach = np.fmax(block.bid_reach_bps, block.ask_reach_bps)
        for bps in block.bid_depth:
            self._beyond[bps] = self._beyond.get(bps, 0) + int(np.count_nonzero(reach < bps))
        for name, values in block.to_pandas().items():
            values = values.to_numpy(np.float64)
            finite = np.isfinite(values)
            self._sums[str(name)] = self._sums.get(str(name), 0.0) + float(values[finite].sum())
            self._defined[str(name)] = self._defined.get(str(name), 0) + int(finite.sum())

    def result(self) -> dict[str, Any]:
        """Counts and means; None for a metric that was defined nowhere.

        `band_beyond_levels`: by band in basis points, the number of books whose recorded levels all lie within it:
        their depth is what was recorded, not what there was.
        """
        return {
            **self._counts,
            "band_beyond_levels": {f"{bps:g}": count for bps, count in self._beyond.items()},
            "means": {name: self._sums[name] / count if count else None for name, count in self._defined.items()},
        }
