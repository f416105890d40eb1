"""Books out of level updates in other tools: each takes the updates and gives the top levels after every `every`-th.

hftbacktest and order-book are no part of the extra `peers` (hftbacktest asks for an older numpy, though it runs with
this one): `pip install hftbacktest order-book`. All of them return `[time, side, level, (tick, size)]` float64, absent
levels 0.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from quantjax.lob import LevelUpdates

__all__ = ["dense_numba", "dict_book", "hftbacktest_roi", "order_book_c", "windowed_numpy"]


def dict_book(updates: LevelUpdates, every: int, levels: int) -> np.ndarray:
    """A dict a side, the top of it by `heapq` over its keys whenever it is read: what one writes first."""
    import heapq

    books: tuple[dict[int, float], dict[int, float]] = ({}, {})
    times = len(updates) // every
    out = np.zeros((times, 2, levels, 2))
    rows = list(zip(updates.side.tolist(), updates.tick.tolist(), updates.size.tolist(), strict=True))
    for time in range(times):
        for side, tick, size in rows[time * every : (time + 1) * every]:
            book = books[side < 0]
            if size > 0:
                book[tick] = size
            else:
                book.pop(tick, None)
        for number, (book, best) in enumerate(zip(books, (heapq.nlargest, heapq.nsmallest), strict=True)):
            ticks = best(levels, book)
            out[time, number, : len(ticks), 0] = ticks
            out[time, number, : len(ticks), 1] = [book[tick] for tick in ticks]
    return out


def windowed_numpy(updates: LevelUpdates, every: int, levels: int) -> np.ndarray:
    """numpy: an array of sizes a side over all ticks, one fancy assignment a block, and `flatnonzero` from the best
    on."""
    lowest = int(updates.tick.min())
    width = int(updates.tick.max()) - lowest + 1
    times, window = len(updates) // every, 4 * levels
    out = np.zeros((times, 2, levels, 2))
    for number, side in enumerate((1, -1)):
        cells = updates.tick - lowest if side < 0 else width - 1 - (updates.tick - lowest)
        sizes, best = np.zeros(width + window), width
        for time in range(times):
            rows = slice(time * every, (time + 1) * every)
            mine = updates.side[rows] == side
            cell, size = cells[rows][mine], updates.size[rows][mine]
            sizes[cell] = size  # numpy assigns in order: the last of a price stays
            added = cell[size > 0]
            best = min(best, int(added.min())) if len(added) else best
            reach = window
            while True:
                found = np.flatnonzero(sizes[best : best + reach])
                if len(found) >= levels or best + reach > width:
                    break
                reach *= 2
            found = best + found[:levels]
            best = int(found[0]) if len(found) else width
            tick = found + lowest if side < 0 else width - 1 - found + lowest
            out[time, number, : len(found), 0] = tick
            out[time, number, : len(found), 1] = sizes[found]
    return out


def dense_numba(updates: LevelUpdates, every: int, levels: int) -> np.ndarray:
    """numba: an array of sizes a side over all ticks, which lie in one range known beforehand, walked from the best
    on."""
    lowest = int(updates.tick.min())
    width = int(updates.tick.max()) - lowest + 1
    return _numba_kernel()(updates.side, updates.tick, updates.size, every, levels, lowest, width)


_COMPILED: dict[str, Callable[..., np.ndarray]] = {}


def _numba_kernel() -> Callable[..., np.ndarray]:
    from numba import njit

    if "dense" in _COMPILED:
        return _COMPILED["dense"]

    @njit(cache=False)
    def dense(side, tick, size, every, levels, lowest, width):
        times = len(side) // every
        bids, asks = np.zeros(width), np.zeros(width)
        best_bid, best_ask = -1, width
        out = np.zeros((times, 2, levels, 2))
        for time in range(times):
            for row in range(time * every, (time + 1) * every):
                cell = tick[row] - lowest
                if side[row] > 0:
                    bids[cell] = size[row]
                    if size[row] > 0 and cell > best_bid:
                        best_bid = cell
                else:
                    asks[cell] = size[row]
                    if size[row] > 0 and cell < best_ask:
                        best_ask = cell
            while best_bid >= 0 and bids[best_bid] == 0:
                best_bid -= 1
            while best_ask < width and asks[best_ask] == 0:
                best_ask += 1
            level, cell = 0, best_bid
            while level < levels and cell >= 0:
                if bids[cell] > 0:
                    out[time, 0, level, 0] = cell + lowest
                    out[time, 0, level, 1] = bids[cell]
                    level += 1
                cell -= 1
            level, cell = 0, best_ask
            while level < levels and cell < width:
                if asks[cell] > 0:
                    out[time, 1, level, 0] = cell + lowest
                    out[time, 1, level, 1] = asks[cell]
                    level += 1
                cell += 1
        return out

    _COMPILED["dense"] = dense
    return dense


def order_book_c(updates: LevelUpdates, every: int, levels: int) -> np.ndarray:
    """order-book, a sorted dict written in C; its `to_list`-like views are sorted when read."""
    book = import_module("order_book").OrderBook()  # not installed with the extras, so unknown to type checkers
    sides = {1: book.bids, -1: book.asks}
    times = len(updates) // every
    out = np.zeros((times, 2, levels, 2))
    rows = list(zip(updates.side.tolist(), updates.tick.tolist(), updates.size.tolist(), strict=True))
    for time in range(times):
        for side, tick, size in rows[time * every : (time + 1) * every]:
            half = sides[side]
            if size > 0:
                half[tick] = size
            elif tick in half:
                del half[tick]
        for number, half in enumerate((book.bids, book.asks)):
            for level in range(min(levels, len(half))):
                out[time, number, level] = half.index(level)
    return out


def hftbacktest_roi(updates: LevelUpdates, every: int, levels: int) -> Callable[[], np.ndarray]:
    """hftbacktest's `ROIVectorMarketDepth`: what is prepared (its events) apart from the run, which this gives.

    The run advances a back-test without orders from sample to sample and walks the depth from the best price by ticks.
    """
    library, kinds = import_module("hftbacktest"), import_module("hftbacktest.types")
    tick_size = float(updates.tick_size)
    events: Any = np.zeros(len(updates), kinds.event_dtype)
    side = np.where(updates.side > 0, kinds.BUY_EVENT, kinds.SELL_EVENT).astype(np.uint64)
    events["ev"] = side | np.uint64(kinds.DEPTH_EVENT | kinds.LOCAL_EVENT)
    events["exch_ts"] = events["local_ts"] = updates.time_ns + 1
    events["px"], events["qty"] = updates.tick * tick_size, updates.size
    lowest, highest = events["px"].min() - tick_size, events["px"].max() + tick_size
    walk = _hftbacktest_walk()
    step_ns = int(updates.time_ns[every] - updates.time_ns[0])
    first_ns = int(updates.time_ns[every - 1] - updates.time_ns[0])

    def run() -> np.ndarray:
        asset = (
            library.BacktestAsset()
            .data([events])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(tick_size)
            .lot_size(0.001)
            .roi_lb(lowest)
            .roi_ub(highest)
        )
        test = library.ROIVectorMarketDepthBacktest([asset])
        out = walk(test, len(updates) // every, levels, first_ns, step_ns)
        test.close()
        return out

    return run


def _hftbacktest_walk() -> Callable[..., np.ndarray]:
    from numba import njit

    if "hftbacktest" in _COMPILED:
        return _COMPILED["hftbacktest"]

    @njit
    def walk(test, times, levels, first_ns, step_ns):
        out = np.zeros((times, 2, levels, 2))
        for time in range(times):
            test.elapse(step_ns if time else first_ns)
            depth = test.depth(0)
            level, tick, lowest = 0, depth.best_bid_tick, depth.best_bid_tick - 1000 * levels
            while level < levels and tick > lowest:
                size = depth.bid_qty_at_tick(tick)
                if size > 0:
                    out[time, 0, level, 0] = tick
                    out[time, 0, level, 1] = size
                    level += 1
                tick -= 1
            level, tick, highest = 0, depth.best_ask_tick, depth.best_ask_tick + 1000 * levels
            while level < levels and tick < highest:
                size = depth.ask_qty_at_tick(tick)
                if size > 0:
                    out[time, 1, level, 0] = tick
                    out[time, 1, level, 1] = size
                    level += 1
                tick += 1
        return out

    _COMPILED["hftbacktest"] = walk
    return walk
