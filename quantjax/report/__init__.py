"""Figures and HTML reports: functions that take results and return figures or a page.

matplotlib is the extra `plots`; it is loaded by the first figure that is drawn, not by this import.
"""

from quantjax.report.bars import candles
from quantjax.report.contents import SymbolReport, Throughput, TruthCheck
from quantjax.report.depth import average_book_shape, band_depth_over_time
from quantjax.report.execution import cost_to_fill
from quantjax.report.fair_price import microprice_adjustment, predictor_gains
from quantjax.report.flow_contents import FlowStudy, IntegratedImpact, TradeMeasures
from quantjax.report.flow_numbers import flow_numbers
from quantjax.report.flow_page import flow_figures, flow_report, write_flow_report
from quantjax.report.heatmap import depth_heatmap
from quantjax.report.html import book_report, write_book_report
from quantjax.report.imbalance import imbalances, microprice_against_next_move
from quantjax.report.order_flow import impact_by_horizon_figure, integrated_impact_figure, order_flow_scatter
from quantjax.report.prices import mid_and_microprice, spread_over_time
from quantjax.report.residuals import error_by_maturity, residuals
from quantjax.report.smiles import smiles
from quantjax.report.trade_costs import spread_split_by_horizon, vpin_over_time

__all__ = [
    "FlowStudy",
    "IntegratedImpact",
    "SymbolReport",
    "Throughput",
    "TradeMeasures",
    "TruthCheck",
    "average_book_shape",
    "band_depth_over_time",
    "book_report",
    "candles",
    "cost_to_fill",
    "depth_heatmap",
    "error_by_maturity",
    "flow_figures",
    "flow_numbers",
    "flow_report",
    "imbalances",
    "impact_by_horizon_figure",
    "integrated_impact_figure",
    "microprice_adjustment",
    "microprice_against_next_move",
    "mid_and_microprice",
    "order_flow_scatter",
    "predictor_gains",
    "residuals",
    "smiles",
    "spread_over_time",
    "spread_split_by_horizon",
    "vpin_over_time",
    "write_book_report",
    "write_flow_report",
]
