"""Workload: order flow of 1,000,000 books x 10 levels, its sums over 10,000 intervals, a fit of Stoikov's micro-price.

Cases, for float64 and float32: `order_flow_series` on `[time, level]` arrays that lie on the device, the same
arithmetic on `[level, time]`, `order_flow_imbalance` from numpy arrays to numpy results, `fit_stoikov_microprice`, each
beside numpy that works in blocks which fit the cache, and the floor: the time to read the inputs once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Case, Timing, disagreements, time_cases, write_results
from benchmarks.inputs import TICK_SIZE, random_books
from quantjax import lob
from quantjax.lob import flow

__all__ = ["main"]

COUNT, LEVELS, INTERVALS = 1_000_000, 10, 10_000
BINS, MAX_SPREAD = 10, 8
BLOCK = 4096
# Agreement with numpy, relative and absolute: events are exact, sums over a hundred events round.
AGREEMENT = {np.float64: (1e-12, 1e-9), np.float32: (1e-4, 1e-2)}
WHY = (
    "order_flow_series writes its results (80 MB in float64) into fresh memory, whose first touch costs about what "
    "the arithmetic does. The driver takes numpy blocks: the copies into XLA's buffers, four a block, and the zeroed "
    "sums of each block cost more than the flow itself, while numpy, blocked so that everything stays in the cache, "
    "reads them where they lie; a second thread makes up for that only where the machine has one to spare. The fit "
    "is numpy as well, so that no length of series has to be compiled for; what it takes more than the numpy case is "
    "the search for invalid books and for prices off the grid, which that leaves out."
)


def main(path: Path, *, repeats: int = 15, say: Callable[[str], None] = print) -> None:
    """Run all cases and write the JSON."""
    facts: dict[str, Any] = {"books": COUNT, "levels": LEVELS, "intervals": INTERVALS, "cells": BINS * MAX_SPREAD}
    timings: list[Timing] = []
    summary: dict[str, Any] = {}
    for dtype in (np.float64, np.float32):
        name = np.dtype(dtype).name
        say(f"{name}: {COUNT:,} books x {LEVELS} levels")
        book = random_books(COUNT, LEVELS, dtype=dtype)
        series = lob.BookSeries(np.arange(COUNT, dtype=np.int64), book, "BENCH", TICK_SIZE)
        edges = np.linspace(0, COUNT - 1, INTERVALS + 1).astype(np.int64)
        _check(series, edges, dtype)
        measured = time_cases(_cases(series, edges, name), repeats=repeats, say=say)
        timings += measured
        summary[name] = _summary(measured, book, name)
        say("   ".join(f"{key}: {value}" for key, value in summary[name].items()))
    won = all(value >= 1 for row in summary.values() for key, value in row.items() if key.endswith("times_numpy"))
    write_results(path, "order_flow", timings, **facts, summary=summary, faster_than_numpy=won, why=WHY)


def _cases(series: lob.BookSeries, edges: np.ndarray, dtype: str) -> list[Case]:
    on_device = jax.tree.map(jnp.asarray, series.book)
    level_major = jax.tree.map(lambda array: jnp.asarray(np.ascontiguousarray(array.T)), series.book)
    kernel, turned = jax.jit(flow.order_flow_series), jax.jit(_level_major)
    total = jax.jit(lambda book: [array.sum() for array in jax.tree.leaves(book)])
    cases = {
        "floor": (lambda: total(on_device), "sum of the four input arrays, all threads"),
        "quantjax flow": (lambda: kernel(on_device), "[time, level], on the device"),
        "quantjax flow level-major": (lambda: turned(level_major), "[level, time], on the device"),
        "numpy flow": (lambda: _numpy_flow(series.book), "[time, level], blocks"),
        "quantjax intervals": (lambda: flow.order_flow_imbalance(series, edges, levels=LEVELS), "numpy to numpy"),
        "numpy intervals": (lambda: _numpy_intervals(series.book, edges), "blocks of events, reduceat"),
        "quantjax stoikov": (lambda: _fit(series), "numpy to model, best level"),
        "numpy stoikov": (lambda: _numpy_stoikov(series.book), "bincount, the same algebra"),
    }
    return [Case(f"{name} {dtype}", _blocking(run), note) for name, (run, note) in cases.items()]


def _blocking(run: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: jax.block_until_ready(run())


def _level_major(book: lob.Book) -> jax.Array:
    """Order flow `[level, time - 1]` of arrays `[level, time]`: elementwise, so the axes may stand for anything."""
    before = jax.tree.map(lambda array: array[:, :-1], book)
    return flow.order_flow(before, jax.tree.map(lambda array: array[:, 1:], book))


def _fit(series: lob.BookSeries) -> flow.StoikovMicroprice:
    return flow.fit_stoikov_microprice(series, imbalance_bins=BINS, max_spread_ticks=MAX_SPREAD)


def _numpy_flow(book: lob.Book) -> np.ndarray:
    """Order flow by event, block by block, the results in one array."""
    out = np.empty_like(book.bid_price)
    out[0] = 0
    for start in range(0, len(out) - 1, BLOCK):
        rows = slice(start, min(start + BLOCK, len(out) - 1) + 1)
        _numpy_events(*(np.asarray(array)[rows] for array in jax.tree.leaves(book)), out=out[start + 1 : rows.stop])
    return out


def _numpy_events(bid_price, bid_size, ask_price, ask_size, *, out: np.ndarray) -> None:
    bid = np.where(bid_size > 0, bid_price, -np.inf)
    ask = np.where(ask_size > 0, ask_price, np.inf)
    np.multiply(bid[1:] >= bid[:-1], bid_size[1:], out=out)
    out -= (bid[1:] <= bid[:-1]) * bid_size[:-1]
    out -= (ask[1:] <= ask[:-1]) * ask_size[1:]
    out += (ask[1:] >= ask[:-1]) * ask_size[:-1]


def _numpy_intervals(book: lob.Book, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Flow and mean depth of the books `edges[k]` + 1 ... `edges[k+1]`, about BLOCK books at a time."""
    arrays = [np.asarray(array) for array in jax.tree.leaves(book)]
    ofi = np.empty((len(edges) - 1, book.levels), arrays[0].dtype)
    depth = np.empty_like(ofi)
    step = max(1, BLOCK * (len(edges) - 1) // len(arrays[0]))
    for first in range(0, len(ofi), step):
        last = min(first + step, len(ofi))
        rows = slice(edges[first], edges[last] + 1)
        starts = edges[first:last] - edges[first]
        part = [array[rows] for array in arrays]
        events = np.empty_like(part[0][1:])
        _numpy_events(*part, out=events)
        ofi[first:last] = np.add.reduceat(events, starts, axis=0)
        sizes = part[1][1:] + part[3][1:]
        depth[first:last] = np.add.reduceat(sizes, starts, axis=0)
    depth *= 0.5 / np.diff(edges)[:, None]
    return {"ofi": ofi, "depth": depth}


def _numpy_stoikov(book: lob.Book) -> np.ndarray:
    """G* by bincounts of the cells, `expected_moves` for the algebra."""
    bid, bid_size, ask, ask_size = (np.asarray(array)[:, 0] for array in jax.tree.leaves(book))
    known = (bid_size > 0) & (ask_size > 0)
    bid, ask = (np.rint(price[known] / bid.dtype.type(TICK_SIZE)).astype(np.int32) for price in (bid, ask))
    bid_size, ask_size = bid_size[known], ask_size[known]
    lean = (bid_size - ask_size) / (bid_size + ask_size)
    steps = np.ceil(np.abs(lean) * (0.5 * BINS) - 4 * BINS * np.finfo(lean.dtype).eps).clip(1, BINS // 2)
    bins = BINS + 1
    cell = (np.minimum(ask - bid, MAX_SPREAD) - 1) * bins + (BINS // 2 + np.sign(lean) * steps).astype(np.int32)
    jump = np.diff(bid + ask)
    cells = MAX_SPREAD * bins
    pair = cell[:-1] * cells + cell[1:] + np.where(jump != 0, cells**2, 0)
    shape = (MAX_SPREAD, bins)
    unmoved, moved = np.bincount(pair, minlength=2 * cells**2).reshape(2, *shape, *shape)
    jumps = np.bincount(cell[:-1], weights=jump, minlength=cells)
    return flow.expected_moves(unmoved, moved, 0.5 * jumps.reshape(shape), shrinkage=100.0).adjustment


def _check(series: lob.BookSeries, edges: np.ndarray, dtype: type) -> None:
    """Raise where quantjax and numpy disagree."""
    relative, absolute = AGREEMENT[dtype]
    ours = flow.order_flow_imbalance(series, edges, levels=LEVELS)
    turned = _level_major(jax.tree.map(lambda array: jnp.asarray(array.T), series.book)).T
    results = {
        "flow": flow.order_flow_series(series),
        "flow level-major": turned,
        "ofi": ours.ofi,
        "depth": ours.depth,
        "stoikov": _fit(series).adjustment,
    }
    expected = {"flow": _numpy_flow(series.book), **_numpy_intervals(series.book, edges)}
    expected |= {"flow level-major": expected["flow"][1:], "stoikov": _numpy_stoikov(series.book)}
    if found := disagreements(results, expected, relative=relative, absolute=absolute):
        raise AssertionError(f"quantjax and numpy disagree, by number of elements: {found}")


def _summary(timings: list[Timing], book: lob.Book, dtype: str) -> dict[str, Any]:
    """The figures one asks for first."""
    times = {timing.name.removesuffix(f" {dtype}"): timing for timing in timings}
    moved = sum(array.nbytes for array in jax.tree.leaves(book)) + book.bid_price.nbytes
    return {
        "flow_times_numpy": times["quantjax flow"].ratios[f"numpy flow {dtype}"],
        "flow_level_major_times_numpy": times["quantjax flow level-major"].ratios[f"numpy flow {dtype}"],
        "intervals_times_numpy": times["quantjax intervals"].ratios[f"numpy intervals {dtype}"],
        "stoikov_times_numpy": times["quantjax stoikov"].ratios[f"numpy stoikov {dtype}"],
        "flow_over_floor": round(times["quantjax flow"].median_ms / times["floor"].median_ms, 1),
        "flow_gigabytes_per_second": round(moved / times["quantjax flow"].median_ms / 1e6, 1),
    }
