"""The groups of `trade_metrics` that time what runs over a whole recording, and estimators from prices alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from benchmarks.harness import Case
from benchmarks.trade_groups import COUNT, LOT_SIZE, Group, agree, compiled, first_calls, floor
from quantjax import lob
from quantjax.lob.trades import (
    BulkVolume,
    TradeSeries,
    corwin_schultz_spread,
    illiquidity,
    realised_variances,
    roll_spread,
    rolling_trade_imbalance,
    sample_prices,
    trade_costs,
    trade_imbalance_by_interval,
    vpin,
)

__all__ = [
    "bulk",
    "by_interval",
    "corwin_schultz",
    "costs",
    "illiquid",
    "roll",
    "rolling",
    "sampling",
    "variance_driver",
]

HORIZONS_S = (1.0, 5.0, 30.0)
SECOND, WINDOW, BUCKET_LOTS = 10**9, 50, 1_000_000


def costs(trades: TradeSeries, series: lob.BookSeries) -> Group:

    def driver(trades):
        return trade_costs(trades, series, horizons_s=HORIZONS_S)

    first = first_calls(driver, trades)
    time_ns, price, side = _columns(trades, "time_ns", "price", "side")
    book_ns, bid, ask = series.time_ns, *(np.asarray(p)[:, 0] for p in (series.book.bid_price, series.book.ask_price))

    def plain() -> dict[str, np.ndarray]:
        mids = 0.5 * (bid + ask)
        row = np.searchsorted(book_ns, time_ns) - 1
        mid = np.where((row >= 0) & (time_ns <= book_ns[-1]), mids[row], np.nan)
        scale = 2e4 * side / mid
        found = {"effective": scale * (price - mid)}
        for horizon in HORIZONS_S:
            at = time_ns + round(1e9 * horizon)
            later = np.searchsorted(book_ns, at, "right") - 1
            future = np.where((later >= 0) & (at <= book_ns[-1]), mids[later], np.nan)
            found[f"realised_{horizon}"] = scale * (price - future)
            found[f"impact_{horizon}"] = scale * (future - mid)
        return found

    ours, found = driver(trades), {}
    for horizon in HORIZONS_S:
        found |= {f"realised_{horizon}": ours.realised_bps[horizon], f"impact_{horizon}": ours.impact_bps[horizon]}
    agree({"effective": ours.effective_bps, **found}, plain())
    return Group(
        [
            Case("quantjax trade_costs", lambda: driver(trades), "checks, join and flags, sums exact"),
            Case("numpy trade_costs", plain, "unchecked, no flags, sums up to rounding"),
            floor(time_ns, price, side, book_ns, bid, ask),
        ],
        first,
    )


def illiquid(trades: TradeSeries) -> Group:

    def driver(trades):
        return illiquidity(trades, 10.0)

    first = first_calls(driver, trades)
    time_ns, price, size, side = _columns(trades, "time_ns", "price", "size", "side")

    def plain() -> dict[str, Any]:
        start = np.flatnonzero(np.diff(time_ns // (10 * SECOND), prepend=-1))
        last = price[np.append(start[1:], COUNT) - 1]
        notional = price * size
        each = (side * size, side * np.sqrt(notional), notional)
        x, root, value = (np.add.reduceat(one, start)[1:] for one in each)
        y = np.diff(last)
        returns = y / last[:-1]
        slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
        hasbrouck = root @ np.log1p(returns) / (root @ root)
        return {"amihud": np.mean(np.abs(returns) / value), "kyle": slope, "hasbrouck": hasbrouck}

    ours = driver(trades)
    slopes = {"kyle": ours.kyle.coefficients[0], "hasbrouck": ours.hasbrouck.coefficients[0]}
    agree({"amihud": ours.amihud.value, **slopes}, plain())
    return Group(
        [
            Case("quantjax illiquidity", lambda: driver(trades), "checks, three measures, standard errors, R^2"),
            Case("numpy illiquidity", plain, "unchecked, three slopes"),
            floor(time_ns, price, size, side),
        ],
        first,
    )


def by_interval(trades: TradeSeries) -> Group:

    def driver(trades):
        return trade_imbalance_by_interval(trades, 1.0)

    first = first_calls(driver, trades)
    time_ns, size, side = _columns(trades, "time_ns", "size", "side")

    def plain() -> np.ndarray:
        row = time_ns // SECOND
        buy, sell = (np.bincount(row, np.where(side == one, size, 0.0)) for one in (1, -1))
        with np.errstate(invalid="ignore"):
            return (buy - sell) / (buy + sell)

    agree({"imbalance": driver(trades).imbalance}, {"imbalance": plain()})
    return Group(
        [
            Case("quantjax by interval", lambda: driver(trades), "checks, three volumes, counts"),
            Case("numpy by interval", plain, "unchecked"),
            floor(time_ns, size, side),
        ],
        first,
    )


def rolling(trades: TradeSeries) -> Group:
    size, side = _columns(trades, "size", "side")

    def plain() -> np.ndarray:
        found = np.full(COUNT, np.nan)
        signed, known = (np.concatenate([[0.0], np.cumsum(one)]) for one in (size * side, size * np.abs(side)))
        found[WINDOW - 1 :] = (signed[WINDOW:] - signed[:-WINDOW]) / (known[WINDOW:] - known[:-WINDOW])
        return found

    return _kernel("rolling", partial(_rolling, window=WINDOW), plain, (size, side), "each window by itself", 1e-6)


def _rolling(size: jax.Array, side: jax.Array, *, window: int) -> jax.Array:
    return rolling_trade_imbalance(size, side, window).imbalance


def roll(trades: TradeSeries) -> Group:
    (price,) = _columns(trades, "price")

    def plain() -> float:
        change = np.diff(price)
        later, earlier = change[1:], change[:-1]
        return 2 * np.sqrt(-((later - later.mean()) * (earlier - earlier.mean())).mean())

    return _kernel("roll", roll_spread, plain, (price,))


def corwin_schultz() -> Group:
    rng = np.random.default_rng(3)
    low = 100 * np.exp(np.cumsum(0.001 * rng.normal(size=(1_000, 1_000)), axis=1))
    high = low * np.exp(0.01 * rng.random(low.shape))
    k = 3 - 2 * np.sqrt(2)

    def plain() -> np.ndarray:
        each = np.log(high / low) ** 2
        beta = each[:, 1:] + each[:, :-1]
        gamma = np.log(np.maximum(high[:, 1:], high[:, :-1]) / np.minimum(low[:, 1:], low[:, :-1])) ** 2
        alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / k - np.sqrt(gamma / k)
        return np.maximum(2 * (np.exp(alpha) - 1) / (1 + np.exp(alpha)), 0.0)

    return _kernel("corwin_schultz", corwin_schultz_spread, plain, (high, low))


def sampling(trades: TradeSeries) -> Group:

    def driver(trades):
        return sample_prices(trades.time_ns, trades.price, 1.0)

    first = first_calls(driver, trades)
    time_ns, price = _columns(trades, "time_ns", "price")

    def plain():
        return _sampled(time_ns, price)

    agree({"price": driver(trades).price}, {"price": plain()})
    return Group(
        [
            Case("quantjax sample_prices", lambda: driver(trades), "checks order and NaN, ages, counts"),
            Case("numpy sample_prices", plain, "unchecked"),
            floor(time_ns, price),
        ],
        first,
    )


def variance_driver(trades: TradeSeries) -> Group:

    def driver(trades):
        return realised_variances(trades.time_ns, trades.price, 1.0)

    first = first_calls(driver, trades)
    time_ns, price = _columns(trades, "time_ns", "price")
    scale = round((COUNT - 1) ** (2 / 3))

    def plain() -> dict[str, Any]:
        returns = np.diff(np.log(_sampled(time_ns, price)))
        path = np.log(price)
        fast, slow = np.diff(path), path[scale:] - path[:-scale]
        share = (COUNT - scale) / scale / (COUNT - 1)
        two_scale = (slow @ slow / scale - share * (fast @ fast)) / (1 - share)
        size, count = np.abs(returns), len(returns)
        bipower = 0.5 * np.pi * count / (count - 1) * (size[1:] @ size[:-1])
        return {"realised": returns @ returns, "bipower": bipower, "two_scale": two_scale}

    expected = plain()
    agree({name: getattr(driver(trades), name) for name in expected}, expected)
    return Group(
        [
            Case("quantjax realised_variances", lambda: driver(trades), "checks, three variances, counts"),
            Case("numpy realised_variances", plain, "unchecked"),
            floor(time_ns, price),
        ],
        first,
    )


def bulk(trades: TradeSeries) -> Group:
    rule = BulkVolume("1min")
    volume = BUCKET_LOTS * LOT_SIZE

    def driver(trades):
        return vpin(trades, volume, window=WINDOW, lot_size=LOT_SIZE, classification=rule)

    first = first_calls(driver, trades)
    time_ns, price, size, side = _columns(trades, "time_ns", "price", "size", "side")
    lots = np.rint(size / LOT_SIZE).astype(np.int64)

    def plain() -> np.ndarray:
        start = np.flatnonzero(np.diff(time_ns // (60 * SECOND), prepend=-1))
        change = np.diff(price[np.append(start[1:], COUNT) - 1], prepend=price[0])
        share = np.asarray(ndtr(change / np.sqrt(np.mean(change**2))))
        volume = np.add.reduceat(lots, start)
        total, buy = np.cumsum(volume), np.cumsum(np.rint(volume * share))
        edges = np.arange(int(total[-1]) // BUCKET_LOTS + 1) * BUCKET_LOTS
        row = np.searchsorted(total, edges)
        taken = edges - (total[row] - volume[row])
        bought = np.diff(buy[row] - np.rint(volume[row] * share[row]) + np.rint(taken * share[row]))
        sums = np.cumsum(np.concatenate([[0], np.abs(2 * bought - BUCKET_LOTS)]))
        value = np.full(len(bought), np.nan)
        value[WINDOW - 1 :] = (sums[WINDOW:] - sums[:-WINDOW]) / (WINDOW * BUCKET_LOTS)
        return value

    agree({"vpin": driver(trades).vpin}, {"vpin": plain()})
    return Group(
        [
            Case("quantjax bulk vpin", lambda: driver(trades), "checks, lots, bars, buckets, VPIN, counts"),
            Case("numpy bulk vpin", plain, "from lots, unchecked"),
            floor(time_ns, price, size, side),
        ],
        first,
    )


def _columns(trades: TradeSeries, *names: str) -> list[np.ndarray]:
    return [np.asarray(getattr(trades, name)) for name in names]


def _sampled(time_ns: np.ndarray, price: np.ndarray) -> np.ndarray:
    first, last = -(-int(time_ns[0]) // SECOND), int(time_ns[-1]) // SECOND
    return price[np.searchsorted(time_ns, np.arange(first, last + 1) * SECOND, "right") - 1]


def _kernel(name: str, function: Any, plain: Any, arrays: tuple, note: str = "", tolerance: float = 1e-9) -> Group:
    """A kernel on the device beside numpy."""
    on_device = tuple(jnp.asarray(array) for array in arrays)
    kernel, first = compiled(function, *on_device)
    agree({name: kernel(*on_device)}, {name: plain()}, tolerance)

    def run():
        return jax.block_until_ready(kernel(*on_device))

    return Group([Case(f"quantjax {name}", run, note), Case(f"numpy {name}", plain), floor(*arrays)], first)
