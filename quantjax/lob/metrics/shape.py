"""The shape of the book: how depth grows with distance, how it is spread over the levels, how the prices are spaced."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.lob.book import Book
from quantjax.lob.metrics.prices import mid
from quantjax.lob.metrics.sides import Levels, Sides, ask_levels, bid_levels, ratio, total
from quantjax.numerics import vector_log

__all__ = [
    "Entropy",
    "LevelGaps",
    "centre_of_mass_bps",
    "concentration",
    "convexity",
    "entropy",
    "level_gaps",
    "naes_skjeltorp_slope",
    "origin_slope",
    "reach_bps",
    "slope",
    "top_share",
]

Value = Float[jax.Array, "*batch"]


class Entropy(eqx.Module):
    """Entropy of the sizes of each side and of both sides together."""

    bid: Value
    ask: Value
    joint: Value


class LevelGaps(eqx.Module):
    """Largest and mean price gap between neighbouring levels of each side, in ticks."""

    bid_max: Value
    bid_mean: Value
    ask_max: Value
    ask_mean: Value


def slope(book: Book) -> Sides:
    """Slope b of the least-squares line y = a + b x through the levels: x distance from the mid, y cumulative size.

    x = 1e4 (p - m) / m for asks and 1e4 (m - p) / m for bids: negative only where the book is crossed.

    In base currency per basis point, `[...]`; NaN with fewer than two levels on the side or an empty other side.
    Broadcasting. A regression with intercept; `origin_slope` is the one without.
    """

    def fit(side: Levels, centre: jax.Array) -> jax.Array:
        count, x, y = _count(side), _from_best(side, centre), _present_cumulative(side)
        inverse_count, sum_x = 1.0 / jnp.maximum(count, 1.0), total(x)
        fitted = ratio(
            _dot(x, y) - sum_x * total(y) * inverse_count,
            _dot(x, x) - sum_x * sum_x * inverse_count,
        )
        return jnp.where(count >= 2, fitted, jnp.nan)

    return _each_side(book, fit)


def origin_slope(book: Book) -> Sides:
    """Slope b of the least-squares line y = b x through the origin: sum x y / sum x^2, x and y as in `slope`.

    In base currency per basis point, `[...]`; NaN where a side is empty. Broadcasting.
    """

    def fit(side: Levels, centre: jax.Array, sign: int) -> jax.Array:
        first = sign * 1e4 * (side[0].price - centre) / centre
        steps = _from_best(side, centre)
        x = [jnp.where(level.present, first + step, 0.0) for level, step in zip(side, steps, strict=True)]
        return ratio(_dot(x, _cumulative(side)), _dot(x, x))

    return _each_side(book, lambda side, centre: fit(side, centre, +1), lambda side, centre: fit(side, centre, -1))


def convexity(book: Book) -> Sides:
    """Coefficient c2 of the least-squares parabola y = c0 + c1 x + c2 x^2 through the levels, x and y as in `slope`.

    In base currency per squared basis point, `[...]`; NaN with fewer than three levels. Broadcasting. Solved on
    polynomials orthogonal over the levels, from moments about the best level, not by the ill-conditioned normal
    equations.
    """

    def fit(side: Levels, centre: jax.Array) -> jax.Array:
        count, x, y = _count(side), _from_best(side, centre), _present_cumulative(side)
        square = [x_i * x_i for x_i in x]
        inverse_count = 1.0 / jnp.maximum(count, 1.0)
        sum_x, sum_y, sum_xx = total(x), total(y), total(square)
        # Products with what is left of x after its regression on 1, then with what is left of x^2 after that on 1 and
        # x.
        linear = sum_xx - sum_x * sum_x * inverse_count
        linear_y = _dot(x, y) - sum_x * sum_y * inverse_count
        linear_square = _dot(square, x) - sum_x * sum_xx * inverse_count
        tilt = ratio(linear_square, linear)
        quadratic = _dot(square, square) - sum_xx * sum_xx * inverse_count - tilt * linear_square
        quadratic_y = _dot(square, y) - sum_xx * sum_y * inverse_count - tilt * linear_y
        return jnp.where(count >= 3, ratio(quadratic_y, quadratic), jnp.nan)

    return _each_side(book, fit)


def naes_skjeltorp_slope(book: Book) -> Sides:
    """Elasticity of depth by price: (1/N) [v_1 / |p_1/p_0 - 1| + sum_{t<N} (v_{t+1}/v_t - 1) / |p_{t+1}/p_t - 1|].

    v_t = ln(cumulative size to level t), p_0 = m, N the number of levels, `[...]`. The logarithm depends on the unit:
    sizes are taken as they stand in the book (shares, or base currency). NaN where a cumulative size is 1 or less,
    where the book is locked, and where a side is empty. The published measure is the average of the two sides.
    Broadcasting. Source: Naes & Skjeltorp (2006), Order book characteristics and the volume-volatility relation, eq. 1.
    """

    def fit(side: Levels, centre: jax.Array) -> jax.Array:
        logs = [vector_log(jnp.where(size > 1, size, jnp.nan)) for size in _cumulative(side)]
        terms = [ratio(logs[0] * centre, jnp.abs(side[0].price - centre))]
        for i in range(1, len(side)):
            # (v'/v - 1) / |p'/p - 1| with one division, by 1 at absent levels: a 0/0 there would reach the gradient.
            present = side[i].present
            step = (logs[i] - logs[i - 1]) * side[i - 1].price
            divisor = logs[i - 1] * jnp.abs(side[i].price - side[i - 1].price)
            terms.append(jnp.where(present, step / jnp.where(present, divisor, 1.0), 0.0))
        return ratio(total(terms), _count(side))

    return _each_side(book, fit)


def entropy(book: Book, *, normalised: bool = False) -> Entropy:
    """Entropy of the size shares of each side and of both: H = -sum w_i ln w_i, w_i = q_i / sum q, in nats, `[...]`.

    `normalised` divides by ln(number of levels present): in [0, 1], NaN with a single level. NaN where there is
    nothing. Broadcasting.
    """
    bids, asks = _sizes_and_logs(book.bid_size), _sizes_and_logs(book.ask_size)
    return Entropy(
        _entropy(*bids, normalised=normalised),
        _entropy(*asks, normalised=normalised),
        _entropy(*(b + a for b, a in zip(bids, asks, strict=True)), normalised=normalised),
    )


def concentration(book: Book) -> Sides:
    """Herfindahl-Hirschman index of the sizes: sum w_i^2, w_i = q_i / sum q, in (0, 1], `[...]`; NaN for an empty side.

    Broadcasting.
    """

    def index(side: Levels) -> jax.Array:
        size = total(level.size for level in side)
        return ratio(total(level.size * level.size for level in side), size * size)

    return Sides(index(bid_levels(book)), index(ask_levels(book)))


def top_share(book: Book) -> Sides:
    """Share of the best level: q_1 / sum q, in (0, 1], `[...]`; NaN for an empty side. Broadcasting."""

    def share(side: Levels) -> jax.Array:
        return ratio(side[0].size, total(level.size for level in side))

    return Sides(share(bid_levels(book)), share(ask_levels(book)))


def level_gaps(book: Book, tick_size) -> LevelGaps:
    """Largest and mean gap |p_{i+1} - p_i| / tick_size between neighbouring levels of a side, in ticks, `[...]`.

    NaN with fewer than two levels on the side. Broadcasting. Source: Farmer et al. (2004), What really causes large
    price changes?, section 4.
    """

    def gaps(side: Levels) -> tuple[jax.Array, jax.Array]:
        largest, last = jnp.zeros_like(side[0].price), side[0].price
        for before, after in pairwise(side):
            largest = jnp.maximum(largest, jnp.where(after.present, jnp.abs(after.price - before.price), 0.0))
            last = jnp.where(after.present, after.price, last)
        # The widths add up to the distance from the first level to the last.
        mean = ratio(jnp.abs(last - side[0].price), _count(side) - 1)
        several = _count(side) >= 2
        return jnp.where(several, largest, jnp.nan) / tick_size, jnp.where(several, mean, jnp.nan) / tick_size

    return LevelGaps(*gaps(bid_levels(book)), *gaps(ask_levels(book)))


def reach_bps(book: Book) -> Sides:
    """Distance of the deepest level of each side: 1e4 |p_last - m| / m, in basis points, `[...]`.

    NaN where a side is empty. A depth band or an order that reaches further sees what was recorded, not all there was.
    Broadcasting.
    """

    def reach(side: Levels, centre: jax.Array) -> jax.Array:
        last = side[0].price
        for level in side[1:]:
            last = jnp.where(level.present, level.price, last)
        return 1e4 * jnp.abs(last - centre) / centre

    return _each_side(book, reach)


def centre_of_mass_bps(book: Book) -> Sides:
    """Size-weighted distance from the mid: sum q_i |p_i - m| / sum q_i / m 1e4, in basis points, `[...]`.

    NaN where a side is empty. Broadcasting.
    """

    def mass(side: Levels, centre: jax.Array) -> jax.Array:
        sizes = [level.size for level in side]
        return ratio(_dot(sizes, _distance_bps(side, centre)), total(sizes))

    return _each_side(book, mass)


Measure = Callable[[Levels, jax.Array], jax.Array]


def _each_side(book: Book, measure: Measure, measure_bids: Measure | None = None) -> Sides:
    """`measure` of both sides, or `measure_bids` of the bids; NaN where a side is empty, since the mid then is."""
    centre = mid(book)
    known = ~jnp.isnan(centre)
    guarded = jnp.where(known, centre, 1.0)
    bid, ask = (measure_bids or measure)(bid_levels(book), guarded), measure(ask_levels(book), guarded)
    return Sides(jnp.where(known, bid, jnp.nan), jnp.where(known, ask, jnp.nan))


def _count(side: Levels) -> jax.Array:
    return total(level.present.astype(level.size.dtype) for level in side)


def _cumulative(side: Levels) -> list[jax.Array]:
    sums = [side[0].size]
    for level in side[1:]:
        sums.append(sums[-1] + level.size)
    return sums


def _distance_bps(side: Levels, centre: jax.Array) -> list[jax.Array]:
    """1e4 |p - m| / m by level; 0 at absent levels."""
    scale = 1e4 / centre
    return [jnp.where(level.present, jnp.abs(level.price - centre) * scale, 0.0) for level in side]


def _from_best(side: Levels, centre: jax.Array) -> list[jax.Array]:
    """1e4 |p - p_1| / m by level, 0 at absent levels: the distance of `slope`, shifted to keep its moments small."""
    scale = 1e4 / centre
    return [jnp.where(level.present, jnp.abs(level.price - side[0].price) * scale, 0.0) for level in side]


def _present_cumulative(side: Levels) -> list[jax.Array]:
    """Cumulative sizes, 0 at absent levels."""
    return [jnp.where(level.present, y, 0.0) for level, y in zip(side, _cumulative(side), strict=True)]


def _dot(x: list[jax.Array], y: list[jax.Array]) -> jax.Array:
    return total(x_i * y_i for x_i, y_i in zip(x, y, strict=True))


def _sizes_and_logs(size) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sums over one side of q, of q ln q, and of 1."""
    size = jnp.asarray(size)
    # Reductions, not written-out sums: it is where XLA's CPU backend has a vector logarithm, four times as fast. The
    # smallest number changes no size, and makes 0 ln 0 = 0 without a mask, which would take that speed away.
    return (
        size.sum(axis=-1),
        (size * jnp.log(size + jnp.finfo(size.dtype).tiny)).sum(axis=-1),
        (size > 0).sum(axis=-1).astype(size.dtype),
    )


def _entropy(size: jax.Array, size_log: jax.Array, count: jax.Array, *, normalised: bool) -> jax.Array:
    """H = ln Q - (1/Q) sum q ln q: one logarithm a level serves the side's and the joint entropy."""
    some = size > 0
    nats = jnp.where(some, jnp.log(jnp.where(some, size, 1.0)) - ratio(size_log, size), jnp.nan)
    nats = jnp.maximum(nats, 0.0)  # rounding may leave a single level at -1e-16
    return ratio(nats, jnp.log(jnp.maximum(count, 1.0))) if normalised else nats
