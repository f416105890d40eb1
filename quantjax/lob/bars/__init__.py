"""Bars from trades: time, tick, volume, notional and imbalance bars."""

from quantjax.lob.bars.aggregate import BarValues, aggregate_bars
from quantjax.lob.bars.amount_bars import NotionalBars, VolumeBars, threshold_closes
from quantjax.lob.bars.cuts import BarKind, Cuts
from quantjax.lob.bars.driver import make_bars
from quantjax.lob.bars.imbalance_bars import ImbalanceBars, imbalance_closes
from quantjax.lob.bars.imbalance_rules import AdaptiveThreshold, FixedThreshold, ImbalanceState
from quantjax.lob.bars.result import Bars
from quantjax.lob.bars.tick_bars import TickBars
from quantjax.lob.bars.time_bars import TimeBars

__all__ = [
    "AdaptiveThreshold",
    "BarKind",
    "BarValues",
    "Bars",
    "Cuts",
    "FixedThreshold",
    "ImbalanceBars",
    "ImbalanceState",
    "NotionalBars",
    "TickBars",
    "TimeBars",
    "VolumeBars",
    "aggregate_bars",
    "imbalance_closes",
    "make_bars",
    "threshold_closes",
]
