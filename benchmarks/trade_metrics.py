"""Workload: 1,000,000 trades beside 1,000,000 books of one level, float64; and 1,000 symbols x 1,000 returns.

Drivers over the recording: the join of trades to books (and the search for rows alone), trade costs at three horizons,
imbalance by interval, illiquidity, VPIN by true sides and by bulk classification, sampling and realised variances.
Kernels: Lee & Ready's signs, the exact split of the spread, Roll's and Corwin & Schultz's spreads, rolling imbalance,
and three variances in one call. Each beside vectorised numpy that gives the same numbers; beside the join, pandas'
merge_asof. The floor of a group is the time to read its inputs once; the first calls of drivers are timed apart.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import trade_drivers as drivers
from benchmarks.harness import Case, Timing, time_cases, write_results
from benchmarks.trade_groups import COUNT, LOT_SIZE, Group, agree, compiled, first_calls, floor, inputs
from quantjax import lob
from quantjax.lob.trades import (
    TradeSeries,
    bipower_variation,
    join_trades,
    lee_ready,
    realised_variance,
    split_spread_bps,
    split_volume,
    two_scale_variance,
    vpin,
    vpin_of_buckets,
)
from quantjax.lob.trades.join import as_of_rows

__all__ = ["main"]

SYMBOLS, RETURNS, SCALE = 1_000, 1_000, 100
BUCKET_LOTS, WINDOW = 1_000_000, 50


def main(path: Path, *, repeats: int = 15, say: Callable[[str], None] = print) -> None:
    """Run all groups and write the JSON."""
    trades, series = inputs()
    timings: list[Timing] = []
    summary: dict[str, Any] = {}
    groups: dict[str, Callable[[], Group]] = {
        "join": lambda: _join(trades, series),
        "lee_ready": lambda: _lee_ready(trades),
        "split_spread": lambda: _split_spread(trades),
        "trade_costs": lambda: drivers.costs(trades, series),
        "roll": lambda: drivers.roll(trades),
        "corwin_schultz": drivers.corwin_schultz,
        "rolling_imbalance": lambda: drivers.rolling(trades),
        "imbalance_by_interval": lambda: drivers.by_interval(trades),
        "illiquidity": lambda: drivers.illiquid(trades),
        "vpin": lambda: _vpin(trades),
        "bulk_vpin": lambda: drivers.bulk(trades),
        "sample_prices": lambda: drivers.sampling(trades),
        "variances": _variances,
        "realised_variances": lambda: drivers.variance_driver(trades),
    }
    for name, make in groups.items():
        say(f"{name}")
        group = make()
        measured = time_cases(group.cases, repeats=repeats, say=say)
        timings += measured
        summary[name] = _summary(measured) | group.first
        say("   ".join(f"{key}: {value}" for key, value in summary[name].items()))
    facts = {"trades": COUNT, "books": COUNT, "symbols": SYMBOLS, "returns": RETURNS, "scale": SCALE, "window": WINDOW}
    write_results(path, "trade_metrics", timings, **facts, summary=summary, targets=_targets(summary))


WHY = {
    "join": "Both search for rows by numpy's binary search. The driver does it in blocks on all cores, then gathers "
    "four columns as the peer does, and checks that the books are in time order, flags and counts what is not as it "
    "should be, which the peer does not.",
    "merge_asof": "pandas walks both tables once in a compiled loop where numpy can only search, and flags nothing.",
    "variances": "Numpy's cumulative sum along rows is a single pass; XLA's is slow, and the blocked product with a "
    "triangular matrix that takes its place writes its result and reads it again.",
    "trade_costs": "The join and the three mids after it cost as much as the peer's; checks of prices, sizes and "
    "sides, six flags and four counts a horizon, and the steps on which effective = realised + impact exactly "
    "come on top.",
    "rolling_imbalance": "The peer takes differences of cumulative sums, which lose the digits of small windows after "
    "large totals and carry a NaN to the end; the kernel adds up each window by doubling, in six passes over each of "
    "three volumes.",
    "corwin_schultz": "Both are bound by a million logarithms and square roots.",
    "illiquidity": "Both sum by interval in numpy; the driver checks prices, sizes, sides and times first, and gives "
    "standard errors, which the peer does not.",
    "bulk_vpin": "The driver checks prices, sizes and sides and turns sizes into whole lots and proves them whole; the "
    "peer is told that all is well and starts from lots.",
    "sample_prices": "The driver checks that times never go back and looks for NaN, a pass over the data each; the "
    "peer only searches.",
    "realised_variances": "The path is the sum of log1p of relative changes, which keeps the digits of float32 prices, "
    "where the peer takes logarithms of prices; and the driver checks order, NaN and signs of prices.",
    "vpin": "The driver checks prices, sizes and sides, turns sizes into whole lots and proves them whole, and counts; "
    "the peer is told that all is well and starts from lots. Both take prefix sums in numpy, which has a faster cumsum "
    "on a CPU than XLA: the kernel on the device is for vmap and for GPUs.",
}


def _targets(summary: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What was aimed at on a CPU, and whether this run met it: no slower than numpy, and why where it is."""
    targets: dict[str, Any] = {}
    for name, found in summary.items():
        got = found["times_numpy"]
        # Without a reason that is known, none is given.
        why = "" if got >= 1 else WHY.get(name, "not known")
        targets[f"{name}_times_numpy"] = {"aim": 1.0, "got": got, "met": got >= 1, "why": why}
    if (got := summary["join"].get("times_pandas merge_asof")) is not None:
        why = "" if got >= 1 else WHY["merge_asof"]
        targets["join_times_merge_asof"] = {"aim": 1.0, "got": got, "met": got >= 1, "why": why}
    return targets


