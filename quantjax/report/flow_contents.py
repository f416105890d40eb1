"""What a study of order flow and trades found: a plain container of results, filled by whoever has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import equinox as eqx
import numpy as np
from jaxtyping import Float

from quantjax.lob import (
    Illiquidity,
    ImpactByHorizon,
    OrderFlowImbalance,
    PredictorErrors,
    RealisedVariances,
    StoikovMicroprice,
    TradeCosts,
    TradeImbalance,
    TradeSigns,
    Vpin,
)
from quantjax.report.contents import TruthCheck

__all__ = ["FlowStudy", "IntegratedImpact", "TradeMeasures"]


class IntegratedImpact(eqx.Module):
    """Price changes foretold from order flow out of sample: all fitted to the first half, judged on the second.

    `weights` `[level]`: those of the integrated order flow, and `explained_variance_ratio`. The R^2 are
    1 - sum (y - y_hat)^2 / sum (y - mean of the first half)^2 over the second half, negative where the mean is better:
    `best_level` and `integrated` of the change over the interval of the flow, `best_level_next` and `integrated_next`
    of that over the interval after it.
    """

    weights: Float[np.ndarray, " level"]
    explained_variance_ratio: float
    best_level: float
    integrated: float
    best_level_next: float
    integrated_next: float
    intervals: tuple[int, int]


@dataclass(frozen=True)
class TradeMeasures:
    """What trades say by themselves, on the longest stretch in sync; None where there are too few.

    `seconds`: of that stretch; `interval_s`: of the intervals of `illiquidity` and the grid of `variances`, which are
    those of the mid; `roll_bps`: Roll's spread in basis points of the mean price.
    """

    seconds: float
    interval_s: float
    roll_bps: float | None = None
    illiquidity: Illiquidity | None = None
    vpin: Vpin | None = None
    variances: RealisedVariances | None = None


@dataclass(frozen=True)
class FlowStudy:
    """One symbol's order flow, fair prices and trade costs; what could not be measured is None or not in its dict.

    `stretches`: in sync and measured, of `seconds` in all, with `books` books of `levels` levels and `trades` trades;
    `span_ns`: from when to when. `quotes`: the books beside the best quotes that the venue announced. `impact`: by
    horizon in seconds; `integrated` likewise; `scatter`: the intervals of one horizon (`scatter_s`), to be drawn.
    `microprice`: fitted to the first half of the books; `predictors`: by name and horizon (0.0: the next change of the
    mid), the errors on the second half. `counts`: all that was left out, by name; `notes`: why something is missing.
    """

    symbol: str
    stretches: int
    seconds: float
    books: int
    levels: int
    trades: int
    span_ns: tuple[int, int]
    tick_size: float
    quotes: TruthCheck | None = None
    impact: ImpactByHorizon | None = None
    integrated: Mapping[float, IntegratedImpact] = field(default_factory=dict)
    scatter: OrderFlowImbalance | None = None
    scatter_s: float = 0.0
    microprice: StoikovMicroprice | None = None
    predictors: Mapping[str, Mapping[float, PredictorErrors]] = field(default_factory=dict)
    costs: TradeCosts | None = None
    imbalance: TradeImbalance | None = None
    signs: TradeSigns | None = None
    measures: TradeMeasures | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
