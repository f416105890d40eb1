"""The reduction that all bars share: trades, and where each bar begins and stops, to prices and sums."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap
from jaxtyping import Float, Int

__all__ = ["BarValues", "aggregate_bars"]

Value = Float[jax.Array, " bar"]
Count = Int[jax.Array, " bar"]


class BarValues(eqx.Module):
    """What the trades of each bar come to: arrays `[bar]`.

    `open, high, low, close`: prices in quote currency, NaN for a bar without trades; `volume` in base currency and
    `notional` in quote currency; `vwap`: notional / volume, NaN where the volume is 0; `count`: number of trades.
    `buy_volume, sell_volume, unknown_volume` and `buy_count, sell_count` by the taker's side; trades of unknown side
    are guessed to neither.
    """

    open: Value
    high: Value
    low: Value
    close: Value
    volume: Value
    notional: Value
    vwap: Value
    buy_volume: Value
    sell_volume: Value
    unknown_volume: Value
    count: Count
    buy_count: Count
    sell_count: Count


def aggregate_bars(
    price: Float[jax.Array, " trade"],
    size: Float[jax.Array, " trade"],
    side: Int[jax.Array, " trade"],
    first: Int[jax.Array, " bar"],
    stop: Int[jax.Array, " bar"],
) -> BarValues:
    """Bars of trades: bar k holds the trades i with first[k] <= i < stop[k].

    volume = sum q_i, notional = sum p_i q_i, vwap = notional / volume; open, high, low, close from the prices p_i.

    Arguments: `price` in quote currency, `size` in base currency, `side` +1, -1 or 0, all `[trade]`; `first` and `stop`
    `[bar]`, integer, neither of them ever decreasing, no trade in two bars; a trade may be in none. Returns BarValues
    `[bar]` in the dtype of the prices and sizes. Raises ValueError for shapes that differ.

    On a CPU every sum is the one of a loop over the trades of the bar in their order, each product rounded before it is
    added, so that it equals that loop to the last digit in float64 and in float32. On a GPU the order of the additions
    is not defined and results agree to rounding. A NaN price makes high, low, notional and vwap of its bar NaN, a NaN
    size the volume, the volume of its side, notional and vwap.

    Per item; traceable. The derivative of a high or low is that of the first trade that made it.

    >>> price, size, side = np.array([10.0, 12.0, 11.0]), np.array([1.0, 2.0, 4.0]), np.array([1, -1, 1])
    >>> bars = aggregate_bars(*map(jnp.asarray, (price, size, side, [0, 2, 2], [2, 2, 3])))
    >>> bars.high.tolist(), bars.volume.tolist(), bars.count.tolist()
    ([12.0, nan, 11.0], [3.0, 0.0, 4.0], [2, 0, 1])
    """
    if not (price.ndim == 1 and price.shape == size.shape == side.shape):
        raise ValueError(
            f"expected price, size and side of one shape [trade], got {list(price.shape)}, {list(size.shape)} and "
            f"{list(side.shape)}; jax.vmap serves a batch"
        )
    if not (first.ndim == 1 and first.shape == stop.shape):
        raise ValueError(f"expected first and stop of one shape [bar], got {list(first.shape)} and {list(stop.shape)}")
    if price.shape[0] == 0:
        # A trade that no bar holds: what follows may index.
        price, size, side = jnp.ones(1, price.dtype), jnp.ones(1, size.dtype), jnp.zeros(1, side.dtype)
    if first.shape[0] == 0:
        none = jnp.zeros(1, first.dtype)
        return jax.tree.map(lambda array: array[:0], aggregate_bars(price, size, side, none, none))
    sums = _sums(price, size, side, first, stop)
    volume, notional, buy_volume, sell_volume, unknown_volume, buy_count, sell_count, high, low = sums
    count = stop - first
    some, traded = count > 0, volume > 0
    # The notional of the sums leaves out trades of NaN size: in it only a NaN price shows.
    known = some & ~jnp.isnan(notional)
    notional = jnp.where(jnp.isnan(volume), jnp.nan, notional)
    return BarValues(
        open=jnp.where(some, price.at[first].get(mode="clip"), jnp.nan),
        high=jnp.where(known, high, jnp.nan),
        low=jnp.where(known, low, jnp.nan),
        close=jnp.where(some, price.at[stop - 1].get(mode="clip"), jnp.nan),
        volume=volume,
        notional=notional,
        # Double where: the derivative stays finite for a bar without volume.
        vwap=jnp.where(traded, notional / jnp.where(traded, volume, 1), jnp.nan),
        buy_volume=buy_volume,
        sell_volume=sell_volume,
        unknown_volume=unknown_volume,
        count=count,
        buy_count=buy_count,
        sell_count=sell_count,
    )


@jax.custom_jvp
def _sums(price, size, side, first, stop) -> tuple[jax.Array, ...]:
    # A loop over ten million trades is what a CPU does best and a GPU does worst.
    return jax.lax.platform_dependent(price, size, side, first, stop, cpu=_sums_by_loop, default=_sums_by_scatter)


def _loop(step, nothing, arrays, first, stop) -> tuple[jax.Array, ...]:
    """Columns `[bar]`: for each bar a loop over its trades, whose sums XLA keeps in registers."""

    def bar(k, columns):
        def trade(i, sums):
            # Checked indices would double the time of the loop.
            return step(*sums, *(array.at[i].get(mode="promise_in_bounds") for array in arrays))

        sums = jax.lax.fori_loop(first[k], stop[k], trade, nothing)
        return tuple(column.at[k].set(value) for column, value in zip(columns, sums, strict=True))

    columns = tuple(jnp.broadcast_to(value, first.shape) for value in nothing)
    # Empty bars at the end, the padding of a block, cost nothing.
    last = jnp.max(jnp.where(stop > first, jnp.arange(1, first.shape[0] + 1), 0), initial=0)
    return jax.lax.fori_loop(0, last, bar, columns)


@custom_vmap
def _sums_by_loop(price, size, side, first, stop) -> tuple[jax.Array, ...]:
    zero, product = jnp.zeros((), size.dtype), jnp.zeros((), jnp.result_type(price, size))
    infinity, none = jnp.full((), jnp.inf, price.dtype), jnp.zeros((), first.dtype)

    def add(volume, notional, buy, sell, unknown, high, low, p, q, s):
        return (
            volume + q,
            # The select keeps the compiler from fusing product and sum into one operation with one rounding.
            notional + jnp.where(jnp.isnan(q), p - p, p * q),
            buy + jnp.where(s > 0, q, zero),
            sell + jnp.where(s < 0, q, zero),
            unknown + jnp.where(s == 0, q, zero),
            # Half the time of maximum and minimum, which look for NaN; a NaN shows in the notional.
            jnp.where(p > high, p, high),
            jnp.where(p < low, p, low),
        )

    def add_one(buys, sells, s):
        return buys + (s > 0), sells + (s < 0)

    # Two loops: with more than seven columns XLA (0.10) takes ten times as long for each bar.
    sums = _loop(add, (zero, product, zero, zero, zero, -infinity, infinity), (price, size, side), first, stop)
    counts = _loop(add_one, (none, none), (side,), first, stop)
    return (*sums[:5], *counts, *sums[5:])


@_sums_by_loop.def_vmap
def _sums_of_a_batch(axis_size, in_batched, price, size, side, first, stop):
    """A batch is one long series with its bars counted on: the loop stays a loop over scalars."""
    trades = (price, size, side)
    if any(in_batched[:3]):
        trades = tuple(
            array if batched else jnp.broadcast_to(array, (axis_size, *array.shape))
            for array, batched in zip(trades, in_batched[:3], strict=True)
        )
        length = trades[0].shape[1]
        index = first.dtype if axis_size * length <= np.iinfo(first.dtype).max else jnp.int64
        offset = jnp.arange(axis_size, dtype=index)[:, None] * length
        first, stop = first + offset, stop + offset
        trades = tuple(array.reshape(-1) for array in trades)
    shape = jnp.broadcast_shapes(first.shape, stop.shape)
    cuts = (jnp.broadcast_to(array, shape).reshape(-1) for array in (first, stop))
    sums = tuple(column.reshape(shape) for column in _sums_by_loop(*trades, *cuts))
    return sums, (True,) * len(sums)


def _bar_of_trade(trades: int, first, stop) -> jax.Array:
    """The bar of each trade, and the number of bars for a trade in none."""
    trade = jnp.arange(trades, dtype=first.dtype)
    bar = jnp.searchsorted(stop, trade, side="right")
    inside = (bar < first.shape[0]) & (first.at[bar].get(mode="clip") <= trade)
    return jnp.where(inside, bar, first.shape[0])


def _sums_by_scatter(price, size, side, first, stop) -> tuple[jax.Array, ...]:
    bar, bars = _bar_of_trade(price.shape[0], first, stop), first.shape[0]

    def add(array):
        return jax.ops.segment_sum(array, bar, bars, indices_are_sorted=True)

    of_side = [jnp.where(mask, size, 0) for mask in (side > 0, side < 0, side == 0)]
    return (
        add(size),
        add(jnp.where(jnp.isnan(size), price - price, price * size)),
        *(add(array) for array in of_side),
        add((side > 0).astype(first.dtype)),
        add((side < 0).astype(first.dtype)),
        jax.ops.segment_max(price, bar, bars, indices_are_sorted=True),
        jax.ops.segment_min(price, bar, bars, indices_are_sorted=True),
    )


@_sums.defjvp
def _sums_jvp(primals, tangents) -> tuple[tuple[jax.Array, ...], tuple[Any, ...]]:
    price, size, side, first, stop = primals
    price_dot, size_dot = tangents[:2]
    sums = _sums(*primals)
    trades, bars = price.shape[0], first.shape[0]
    bar = _bar_of_trade(trades, first, stop)
    trade = jnp.arange(trades, dtype=first.dtype)

    def add(array):
        return jax.ops.segment_sum(array, bar, bars, indices_are_sorted=True)

    def at_extreme(extreme):
        made = price == extreme.at[bar].get(mode="fill", fill_value=jnp.nan)
        row = jax.ops.segment_min(jnp.where(made, trade, trades), bar, bars, indices_are_sorted=True)
        return price_dot.at[row].get(mode="fill", fill_value=0)

    no_tangents = tuple(np.zeros(count.shape, jax.dtypes.float0) for count in sums[5:7])
    dots = (
        add(size_dot),
        add(price_dot * size + price * size_dot),
        *(add(jnp.where(mask, size_dot, 0)) for mask in (side > 0, side < 0, side == 0)),
        *no_tangents,
        at_extreme(sums[7]),
        at_extreme(sums[8]),
    )
    return sums, dots