def _summary(timings: list[Timing]) -> dict[str, Any]:
    """The first case against numpy, and against the floor."""
    ours, numpy_timing, floor = (
        next(timing for timing in timings if timing.name.startswith(kind)) for kind in ("quantjax", "numpy", "floor")
    )
    return {
        "median_ms": ours.median_ms,
        "times_numpy": ours.ratios[numpy_timing.name],
        "over_floor": round(ours.median_ms / floor.median_ms, 1),
        **{f"times_{t.name}": ours.ratios[t.name] for t in timings if t.name.startswith("pandas")},
    }


def _join(trades: TradeSeries, series: lob.BookSeries) -> Group:
    book_ns, trade_ns, book = (np.asarray(series.time_ns), np.asarray(trades.time_ns), series.book)
    columns = [np.asarray(a)[:, 0] for a in (book.bid_price, book.ask_price, book.bid_size, book.ask_size)]

    def plain() -> dict[str, np.ndarray]:
        row = np.searchsorted(book_ns, trade_ns) - 1
        known = row >= 0
        bid, ask, bid_size, ask_size = (np.where(known, column[row], np.nan) for column in columns)
        age_s = np.where(known, 1e-9 * (trade_ns - book_ns[row]), np.nan)
        mid = 0.5 * (bid + ask)
        return {"row": row, "bid": bid, "ask": ask, "mid": mid, "age_s": age_s, "sizes": bid_size + ask_size}

    first = first_calls(lambda trades: join_trades(trades, series), trades)
    joined = join_trades(trades, series)
    expected = plain()
    names = ("row", "bid", "ask", "mid", "age_s")
    agree({name: getattr(joined, name) for name in names}, {name: expected[name] for name in names})
    cases = [
        Case("quantjax join", lambda: join_trades(trades, series), "row, touch, mid, age, six flags"),
        Case("quantjax rows", lambda: as_of_rows(book_ns, trade_ns, allow_equal=False), "rows alone"),
        Case("numpy join", plain, "searchsorted, touch, mid, age"),
        Case("numpy rows", lambda: np.searchsorted(book_ns, trade_ns) - 1, "searchsorted alone"),
        floor(book_ns, trade_ns, *columns),
    ]
    try:
        import pandas as pd
    except ImportError:
        return Group(cases, first)
    left = pd.DataFrame({"time": trade_ns})
    right = pd.DataFrame({"time": book_ns, "bid": columns[0], "ask": columns[1], "b": columns[2], "a": columns[3]})

    def merge():
        return pd.merge_asof(left, right, on="time", allow_exact_matches=False)

    agree({"bid": joined.bid}, {"bid": merge()["bid"]})
    return Group([*cases, Case("pandas merge_asof", merge, "touch")], first)


def _mids(trades: TradeSeries) -> tuple[np.ndarray, np.ndarray]:
    """Mids before and after the trades: at half ticks around their prices, a tenth at the price."""
    rng = np.random.default_rng(1)
    price = np.asarray(trades.price)
    before, after = (price + 0.005 * rng.integers(-3, 4, COUNT) for _ in range(2))
    return np.where(rng.random(COUNT) < 0.1, price, before), after


def _lee_ready(trades: TradeSeries) -> Group:
    price, (mid, _) = np.asarray(trades.price), _mids(trades)

    def plain() -> np.ndarray:
        change = np.sign(np.diff(price, prepend=price[:1])).astype(np.int8)
        last = np.maximum.accumulate(np.where(change != 0, np.arange(COUNT), 0))
        quote = np.sign(price - mid).astype(np.int8)
        return np.where(quote != 0, quote, change[last])

    on_device = (jnp.asarray(price), jnp.asarray(mid))
    kernel, first = compiled(lee_ready, *on_device)
    agree({"sign": kernel(*on_device)}, {"sign": plain()}, 0.0)
    cases = [
        Case("quantjax lee_ready", lambda: jax.block_until_ready(kernel(*on_device))),
        Case("numpy lee_ready", plain),
        floor(price, mid),
    ]
    return Group(cases, first)


