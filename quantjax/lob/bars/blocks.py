"""Series of any length through kernels of few lengths: blocks of powers of two, so that few shapes are compiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from quantjax.lob.bars.aggregate import BarValues, aggregate_bars

__all__ = ["aggregate_blocks", "blocks_of", "closing_rows", "in_parallel", "pieces"]

# Large enough that the call of a kernel does not count, small enough for a copy of the block to stay in the cache.
_TRADES = (1 << 10, 1 << 18)
_BARS = (1 << 8, 1 << 15)


def in_parallel(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The function of each item, on all cores: XLA runs a loop on one thread, and numpy everything."""
    if len(items) < 2:
        return [function(item) for item in items]
    # The first alone, so that threads do not compile the same kernel.
    first = function(items[0])
    with ThreadPoolExecutor(os.cpu_count() if jax.default_backend() == "cpu" else 1) as pool:
        return [first, *pool.map(function, items[1:])]


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
    """Rows that close a bar, from a `step(state, block, count) -> state, closes` that goes from block to block."""
    found = []
    for start, count, (block,) in blocks_of(amount):
        state, closes = step(state, block, count)
        found.append(np.flatnonzero(np.asarray(closes)[:count]) + start)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


_aggregate = jax.jit(aggregate_bars)


def aggregate_blocks(
    price: np.ndarray, size: np.ndarray, side: np.ndarray, first: np.ndarray, stop: np.ndarray
) -> BarValues:
    """`aggregate_bars` of numpy arrays, block by block on all cores; a bar is never cut. Numpy arrays `[bar]`."""
    blocks = list(_bar_blocks(first, stop, len(price)))
    bars = _block_length(len(first), _BARS)

    def run(block: tuple[int, int, int, int]) -> BarValues:
        begin, end, start, length = block
        trades = [_padded(array[start : start + length], length) for array in (price, size, side)]
        # Bars after the last are empty: they begin where it stops.
        cuts = np.full((2, bars), stop[end - 1] - start, np.int32)
        cuts[:, : end - begin] = first[begin:end] - start, stop[begin:end] - start
        values = _aggregate(*trades, *cuts)
        return jax.tree.map(lambda array: np.asarray(array)[: end - begin], values)

    if not blocks:
        shapes = jax.eval_shape(_aggregate, price, size, side, *(np.zeros(0, np.int32),) * 2)
        return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), shapes)
    done = in_parallel(run, blocks)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *done) if len(done) > 1 else done[0]


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
