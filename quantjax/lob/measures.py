"""Every metric of a book in one traceable function, which XLA fuses into one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

import quantjax.lob.metrics as functions
from quantjax.lob.book import Book
from quantjax.lob.metrics.execution import impact_bps, round_trip_bps, visible_notional
from quantjax.lob.metrics.imbalance import imbalance
from quantjax.lob.metrics.prices import depth, weighted_by_other
from quantjax.lob.metrics.sides import check_levels

__all__ = ["BookMeasures", "BookMetrics", "columns", "derive", "measure", "walk"]

Value = Float[jax.Array, "*batch"]
ByLevels = Mapping[int, Value]
ByBps = Mapping[float, Value]
ByNotional = Mapping[float, Value]

# How the parameter of a dict appears in a column's name.
_PARAMETER_NAMES = {
    "depth_imbalance": "{}",
    "bid_vwap": "{}",
    "ask_vwap": "{}",
    "vamp": "{}",
    "bid_depth": "{}bps",
    "ask_depth": "{}bps",
    "bid_depth_quote": "{}bps",
    "ask_depth_quote": "{}bps",
    "band_imbalance": "{}bps",
    "buy_fillable": "{}bps",
    "sell_fillable": "{}bps",
}


def _exact(parameter: float) -> str:
    """The shortest decimals that give the number back, without an exponent: 10.0 is 10, 1e6 is 1000000."""
    return np.format_float_positional(parameter, trim="-")


def _floats(values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


class BookMetrics(eqx.Module):
    """Which parameters the metrics are computed at; sizes in the book's units.

    `levels`: numbers of levels for depth imbalance, side VWAP and VAMP; `bands_bps`: half widths of the depth bands
    around the mid; `notionals`: order sizes in quote currency for the cost to fill; `slippages_bps`: limits for the
    fillable notional; `decay`: per level, for the decayed imbalance; `distance_bps`: scale of the exponential distance
    weights.

    Raises ValueError for levels below 1 and for numbers that are not positive.
    """

    levels: tuple[int, ...] = eqx.field(static=True, default=(5, 10, 20), converter=tuple)
    bands_bps: tuple[float, ...] = eqx.field(static=True, default=(5.0, 10.0, 25.0), converter=_floats)
    notionals: tuple[float, ...] = eqx.field(static=True, default=(1e3, 1e4, 1e5), converter=_floats)
    slippages_bps: tuple[float, ...] = eqx.field(static=True, default=(5.0, 10.0), converter=_floats)
    decay: float = eqx.field(static=True, default=0.5)
    distance_bps: float = eqx.field(static=True, default=5.0)

    def __check_init__(self):
        for levels in self.levels:
            check_levels(levels)
        for name in ("bands_bps", "notionals", "slippages_bps"):
            if not all(value > 0 for value in getattr(self, name)):
                raise ValueError(f"expected {name} > 0, got {getattr(self, name)}")
        for name in ("levels", "bands_bps", "notionals", "slippages_bps"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"expected {name} without repeats, got {getattr(self, name)}")
        for name in ("decay", "distance_bps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} > 0, got {getattr(self, name)}")


class BookMeasures(eqx.Module):
    """Every metric of a batch of books; the function of the same name in `quantjax.lob` has the formula.

    Each field is `[...]`, or a dict of such arrays by the parameter it depends on: number of levels, basis points, or
    notional in quote currency.
    """

    mid: Value
    spread: Value
    spread_ticks: Value
    spread_bps: Value
    microprice: Value
    queue_imbalance: Value
    depth_imbalance: ByLevels
    decayed_imbalance: Value
    inverse_distance_imbalance: Value
    exponential_distance_imbalance: Value
    bid_vwap: ByLevels
    ask_vwap: ByLevels
    vamp: ByLevels
    bid_depth: ByBps
    ask_depth: ByBps
    bid_depth_quote: ByBps
    ask_depth_quote: ByBps
    band_imbalance: ByBps
    buy_vwap: ByNotional
    sell_vwap: ByNotional
    buy_impact_bps: ByNotional
    sell_impact_bps: ByNotional
    buy_unfilled: ByNotional
    sell_unfilled: ByNotional
    round_trip_cost_bps: ByNotional
    buy_fillable: ByBps
    sell_fillable: ByBps
    bid_slope: Value
    ask_slope: Value
    bid_origin_slope: Value
    ask_origin_slope: Value
    bid_convexity: Value
    ask_convexity: Value
    bid_naes_skjeltorp_slope: Value
    ask_naes_skjeltorp_slope: Value
    bid_entropy: Value
    ask_entropy: Value
    joint_entropy: Value
    bid_concentration: Value
    ask_concentration: Value
    bid_top_share: Value
    ask_top_share: Value
    bid_gap_max_ticks: Value
    bid_gap_mean_ticks: Value
    ask_gap_max_ticks: Value
    ask_gap_mean_ticks: Value
    bid_centre_of_mass_bps: Value
    ask_centre_of_mass_bps: Value
    bid_reach_bps: Value
    ask_reach_bps: Value
    bid_levels: Int[jax.Array, "*batch"]
    ask_levels: Int[jax.Array, "*batch"]
    crossed: Bool[jax.Array, "*batch"]
    locked: Bool[jax.Array, "*batch"]
    one_sided: Bool[jax.Array, "*batch"]
    valid: Bool[jax.Array, "*batch"]


def columns(measures: BookMeasures) -> Iterator[tuple[str, jax.Array]]:
    """(column name, array) of every measure, dicts spread out: `bid_depth[10.0]` is `bid_depth_10bps`."""
    for field in fields(BookMeasures):
        value = getattr(measures, field.name)
        if isinstance(value, Mapping):
            pattern = _PARAMETER_NAMES.get(field.name, "{}")
            for parameter, array in value.items():
                yield f"{field.name}_{pattern.format(_exact(parameter))}", array
        else:
            yield field.name, value


def measure(book: Book, tick_size, metrics: BookMetrics = BookMetrics()) -> BookMeasures:  # noqa: B008 (frozen)
    """Every metric of `quantjax.lob` of the books `[...]`, at the parameters of `metrics`.

    Broadcasting and traceable: under `jax.jit` XLA fuses it. `lob.analyze` drives it over recordings. A book that is
    not valid (see `lob.Flags`) is measured as it stands: check or clean it first.
    """
    return derive(walk(book, tick_size, metrics), tick_size)


class Walked(eqx.Module):
    """What takes a walk over the levels; `derive` computes the rest from it."""

    mid: Value
    spread: Value
    microprice: Value
    queue_imbalance: Value
    depth: Mapping[int, functions.Sides]
    vwap: Mapping[int, functions.Sides]
    decayed_imbalance: Value
    inverse_distance_imbalance: Value
    exponential_distance_imbalance: Value
    band: Mapping[float, functions.BandDepth]
    buy_vwap: ByNotional
    sell_vwap: ByNotional
    buy_visible: Value
    sell_visible: Value
    buy_fillable: ByBps
    sell_fillable: ByBps
    slope: functions.Sides
    origin_slope: functions.Sides
    convexity: functions.Sides
    naes_skjeltorp_slope: functions.Sides
    entropy: functions.Entropy
    concentration: functions.Sides
    top_share: functions.Sides
    level_gaps: functions.LevelGaps
    centre_of_mass_bps: functions.Sides
    reach_bps: functions.Sides
    flags: functions.Flags


def walk(book: Book, tick_size, metrics: BookMetrics) -> Walked:
    """The metrics that read all levels.

    XLA's CPU backend computes what two results share twice, once in each of their loops. `lob.analyze` therefore runs
    this part in a loop of its own over tiles of the books, whose results are then in memory when `derive` reads them.
    """
    return Walked(
        mid=functions.mid(book),
        spread=functions.spread(book),
        microprice=functions.microprice(book),
        queue_imbalance=functions.queue_imbalance(book),
        depth={levels: depth(book, levels) for levels in metrics.levels},
        vwap={levels: functions.vwap(book, levels) for levels in metrics.levels},
        decayed_imbalance=functions.decayed_imbalance(book, metrics.decay),
        inverse_distance_imbalance=functions.inverse_distance_imbalance(book),
        exponential_distance_imbalance=functions.exponential_distance_imbalance(book, metrics.distance_bps),
        band={bps: functions.band_depth(book, bps) for bps in metrics.bands_bps},
        buy_vwap={notional: functions.fill_notional(book, notional, +1).vwap for notional in metrics.notionals},
        sell_vwap={notional: functions.fill_notional(book, notional, -1).vwap for notional in metrics.notionals},
        buy_visible=visible_notional(book, +1),
        sell_visible=visible_notional(book, -1),
        buy_fillable={bps: functions.fillable_notional(book, bps, +1) for bps in metrics.slippages_bps},
        sell_fillable={bps: functions.fillable_notional(book, bps, -1) for bps in metrics.slippages_bps},
        slope=functions.slope(book),
        origin_slope=functions.origin_slope(book),
        convexity=functions.convexity(book),
        naes_skjeltorp_slope=functions.naes_skjeltorp_slope(book),
        entropy=functions.entropy(book),
        concentration=functions.concentration(book),
        top_share=functions.top_share(book),
        level_gaps=functions.level_gaps(book, tick_size),
        centre_of_mass_bps=functions.centre_of_mass_bps(book),
        reach_bps=functions.reach_bps(book),
        flags=functions.flags(book),
    )


def derive(walked: Walked, tick_size) -> BookMeasures:
    """The metrics that are arithmetic on others, and all of them under their public names."""
    mid, buy, sell = walked.mid, walked.buy_vwap, walked.sell_vwap
    filled = {n: (walked.buy_visible >= n) & (walked.sell_visible >= n) for n in buy}
    return BookMeasures(
        mid=mid,
        spread=walked.spread,
        spread_ticks=walked.spread / tick_size,
        spread_bps=1e4 * walked.spread / mid,
        microprice=walked.microprice,
        queue_imbalance=walked.queue_imbalance,
        depth_imbalance={levels: imbalance(size) for levels, size in walked.depth.items()},
        decayed_imbalance=walked.decayed_imbalance,
        inverse_distance_imbalance=walked.inverse_distance_imbalance,
        exponential_distance_imbalance=walked.exponential_distance_imbalance,
        bid_vwap={levels: price.bid for levels, price in walked.vwap.items()},
        ask_vwap={levels: price.ask for levels, price in walked.vwap.items()},
        vamp={levels: weighted_by_other(price, walked.depth[levels]) for levels, price in walked.vwap.items()},
        bid_depth={bps: band.bid_base for bps, band in walked.band.items()},
        ask_depth={bps: band.ask_base for bps, band in walked.band.items()},
        bid_depth_quote={bps: band.bid_quote for bps, band in walked.band.items()},
        ask_depth_quote={bps: band.ask_quote for bps, band in walked.band.items()},
        band_imbalance={bps: band.imbalance for bps, band in walked.band.items()},
        buy_vwap=buy,
        sell_vwap=sell,
        buy_impact_bps={n: impact_bps(vwap, mid, +1) for n, vwap in buy.items()},
        sell_impact_bps={n: impact_bps(vwap, mid, -1) for n, vwap in sell.items()},
        buy_unfilled={n: jnp.maximum(n - walked.buy_visible, 0.0) for n in buy},
        sell_unfilled={n: jnp.maximum(n - walked.sell_visible, 0.0) for n in sell},
        round_trip_cost_bps={n: round_trip_bps(buy[n], sell[n], filled[n], mid) for n in buy},
        buy_fillable=walked.buy_fillable,
        sell_fillable=walked.sell_fillable,
        bid_slope=walked.slope.bid,
        ask_slope=walked.slope.ask,
        bid_origin_slope=walked.origin_slope.bid,
        ask_origin_slope=walked.origin_slope.ask,
        bid_convexity=walked.convexity.bid,
        ask_convexity=walked.convexity.ask,
        bid_naes_skjeltorp_slope=walked.naes_skjeltorp_slope.bid,
        ask_naes_skjeltorp_slope=walked.naes_skjeltorp_slope.ask,
        bid_entropy=walked.entropy.bid,
        ask_entropy=walked.entropy.ask,
        joint_entropy=walked.entropy.joint,
        bid_concentration=walked.concentration.bid,
        ask_concentration=walked.concentration.ask,
        bid_top_share=walked.top_share.bid,
        ask_top_share=walked.top_share.ask,
        bid_gap_max_ticks=walked.level_gaps.bid_max,
        bid_gap_mean_ticks=walked.level_gaps.bid_mean,
        ask_gap_max_ticks=walked.level_gaps.ask_max,
        ask_gap_mean_ticks=walked.level_gaps.ask_mean,
        bid_centre_of_mass_bps=walked.centre_of_mass_bps.bid,
        ask_centre_of_mass_bps=walked.centre_of_mass_bps.ask,
        bid_reach_bps=walked.reach_bps.bid,
        ask_reach_bps=walked.reach_bps.ask,
        bid_levels=walked.flags.bid_levels,
        ask_levels=walked.flags.ask_levels,
        crossed=walked.flags.crossed,
        locked=walked.flags.locked,
        one_sided=walked.flags.one_sided,
        valid=walked.flags.valid,
    )