def _split_spread(trades: TradeSeries) -> Group:
    price, side, (mid, future) = np.asarray(trades.price), np.asarray(trades.side), _mids(trades)

    def plain() -> dict[str, np.ndarray]:
        scale = 2e4 * side / mid
        return {
            "effective": scale * (price - mid),
            "realised": scale * (price - future),
            "impact": scale * (future - mid),
        }

    arguments = tuple(jnp.asarray(array) for array in (price, side, mid, future))
    kernel, first = compiled(split_spread_bps, *arguments)
    parts = kernel(*arguments)
    agree({name: getattr(parts, name) for name in ("effective", "realised", "impact")}, plain())
    if not bool((parts.effective == parts.realised + parts.impact).all()):
        raise AssertionError("expected effective = realised + impact to the last bit")
    cases = [
        Case("quantjax split_spread_bps", lambda: jax.block_until_ready(kernel(*arguments)), "sums exact"),
        Case("numpy split_spread", plain, "sums up to rounding"),
        floor(*arguments),
    ]
    return Group(cases, first)


def _vpin(trades: TradeSeries) -> Group:
    lots, bought = np.rint(np.asarray(trades.size) / LOT_SIZE).astype(np.int64), np.asarray(trades.side) > 0
    num_buckets = int(lots.sum()) // BUCKET_LOTS

    def plain() -> np.ndarray:
        total, buy = np.cumsum(lots), np.cumsum(np.where(bought, lots, 0))
        edges = np.arange(num_buckets + 1) * BUCKET_LOTS
        row = np.searchsorted(total, edges)
        buy_at = buy[row] - np.where(bought[row], total[row] - edges, 0)
        one_sided = np.abs(2 * np.diff(buy_at) - BUCKET_LOTS)
        sums = np.cumsum(np.concatenate([[0], one_sided]))
        value = np.full(num_buckets, np.nan)
        value[WINDOW - 1 :] = (sums[WINDOW:] - sums[:-WINDOW]) / (WINDOW * BUCKET_LOTS)
        return value

    def buckets_to_vpin(lots: jax.Array, share: jax.Array, known: jax.Array) -> jax.Array:
        buckets = split_volume(lots, share, known, BUCKET_LOTS, num_buckets)
        buy, sell = (jnp.asarray(volume, float) for volume in (buckets.buy, buckets.sell))
        return vpin_of_buckets(buy, sell, float(BUCKET_LOTS), WINDOW)

    def driver(trades):
        return vpin(trades, BUCKET_LOTS * LOT_SIZE, window=WINDOW, lot_size=LOT_SIZE)

    first = first_calls(driver, trades)
    arguments = jnp.asarray(lots), jnp.asarray(bought), jnp.ones(COUNT, bool)
    kernel, of_kernel = compiled(buckets_to_vpin, *arguments)
    expected = plain()
    agree({"driver": driver(trades).vpin, "kernel": kernel(*arguments)}, {"driver": expected, "kernel": expected})
    cases = [
        Case("quantjax vpin", lambda: driver(trades), "from TradeSeries: checks, lots, buckets, VPIN, counts"),
        Case("quantjax vpin kernel", lambda: jax.block_until_ready(kernel(*arguments)), "from lots on the device"),
        Case("numpy vpin", plain, "from lots, unchecked"),
        floor(*arguments),
    ]
    return Group(cases, first | of_kernel)


def _variances() -> Group:
    returns = 1e-3 * np.random.default_rng(2).normal(size=(SYMBOLS, RETURNS))

    def plain() -> dict[str, np.ndarray]:
        realised = np.einsum("ij,ij->i", returns, returns)
        size = np.abs(returns)
        bipower = 0.5 * np.pi * RETURNS / (RETURNS - 1) * np.einsum("ij,ij->i", size[:, 1:], size[:, :-1])
        path = np.zeros((SYMBOLS, RETURNS + 1))
        np.cumsum(returns, axis=1, out=path[:, 1:])
        slow = path[:, SCALE:] - path[:, :-SCALE]
        share = (RETURNS - SCALE + 1) / SCALE / RETURNS
        two_scale = (np.einsum("ij,ij->i", slow, slow) / SCALE - share * realised) / (1 - share)
        return {"realised": realised, "bipower": bipower, "two_scale": two_scale}

    def variances(returns: jax.Array) -> dict[str, jax.Array]:
        return {
            "realised": realised_variance(returns),
            "bipower": bipower_variation(returns),
            "two_scale": two_scale_variance(returns, SCALE),
        }

    on_device = jnp.asarray(returns)
    kernel, first = compiled(variances, on_device)
    agree(kernel(on_device), plain())
    cases = [
        Case("quantjax variances", lambda: jax.block_until_ready(kernel(on_device)), "one jit"),
        Case("numpy variances", plain),
        floor(returns),
    ]
    return Group(cases, first)
