"""Every metric of a book in one traceable function, which XLA fuses into one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import equinox as eqx
import jax
from jaxtyping import Bool, Float, Int

from quantjax.lob import metrics
from quantjax.lob.book import Book
from quantjax.lob.metrics.sides import check_levels

__all__ = ["BookMeasures", "BookMetrics", "measure"]

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
                yield f"{field.name}_{pattern.format(f'{parameter:g}')}", array
        else:
            yield field.name, value


def measure(book: Book, tick_size, parameters: BookMetrics = BookMetrics()) -> BookMeasures:  # noqa: B008 (frozen)
    """Every metric of `quantjax.lob` of the books `[...]`, at the parameters of `parameters`.

    Broadcasting and traceable: under `jax.jit` XLA shares what the metrics have in common. `lob.analyze` drives it over
    recordings. A book that is not valid (see `lob.Flags`) is measured as it stands: check or clean it first.
    """
    band = {bps: metrics.band_depth(book, bps) for bps in parameters.bands_bps}
    buy = {notional: metrics.fill_notional(book, notional, +1) for notional in parameters.notionals}
    sell = {notional: metrics.fill_notional(book, notional, -1) for notional in parameters.notionals}
    vwap = {levels: metrics.vwap(book, levels) for levels in parameters.levels}
    slope, origin_slope = metrics.slope(book), metrics.origin_slope(book)
    convexity, elasticity = metrics.convexity(book), metrics.naes_skjeltorp_slope(book)
    entropy, concentration, top_share = metrics.entropy(book), metrics.concentration(book), metrics.top_share(book)
    gaps, mass, flags = metrics.level_gaps(book, tick_size), metrics.centre_of_mass_bps(book), metrics.flags(book)
    return BookMeasures(
        mid=metrics.mid(book),
        spread=metrics.spread(book),
        spread_ticks=metrics.spread_ticks(book, tick_size),
        spread_bps=metrics.spread_bps(book),
        microprice=metrics.microprice(book),
        queue_imbalance=metrics.queue_imbalance(book),
        depth_imbalance={levels: metrics.depth_imbalance(book, levels) for levels in parameters.levels},
        decayed_imbalance=metrics.decayed_imbalance(book, parameters.decay),
        inverse_distance_imbalance=metrics.inverse_distance_imbalance(book),
        exponential_distance_imbalance=metrics.exponential_distance_imbalance(book, parameters.distance_bps),
        bid_vwap={levels: sides.bid for levels, sides in vwap.items()},
        ask_vwap={levels: sides.ask for levels, sides in vwap.items()},
        vamp={levels: metrics.vamp(book, levels) for levels in parameters.levels},
        bid_depth={bps: depth.bid_base for bps, depth in band.items()},
        ask_depth={bps: depth.ask_base for bps, depth in band.items()},
        bid_depth_quote={bps: depth.bid_quote for bps, depth in band.items()},
        ask_depth_quote={bps: depth.ask_quote for bps, depth in band.items()},
        band_imbalance={bps: depth.imbalance for bps, depth in band.items()},
        buy_vwap={notional: fill.vwap for notional, fill in buy.items()},
        sell_vwap={notional: fill.vwap for notional, fill in sell.items()},
        buy_impact_bps={notional: fill.impact_bps for notional, fill in buy.items()},
        sell_impact_bps={notional: fill.impact_bps for notional, fill in sell.items()},
        buy_unfilled={notional: fill.unfilled for notional, fill in buy.items()},
        sell_unfilled={notional: fill.unfilled for notional, fill in sell.items()},
        round_trip_cost_bps={
            notional: metrics.round_trip_cost_bps(book, notional) for notional in parameters.notionals
        },
        buy_fillable={bps: metrics.fillable_notional(book, bps, +1) for bps in parameters.slippages_bps},
        sell_fillable={bps: metrics.fillable_notional(book, bps, -1) for bps in parameters.slippages_bps},
        bid_slope=slope.bid,
        ask_slope=slope.ask,
        bid_origin_slope=origin_slope.bid,
        ask_origin_slope=origin_slope.ask,
        bid_convexity=convexity.bid,
        ask_convexity=convexity.ask,
        bid_naes_skjeltorp_slope=elasticity.bid,
        ask_naes_skjeltorp_slope=elasticity.ask,
        bid_entropy=entropy.bid,
        ask_entropy=entropy.ask,
        joint_entropy=entropy.joint,
        bid_concentration=concentration.bid,
        ask_concentration=concentration.ask,
        bid_top_share=top_share.bid,
        ask_top_share=top_share.ask,
        bid_gap_max_ticks=gaps.bid_max,
        bid_gap_mean_ticks=gaps.bid_mean,
        ask_gap_max_ticks=gaps.ask_max,
        ask_gap_mean_ticks=gaps.ask_mean,
        bid_centre_of_mass_bps=mass.bid,
        ask_centre_of_mass_bps=mass.ask,
        bid_levels=flags.bid_levels,
        ask_levels=flags.ask_levels,
        crossed=flags.crossed,
        locked=flags.locked,
        one_sided=flags.one_sided,
        valid=flags.valid,
    )
