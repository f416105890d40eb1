"""Metrics of a book: small broadcasting functions over any leading axes."""

from quantjax.lob.metrics.depth import BandDepth, band_depth
from quantjax.lob.metrics.execution import Fill, fill_notional, fill_quantity, fillable_notional, round_trip_cost_bps
from quantjax.lob.metrics.flags import Flags, flags, staleness
from quantjax.lob.metrics.imbalance import (
    decayed_imbalance,
    depth_imbalance,
    exponential_distance_imbalance,
    inverse_distance_imbalance,
)
from quantjax.lob.metrics.prices import (
    microprice,
    mid,
    queue_imbalance,
    spread,
    spread_bps,
    spread_ticks,
    vamp,
    vwap,
)
from quantjax.lob.metrics.shape import (
    Entropy,
    LevelGaps,
    centre_of_mass_bps,
    concentration,
    convexity,
    entropy,
    level_gaps,
    naes_skjeltorp_slope,
    origin_slope,
    reach_bps,
    slope,
    top_share,
)
from quantjax.lob.metrics.sides import Sides

__all__ = [
    "BandDepth",
    "Entropy",
    "Fill",
    "Flags",
    "LevelGaps",
    "Sides",
    "band_depth",
    "centre_of_mass_bps",
    "concentration",
    "convexity",
    "decayed_imbalance",
    "depth_imbalance",
    "entropy",
    "exponential_distance_imbalance",
    "fill_notional",
    "fill_quantity",
    "fillable_notional",
    "flags",
    "inverse_distance_imbalance",
    "level_gaps",
    "microprice",
    "mid",
    "naes_skjeltorp_slope",
    "origin_slope",
    "queue_imbalance",
    "reach_bps",
    "round_trip_cost_bps",
    "slope",
    "spread",
    "spread_bps",
    "spread_ticks",
    "staleness",
    "top_share",
    "vamp",
    "vwap",
]
