"""Order flow: what changes from one book to the next, its impact on the price, and prices that foresee it."""

from quantjax.lob.flow.chain import ExpectedMoves, expected_moves
from quantjax.lob.flow.imbalance import (
    OrderFlowImbalance,
    normalised_order_flow,
    order_flow_imbalance,
    order_flow_imbalance_by_count,
    sum_by_interval,
)
from quantjax.lob.flow.impact import (
    ImpactByHorizon,
    ImpactByWindow,
    impact_by_horizon,
    impact_by_window,
    price_impact,
)
from quantjax.lob.flow.integrated import IntegratedOrderFlow, fit_integrated_order_flow
from quantjax.lob.flow.order_flow import order_flow, order_flow_series
from quantjax.lob.flow.prediction import PredictorErrors, next_change, next_mid, predictor_errors
from quantjax.lob.flow.stoikov import StoikovMicroprice, fit_stoikov_microprice

__all__ = [
    "ExpectedMoves",
    "ImpactByHorizon",
    "ImpactByWindow",
    "IntegratedOrderFlow",
    "OrderFlowImbalance",
    "PredictorErrors",
    "StoikovMicroprice",
    "expected_moves",
    "fit_integrated_order_flow",
    "fit_stoikov_microprice",
    "impact_by_horizon",
    "impact_by_window",
    "next_change",
    "next_mid",
    "normalised_order_flow",
    "order_flow",
    "order_flow_imbalance",
    "order_flow_imbalance_by_count",
    "order_flow_series",
    "predictor_errors",
    "price_impact",
    "sum_by_interval",
]
