"""`reconstruct`: books at given times out of a snapshot and a stream of level updates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from quantjax.lob.book import Book, BookSeries
from quantjax.lob.reconstruction.kernel import LevelCodes, Plan, encode, last_updates, source_rows
from quantjax.lob.reconstruction.price_grid import PriceGrid, price_grid
from quantjax.lob.reconstruction.rows import block_length, find_rows, lanes_that_fit, prepare
from quantjax.lob.reconstruction.validation import refuse_faults
from quantjax.lob.ticks import tick_prices
from quantjax.lob.updates import LevelUpdates
from quantjax.numerics.arguments import nanoseconds, whole_number

__all__ = ["reconstruct"]

Array = jax.Array | np.ndarray

_MAX_UPDATES = 1 << 30  # their numbers are int32, shifted by a bit


def reconstruct(
    snapshot: LevelUpdates,
    updates: LevelUpdates,
    at: Array,
    levels: int = 20,
    *,
    grid: PriceGrid | None = None,
    lanes: int | None = None,
) -> BookSeries:
    """The best `levels` of each side at each time: the snapshot, and every update of a time up to and with that one.

    book_t = {p: q_p > 0}, q_p the size that the last update of price p up to t set, sorted: exactly what a dict of the
    levels gives, however deep the book and however far its prices move; a crossed book stays crossed.

    Arguments: `snapshot`, every level of the book that the updates start from (`updates[:0]` for an empty one);
    `updates`, in order of time, none before the snapshot (those of its very time come after it); `at`, int64
    nanoseconds or datetimes `[time]`, in order: after the last update the last book stands, whether or not the venue's
    did; `levels` of a side to give. `grid`: the prices that there are, from `lob.price_grid`; found by looking at them
    unless traced. `lanes`: pieces of the stream that are worked on side by side; chosen by the device.

    Returns a `lob.BookSeries` with `time_ns = at`: numpy arrays, JAX's under tracing. Its sizes are differentiable with
    respect to the updates' (a size is that of the update that set it); prices and the choice of levels are not.

    Raises TypeError for what is no LevelUpdates (a missing snapshot, say) and for `at`; ValueError for symbols, tick
    sizes or dtypes that differ, updates out of order or before the snapshot, negative sizes and others that are not
    finite, unknown sides, prices that a given `grid` lacks, and times before the snapshot's, when the book is not
    known. Under tracing no values are looked at (`lob.check_updates` does on the host): books before the snapshot, and
    those of a stream with prices that the grid lacks, are NaN in price and size, and so is a level of negative size.

    Per item: batch over symbols and days with `lob.stack_streams`, whose result `jax.vmap` takes.

    >>> side, tick, size = np.array([1, 1, -1]), np.array([9_999, 9_998, 10_001]), np.array([5.0, 7.0, 3.0])
    >>> snapshot = LevelUpdates(np.zeros(3, np.int64), side, tick, size, 0.01, "XYZ")
    >>> side, tick, size = np.array([1, -1]), np.array([9_999, 10_002]), np.array([0.0, 4.0])
    >>> updates = LevelUpdates(np.array([10, 20]), side, tick, size, 0.01, "XYZ")
    >>> series = reconstruct(snapshot, updates, np.array([0, 10, 20]), levels=2)
    >>> series.book.bid_price[:, 0], series.book.ask_size
    (array([99.99, 99.98, 99.98]), array([[3., 0.],
           [3., 0.],
           [3., 4.]]))
    """
    _refuse_streams(snapshot, updates)
    levels, lanes = whole_number(levels, "levels"), None if lanes is None else whole_number(lanes, "lanes")
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((snapshot, updates, at, grid))):
        return _traced(snapshot, updates, at, levels, grid, lanes)
    return _on_host(snapshot, updates, nanoseconds(at, "at"), levels, grid, lanes)


def _refuse_streams(snapshot: LevelUpdates, updates: LevelUpdates) -> None:
    """Raise for what is known before any value is."""
    for name, stream in (("snapshot", snapshot), ("updates", updates)):
        if not isinstance(stream, LevelUpdates):
            raise TypeError(
                f"expected {name} as a lob.LevelUpdates, got {type(stream).__name__}; a book that starts empty has "
                "the snapshot updates[:0]"
            )
    if snapshot.symbol != updates.symbol:
        raise ValueError(f"expected one symbol, got a snapshot of {snapshot.symbol} and updates of {updates.symbol}")
    if snapshot.size.dtype != updates.size.dtype:
        raise ValueError(
            f"expected sizes of one dtype, got a snapshot of {snapshot.size.dtype} and updates of {updates.size.dtype}"
        )
    if len(snapshot) + len(updates) >= _MAX_UPDATES:
        raise ValueError(f"expected fewer than {_MAX_UPDATES:,} updates, got {len(updates):,}; take them in pieces")


def _traced(snapshot, updates, at, levels: int, grid: PriceGrid | None, lanes: int | None) -> BookSeries:
    if not jax.config.read("jax_enable_x64"):
        raise ValueError(
            "expected JAX's x64 mode under tracing, since times are int64 nanoseconds; call "
            "jax.config.update('jax_enable_x64', True) at the start (float32 sizes give float32 books with it too), or "
            "reconstruct one stream at a time from numpy arrays, which needs no x64 mode"
        )
    if grid is None:
        raise ValueError(
            "expected grid under tracing, where prices cannot be looked at, got None; make it with "
            "lob.price_grid([snapshot, updates]), or batches with lob.stack_streams"
        )
    if not isinstance(at, jax.Array | np.ndarray) or at.dtype != np.int64 or at.ndim != 1:
        raise TypeError(f"expected at as an int64 array [time] of nanoseconds, got {at!r}")
    dtype, num_rows = updates.size.dtype, len(snapshot) + len(updates)
    if len(at) == 0 or num_rows == 0:
        nothing = jnp.zeros((len(at), levels), dtype)
        return BookSeries(
            at, Book(nothing * jnp.nan, nothing, nothing * jnp.nan, nothing), updates.symbol, updates.tick_size
        )
    until = jnp.searchsorted(updates.time_ns, at, side="right").astype(jnp.int32)
    block = block_length(len(updates), len(at))
    # Every interval has a block of its own, and the updates fill so many: no more than that is needed.
    blocks = len(at) + len(updates) // block
    lanes = min(lanes or lanes_that_fit(grid.num_cells), blocks)
    plan = Plan(levels, block, lanes, -(-blocks // lanes))
    cells = [grid.cell(stream.tick) for stream in (snapshot, updates)]
    codes = LevelCodes(
        *(
            encode(cell, stream.side, stream.size != 0, grid.num_cells)
            for cell, stream in zip(cells, (snapshot, updates), strict=True)
        )
    )
    source = last_updates(codes, until, 0, num_cells=grid.num_cells, plan=plan)
    step, lane = source_rows(until, plan)
    rows = source[step, :, lane]  # [time, level, side]
    there, rows = rows >= 0, jnp.maximum(rows, 0)
    tick = jnp.concatenate([snapshot.tick, updates.tick])
    size = jnp.concatenate([snapshot.size, updates.size])
    price = jnp.where(there, tick_prices(tick[rows], updates.tick_size, dtype), jnp.nan)
    size = jnp.where(there, jnp.where(size[rows] < 0, jnp.nan, size[rows]), 0.0)
    # Not known: before the snapshot, and where the grid lacks a price of the stream.
    on_grid = [(cell >= 0) | (stream.side == 0) for cell, stream in zip(cells, (snapshot, updates), strict=True)]
    known = (at >= jnp.max(snapshot.time_ns, initial=np.iinfo(np.int64).min)) & on_grid[0].all() & on_grid[1].all()
    price, size = (jnp.where(known[:, None, None], array, jnp.nan) for array in (price, size))
    book = Book(price[..., 0], size[..., 0], price[..., 1], size[..., 1])
    return BookSeries(at, book, updates.symbol, updates.tick_size)


def _on_host(snapshot, updates, at: np.ndarray, levels: int, grid: PriceGrid | None, lanes: int | None) -> BookSeries:
    snapshot, updates = jax.tree.map(np.asarray, (snapshot, updates))
    refuse_faults(snapshot, updates, at)
    tick_size, dtype = float(updates.tick_size), updates.size.dtype
    if len(at) == 0:
        nothing = np.empty((0, levels), dtype)
        return BookSeries(at, Book(nothing, nothing, nothing, nothing), updates.symbol, tick_size)
    grid = price_grid([snapshot, updates]) if grid is None else grid
    until = np.searchsorted(updates.time_ns, at, side="right").astype(np.int32)
    rows = find_rows(prepare(snapshot, updates, until, levels, grid, lanes))

    def side(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        price = np.asarray(tick_prices(_taken(row, snapshot.tick, updates.tick), tick_size, dtype))
        size = _taken(row, snapshot.size, updates.size)
        if (absent := row < 0).any():
            price[absent], size[absent] = np.nan, 0
        return price, size

    # Fetching what lies all over the stream waits for memory: two at once.
    with ThreadPoolExecutor(2) as pool:
        (bid_price, bid_size), (ask_price, ask_size) = pool.map(side, rows)
    return BookSeries(at, Book(bid_price, bid_size, ask_price, ask_size), updates.symbol, tick_size)


def _taken(row: np.ndarray, snapshot: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """`concatenate([snapshot, updates])[row]` without the concatenation; anything where the row is -1."""
    if len(snapshot) == 0:
        return updates.take(row) if len(updates) else np.zeros(row.shape, updates.dtype)
    if len(updates) == 0:
        return snapshot.take(row)
    taken = updates.take(np.maximum(row - len(snapshot), 0))
    before = row < len(snapshot)
    taken[before] = snapshot[row[before]]
    return taken
