"""Figures and HTML reports: functions that take results and return figures or a page.

matplotlib is the extra `plots`; it is loaded by the first figure that is drawn, not by this import.
"""

from quantjax.report.contents import SymbolReport, Throughput, TruthCheck
from quantjax.report.depth import average_book_shape, band_depth_over_time
from quantjax.report.execution import cost_to_fill
from quantjax.report.heatmap import depth_heatmap
from quantjax.report.html import book_report, write_book_report
from quantjax.report.imbalance import imbalances, microprice_against_next_move
from quantjax.report.prices import mid_and_microprice, spread_over_time

__all__ = [
    "SymbolReport",
    "Throughput",
    "TruthCheck",
    "average_book_shape",
    "band_depth_over_time",
    "book_report",
    "cost_to_fill",
    "depth_heatmap",
    "imbalances",
    "microprice_against_next_move",
    "mid_and_microprice",
    "spread_over_time",
    "write_book_report",
]
