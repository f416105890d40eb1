"""What each column of `BookAnalysis.to_pandas` and each count means, in one line."""

from __future__ import annotations

from typing import NamedTuple

from quantjax.report.numbers import significant

__all__ = ["STATES", "Meaning", "meaning"]


class Meaning(NamedTuple):
    """Family, unit and one line of plain words for a column."""

    family: str
    unit: str
    text: str


_UNKNOWN = Meaning("Other", "", "")

# By the part of the column's name before its parameter; {} is the parameter in words.
_COLUMNS = {
    "mid": Meaning("Prices", "quote", "Half way between best bid and best ask"),
    "microprice": Meaning("Prices", "quote", "Best prices, each weighted by the size on the other side"),
    "bid_vwap": Meaning("Prices", "quote", "Average price of the best {} of the bids, by size"),
    "ask_vwap": Meaning("Prices", "quote", "Average price of the best {} of the asks, by size"),
    "vamp": Meaning("Prices", "quote", "Average prices of {} a side, each weighted by the size on the other side"),
    "spread": Meaning("Spread", "quote", "Best ask less best bid"),
    "spread_ticks": Meaning("Spread", "ticks", "Best ask less best bid"),
    "spread_bps": Meaning("Spread", "bps", "Best ask less best bid, relative to the mid"),
    "queue_imbalance": Meaning("Imbalance", "−1 to 1", "(bid − ask) / (bid + ask) of the sizes at the best prices"),
    "depth_imbalance": Meaning("Imbalance", "−1 to 1", "The same of the best {} a side"),
    "decayed_imbalance": Meaning("Imbalance", "−1 to 1", "The same of all levels, each deeper one weighted less"),
    "inverse_distance_imbalance": Meaning("Imbalance", "−1 to 1", "The same, weighted by one over the distance"),
    "exponential_distance_imbalance": Meaning("Imbalance", "−1 to 1", "The same, weights falling with distance"),
    "band_imbalance": Meaning("Imbalance", "−1 to 1", "The same of what lies within {} of the mid, in quote currency"),
    "bid_depth": Meaning("Depth", "base", "Bids within {} of the mid"),
    "ask_depth": Meaning("Depth", "base", "Asks within {} of the mid"),
    "bid_depth_quote": Meaning("Depth", "quote", "Bids within {} of the mid, price times size"),
    "ask_depth_quote": Meaning("Depth", "quote", "Asks within {} of the mid, price times size"),
    "buy_vwap": Meaning("Cost to fill", "quote", "Average price of buying for {} from the asks"),
    "sell_vwap": Meaning("Cost to fill", "quote", "Average price of selling for {} to the bids"),
    "buy_impact_bps": Meaning("Cost to fill", "bps", "Average price of buying for {}, above the mid"),
    "sell_impact_bps": Meaning("Cost to fill", "bps", "Average price of selling for {}, below the mid"),
    "buy_unfilled": Meaning("Cost to fill", "quote", "Part of buying for {} that the recorded asks could not fill"),
    "sell_unfilled": Meaning("Cost to fill", "quote", "Part of selling for {} that the recorded bids could not fill"),
    "round_trip_cost_bps": Meaning("Cost to fill", "bps", "Buying and selling for {} at once, where both fill"),
    "buy_fillable": Meaning("Cost to fill", "quote", "Most that can be bought at an average within {} of the mid"),
    "sell_fillable": Meaning("Cost to fill", "quote", "Most that can be sold at an average within {} of the mid"),
    "slope": Meaning("Shape", "base/bps", "Cumulative size by distance: slope of the fitted line, {side}"),
    "origin_slope": Meaning("Shape", "base/bps", "The same with the line through the mid, {side}"),
    "convexity": Meaning("Shape", "base/bps²", "Curvature of the fitted parabola, {side}"),
    "naes_skjeltorp_slope": Meaning("Shape", "elasticity", "Elasticity of log depth (Næs and Skjeltorp), {side}"),
    "entropy": Meaning("Shape", "nats", "How evenly size is spread over the levels, {side}"),
    "joint_entropy": Meaning("Shape", "nats", "How evenly size is spread over all levels of both sides"),
    "concentration": Meaning("Shape", "0 to 1", "Sum of squared shares of the levels (Herfindahl), {side}"),
    "top_share": Meaning("Shape", "0 to 1", "Share of the side's size at its best price, {side}"),
    "gap_max_ticks": Meaning("Shape", "ticks", "Largest step between neighbouring prices, {side}"),
    "gap_mean_ticks": Meaning("Shape", "ticks", "Mean step between neighbouring prices, {side}"),
    "centre_of_mass_bps": Meaning("Shape", "bps", "Mean distance of the size from the mid, {side}"),
    "reach_bps": Meaning("Shape", "bps", "Distance of the deepest recorded level from the mid, {side}"),
    "levels": Meaning("State", "count", "Levels present, {side}"),
    "crossed": Meaning("State", "0 or 1", "Best ask below best bid; the mean is the share of books"),
    "locked": Meaning("State", "0 or 1", "Best ask equal to best bid; the mean is the share of books"),
    "one_sided": Meaning("State", "0 or 1", "A side, or both, without a level; the mean is the share of books"),
    "valid": Meaning("State", "0 or 1", "Sorted, finite, positive; metrics of the other books are undefined"),
    "staleness_s": Meaning("State", "s", "Time since the book last changed"),
}  # fmt: skip

STATES = {
    "crossed": "best ask below best bid: measured as it stands",
    "locked": "best ask equal to best bid: measured as it stands",
    "one_sided": "a side, or both, without a level: no mid, so what is measured from the mid is undefined",
    "invalid": "prices out of order, not finite or not positive, or a negative size: every metric is undefined",
    "clock_went_back": "books whose time lies before that of the book before them",
}
"""What `BookAnalysis.counts` counts besides all books."""


def meaning(column: str) -> Meaning:
    """Family, unit and meaning of a column of `BookAnalysis.to_pandas`; empty for a column that is not known.

    >>> meaning("bid_depth_10bps").text, meaning("bid_entropy").text
    ('Bids within 10 bps of the mid', 'How evenly size is spread over the levels, bids')
    """
    if column in _COLUMNS:
        return _COLUMNS[column]
    stem, _, parameter = column.rpartition("_")
    if stem in _COLUMNS and "{}" in _COLUMNS[stem].text:
        found = _COLUMNS[stem]
        return found._replace(text=found.text.format(_in_words(parameter, found)))
    side, _, rest = column.partition("_")
    if side in ("bid", "ask") and rest in _COLUMNS and "{side}" in _COLUMNS[rest].text:
        return _COLUMNS[rest]._replace(text=_COLUMNS[rest].text.format(side=f"{side}s"))
    return _UNKNOWN


def _in_words(parameter: str, found: Meaning) -> str:
    if parameter.endswith("bps"):
        return f"{parameter.removesuffix('bps')} bps"
    if found.family == "Cost to fill":
        return significant(float(parameter), 10)
    return "level" if parameter == "1" else f"{parameter} levels"
