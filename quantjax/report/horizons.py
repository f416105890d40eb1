"""An axis of horizons in seconds, as far apart as their ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantjax.report.numbers import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["horizon_axis"]

_LEAST_RATIO = 1.35  # labels closer than this run into each other


def horizon_axis(axes: Axes, horizons_s: np.ndarray, label: str = "horizon (seconds)") -> None:
    """The x axis by the logarithm of the horizon, a tick at each that has room for its label."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    at = np.sort(np.asarray(horizons_s, np.float64))
    kept: list[float] = []
    span = max(at[-1] / at[0], 1.0)
    least = max(_LEAST_RATIO, span ** (1 / 12))
    for value in at:
        if not kept or value / kept[-1] >= least:
            kept.append(float(value))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_major_formatter(FixedFormatter([plain(value) for value in kept]))
    axes.xaxis.set_minor_locator(NullLocator())
    margin = max(span**0.06, 1.08)
    axes.set_xlim(at[0] / margin, at[-1] * margin)
    axes.set_xlabel(label)
