"""Cells of (spread, imbalance) that the best quotes of a book fall into, and transitions between them."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from quantjax.lob.book import BookSeries
from quantjax.lob.ticks import ticks_on_grid

__all__ = ["Cells", "TransitionTable", "cells_of", "count_transitions", "place_in_cells"]


class Cells(NamedTuple):
    """Books with two sides and a spread, int64 `[row]`: spread in ticks, bin of the imbalance, mid in half ticks."""

    spread: np.ndarray
    bin_index: np.ndarray
    half_ticks: np.ndarray


class TransitionTable(NamedTuple):
    """Transitions counted between the cells of the spreads `spreads` `[row]`, in ticks, the widest ones in the last.

    `unmoved`, `moved` `[row, bin, row, bin]`: transitions to each cell without and with a move of the mid; `jump_sum`
    `[row, bin]`: sum of the moves in ticks; `from_cell` `[row, bin]`: transitions from each cell; `large_jumps`:
    transitions left out.
    """

    spreads: np.ndarray
    unmoved: np.ndarray
    moved: np.ndarray
    jump_sum: np.ndarray
    from_cell: np.ndarray
    large_jumps: int


def place_in_cells(bid_size, ask_size, num_bins: int, xp: ModuleType) -> Any:
    """Bin of I = q^b / (q^b + q^a), counted from 0, for positive, finite sizes; `xp`: numpy or jax.numpy."""
    # Bins count from the middle outwards, so that a book and its mirror image fall into mirrored bins, edges included.
    # The margin keeps queues on an edge (in whole lots there are many) in the inner bin, however they round.
    lean = (bid_size - ask_size) / (bid_size + ask_size)
    odd, half = num_bins % 2, num_bins // 2
    steps = xp.abs(lean) * (0.5 * num_bins) - 0.5 * odd - 4 * num_bins * xp.finfo(lean.dtype).eps
    outwards = xp.clip(xp.ceil(steps), 1 - odd, half)
    return (half + xp.sign(lean) * outwards).astype(int)


def cells_of(piece: BookSeries, tick_size: float, num_bins: int) -> Cells:
    """Cells of the books that have two sides and a spread. Driver.

    Raises ValueError for prices off the tick grid, or of a dtype too coarse for it, and for another number of axes.
    """
    if len(piece.book.batch_shape) != 1:
        raise ValueError(f"expected books [time, level], got leading axes {list(piece.book.batch_shape)}")
    bid, bid_size, ask, ask_size = (
        np.ascontiguousarray(np.asarray(array)[:, :1]) for array in jax.tree.leaves(piece.book)
    )
    known = (bid_size > 0) & (ask_size > 0) & (bid_size + ask_size < np.inf) & np.isfinite(bid) & np.isfinite(ask)
    # On the host, in float64 whatever the dtype of the books; whole numbers, so that differences are exact.
    bid_tick, ask_tick = (ticks_on_grid(price, known, tick_size) for price in (bid, ask))
    kept = (known & (bid_tick < ask_tick))[:, 0]
    rows = slice(None) if kept.all() else kept
    bid_tick, ask_tick, bid_size, ask_size = (array[rows, 0] for array in (bid_tick, ask_tick, bid_size, ask_size))
    return Cells(ask_tick - bid_tick, place_in_cells(bid_size, ask_size, num_bins, np), bid_tick + ask_tick)


def count_transitions(
    pieces: Sequence[Cells], num_columns: int, max_spread: int, *, horizon: int | None, max_jump: float, most_bytes: int
) -> TransitionTable:
    """Transitions within each piece, of `horizon` books or (None) to the next change of the mid. Driver.

    Only the spreads that were seen get rows. `max_jump` in ticks. Raises ValueError where the tables, and what is made
    of them, would take more than `most_bytes`.
    """
    seen = np.zeros(max_spread + 1, bool)
    for piece in pieces:
        seen[np.minimum(piece.spread, max_spread)] = True
    spreads = np.flatnonzero(seen)
    num_cells = len(spreads) * num_columns
    # Two tables of counts, and a handful of matrices of doubles in the algebra.
    if (size := 64 * num_cells**2) > most_bytes:
        raise ValueError(
            f"expected cells whose transitions fit {most_bytes / 2**30:g} GiB, got {num_cells} cells ({len(spreads)} "
            f"spreads of {num_columns} bins) that take {size / 2**30:.1f} GiB; take a smaller max_spread_ticks or "
            "fewer imbalance_bins"
        )
    first_of = (np.cumsum(seen) - 1) * num_columns
    starts, stops, jumps = [], [], []
    for piece in pieces:
        cell = first_of[np.minimum(piece.spread, max_spread)] + piece.bin_index
        before, after = _later(piece.half_ticks, horizon)
        starts.append(cell[before])
        stops.append(cell[after])
        jumps.append(piece.half_ticks[after] - piece.half_ticks[before])
    start, stop, jump = (parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in (starts, stops, jumps))
    used = np.abs(jump) <= 2 * max_jump
    num_large = int(np.count_nonzero(~used))
    if num_large:
        start, stop, jump = start[used], stop[used], jump[used]
    pair = start * num_cells + stop + (jump != 0) * num_cells**2
    shape = (len(spreads), num_columns)
    unmoved, moved = np.bincount(pair, minlength=2 * num_cells**2).reshape(2, *shape, *shape)
    return TransitionTable(
        spreads,
        unmoved,
        moved,
        # Halves of whole numbers: exact.
        0.5 * np.bincount(start, jump.astype(np.float64), minlength=num_cells).reshape(shape),
        np.bincount(start, minlength=num_cells).reshape(shape),
        num_large,
    )


def _later(half_ticks: np.ndarray, horizon: int | None) -> tuple[Any, Any]:
    """Indices of the rows that transitions start from, and of those that they end in."""
    if horizon is not None:
        return slice(max(len(half_ticks) - horizon, 0)), slice(horizon, None)
    changes = np.flatnonzero(np.diff(half_ticks)) + 1
    start = np.arange(changes[-1] if len(changes) else 0)
    return start, changes[np.searchsorted(changes, start, side="right")]
