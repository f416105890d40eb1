"""Series of any length through kernels of few lengths: blocks of powers of two, so that few shapes are compiled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from quantjax.lob.bars.aggregate import BarValues, aggregate_bars
from quantjax.lob.cores import usable_cores

__all__ = ["Columns", "aggregate_blocks", "blocks_of", "closing_rows", "in_parallel", "on_cpu", "pieces"]

# price, size, side, and the first and stop of the bars.
Columns = tuple[Any, Any, Any, np.ndarray, np.ndarray]

# Large enough that the call of a kernel does not count, small enough for a copy of the block to stay in the cache.
_TRADES = (1 << 10, 1 << 18)
_BARS = (1 << 8, 1 << 15)
_thread = threading.local()


def in_parallel(function: Callable[[Any], Any], items: Sequence[Any], *, first_alone: bool = False) -> list[Any]:
    """The function of each item, on all cores: XLA runs a loop on one thread, and numpy everything.

    `first_alone`: the first before all others, so that threads do not compile the same kernel. Called by a function
    that is itself run in parallel it is a plain loop: never more threads than cores.
    """
    workers = min(usable_cores(), len(items) - first_alone)
    if workers < 2 or getattr(_thread, "of_a_pool", False):
        return [function(item) for item in items]
    first = [function(items[0])] if first_alone else []
    with ThreadPoolExecutor(workers, initializer=setattr, initargs=(_thread, "of_a_pool", True)) as pool:
        return [*first, *pool.map(function, items[len(first) :])]


def on_cpu() -> AbstractContextManager[Any]:
    """In this context kernels run on the CPU: a scan from trade to trade is launches and nothing else to a GPU."""
    if jax.default_backend() == "cpu":
        return nullcontext()
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:
        # JAX_PLATFORMS names a GPU alone.
        return nullcontext()


def _block_length(wanted: int, bounds: tuple[int, int]) -> int:
    """The power of two that holds `wanted`, within the bounds."""
    smallest, largest = bounds
    return min(max(1 << max(wanted - 1, 0).bit_length(), smallest), largest)


def pieces(total: int) -> list[slice]:
    """Slices of the length of a block that cover so many rows."""
    return [slice(start, start + _TRADES[1]) for start in range(0, total, _TRADES[1])]


def _padded(array: np.ndarray, length: int) -> np.ndarray:
    return array if len(array) == length else np.pad(array, (0, length - len(array)))


def blocks_of(*arrays: np.ndarray) -> Iterator[tuple[int, int, list[np.ndarray]]]:
    """Blocks of arrays of one length: their first row, the number of rows, and the rows with zeros after them."""
    total = len(arrays[0])
    length = _block_length(total, _TRADES)
    for start in range(0, total, length):
        count = min(length, total - start)
        yield start, count, [_padded(array[start : start + length], length) for array in arrays]


def closing_rows(step: Callable[[Any, np.ndarray, int], tuple[Any, Any]], state: Any, amount: np.ndarray) -> np.ndarray:
    """Rows that close a bar, from a `step(state, block, count) -> state, closes` that goes from block to block, on the
    CPU whatever the default device."""
    found = []
    with on_cpu():
        state = jax.tree.map(np.asarray, state)
        for start, count, (block,) in blocks_of(amount):
            state, closes = step(state, block, count)
            found.append(np.flatnonzero(np.asarray(closes)[:count]) + start)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


_aggregate = jax.jit(aggregate_bars)


def aggregate_blocks(series: Sequence[Columns]) -> list[BarValues]:
    """`aggregate_bars` of each series, all in blocks on all cores; a bar is never cut. Numpy arrays `[bar]`."""
    blocks = [(row, block) for row, one in enumerate(series) for block in _bar_blocks(one[3], one[4], len(one[0]))]

    def run(item: tuple[int, tuple[int, int, int, int]]) -> BarValues:
        row, (begin, end, start, length) = item
        *trades, first, stop = series[row]
        trades = [_padded(array[start : start + length], length) for array in trades]
        # Bars after the last are empty: they begin where it stops.
        cuts = np.full((2, _block_length(len(first), _BARS)), stop[end - 1] - start, np.int32)
        cuts[:, : end - begin] = first[begin:end] - start, stop[begin:end] - start
        values = _aggregate(*trades, *cuts)
        return jax.tree.map(lambda array: np.asarray(array)[: end - begin], values)

    # A GPU has one queue.
    done = in_parallel(run, blocks, first_alone=True) if jax.default_backend() == "cpu" else list(map(run, blocks))
    parts: list[list[BarValues]] = [[] for _ in series]
    for (row, _), values in zip(blocks, done, strict=True):
        parts[row].append(values)
    return [_joined(found, one) for found, one in zip(parts, series, strict=True)]


def _joined(parts: list[BarValues], series: Columns) -> BarValues:
    if not parts:
        shapes = jax.eval_shape(_aggregate, *series[:3], *(np.zeros(0, np.int32),) * 2)
        return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), shapes)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts) if len(parts) > 1 else parts[0]


def _bar_blocks(first: np.ndarray, stop: np.ndarray, trades: int) -> Iterator[tuple[int, int, int, int]]:
    """Blocks of whole bars: first bar, bar after the last, first trade, number of trades."""
    usual, most_bars = _block_length(trades, _TRADES), _block_length(len(first), _BARS)
    begin = 0
    while begin < len(first):
        start = int(first[begin])
        end = begin + int(np.searchsorted(stop[begin : begin + most_bars], start + usual, side="right"))
        length = usual
        if end == begin:
            # A bar longer than a block is a block of its own.
            end, length = begin + 1, 1 << (int(stop[begin]) - start - 1).bit_length()
        # The last block ends with the last trade, which saves the copy that padding is.
        yield begin, end, min(start, max(trades - length, 0)), length
        begin = end
