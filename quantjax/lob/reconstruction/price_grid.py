"""Cells for prices: which of a fixed number of cells of a side a price has, so that a book is an array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from quantjax.lob.updates import LevelUpdates

__all__ = ["PriceGrid", "price_grid", "stacked_price_grids"]

Array = jax.Array | np.ndarray

# Up to so many ticks between the lowest and the highest price every tick has a cell, used or not.
_DENSE_TICKS = 1 << 16
# Up to so many for each update, a table of them all finds the cell of a tick that is used; beyond, a binary search,
# which is the slower one for each update and needs no table.
_TABLE_TICKS_AN_UPDATE = 8


class PriceGrid(eqx.Module):
    """The prices that a stream of updates visits, numbered from the lowest: cell 0 to `num_cells` - 1.

    `lowest`: the lowest tick; `rank`: cell by distance from the lowest tick, -1 for ticks that are never visited, or
    None where every tick has a cell; `distances`: the sorted distances of the cells where the range is too wide for a
    table, else None; `num_cells`: cells that there is room for. Made by `lob.price_grid`.
    """

    lowest: Int[Array, ""]
    rank: Int[Array, " range"] | None
    distances: Int[Array, " cell"] | None
    num_cells: int = eqx.field(static=True)

    def cell(self, tick: Array) -> jax.Array:
        """Cell of each tick, int32, -1 for ticks outside the grid. Broadcasting."""
        return self.cell_at(tick - self.lowest)

    def cell_at(self, distance: Array) -> jax.Array:
        """Cell of the tick so many above the lowest, int32, -1 outside the grid. Broadcasting."""
        distance = jnp.asarray(distance)
        if self.distances is not None:
            distances = jnp.asarray(self.distances)
            found = jnp.minimum(jnp.searchsorted(distances, distance), self.num_cells - 1).astype(jnp.int32)
            return jnp.where(distances[found] == distance, found, -1)
        inside = (distance >= 0) & (distance < (self.num_cells if self.rank is None else self.rank.shape[-1]))
        if self.rank is None:
            return jnp.where(inside, distance.astype(jnp.int32), -1)
        return jnp.where(inside, jnp.asarray(self.rank).at[distance].get(mode="clip"), -1)


def price_grid(streams: Iterable[LevelUpdates]) -> PriceGrid:
    """The grid of all prices of some streams of one symbol: a snapshot and its updates, say. Driver.

    Raises ValueError while JAX's x64 mode is off for prices more than 2^31 ticks apart.

    >>> updates = LevelUpdates(
    ...     np.zeros(3, np.int64), np.array([1, -1, -1]), np.array([9_999, 10_001, 10_005]), np.ones(3), 0.01, "XYZ"
    ... )
    >>> grid = price_grid([updates])
    >>> grid.cell(jnp.array([9_999, 10_005, 12_000]))
    Array([ 0,  6, -1], dtype=int32)
    """
    pieces = _visited(streams)
    lowest = min((int(piece.min()) for piece in pieces), default=0)
    width = max((int(piece.max()) for piece in pieces), default=0) - lowest + 1
    if width <= _DENSE_TICKS:
        return PriceGrid(np.asarray(lowest), None, None, _whole_words(width))
    if width > _TABLE_TICKS_AN_UPDATE * sum(len(piece) for piece in pieces):
        return _searched([np.unique(np.concatenate(pieces))])[0]
    visited = np.zeros(width, bool)
    for piece in pieces:
        visited[piece - lowest] = True
    rank = np.cumsum(visited, dtype=np.int32) - 1
    count = int(rank[-1]) + 1
    rank[~visited] = -1
    return PriceGrid(np.asarray(lowest), rank, None, _whole_words(count))


def stacked_price_grids(symbols: Sequence[Iterable[LevelUpdates]]) -> PriceGrid:
    """The grids of several symbols' streams in one, with a leading axis. Driver.

    Every tick has a cell where no range of prices is wide; else cells are looked up by binary search, which has one
    shape whatever the ranges.
    """
    grids = [price_grid(streams) for streams in symbols]
    if all(grid.rank is None and grid.distances is None for grid in grids):
        room = max(grid.num_cells for grid in grids)
        return PriceGrid(np.stack([grid.lowest for grid in grids]), None, None, room)
    ticks = [np.unique(np.concatenate(pieces)) if (pieces := _visited(streams)) else _NO_TICKS for streams in symbols]
    return jax.tree.map(lambda *arrays: np.stack(arrays), *_searched(ticks))


_NO_TICKS = np.zeros(1, np.int64)


def _searched(ticks: Sequence[np.ndarray]) -> list[PriceGrid]:
    """Grids of one shape for several sorted arrays of ticks."""
    num_cells = _whole_words(max(len(piece) for piece in ticks))
    widest = max(int(piece[-1]) - int(piece[0]) for piece in ticks)
    if widest >= 2**31 - 1 and not jax.config.read("jax_enable_x64"):
        raise ValueError(
            f"expected prices within 2**31 ticks of one another while JAX's x64 mode is off, got {widest:,}; call "
            "jax.config.update('jax_enable_x64', True) at the start"
        )
    # int32 where they fit, so that x64 mode makes no difference; beyond the last price, distances that none has.
    kind = np.int32 if widest < 2**31 - 1 else np.int64
    grids = []
    for piece in ticks:
        distances = np.full(num_cells, np.iinfo(kind).max, kind)
        distances[: len(piece)] = piece - piece[0]
        grids.append(PriceGrid(np.asarray(piece[0], np.int64), None, distances, num_cells))
    return grids


def _visited(streams: Iterable[LevelUpdates]) -> list[np.ndarray]:
    """Ticks of each stream that has any, but those of padding."""
    pieces = []
    for stream in streams:
        tick, counted = np.asarray(stream.tick), np.asarray(stream.side) != 0
        pieces.append(tick if counted.all() else tick[counted])
    return [piece for piece in pieces if len(piece)]


def _whole_words(count: int) -> int:
    """At least `count`, in steps of an eighth and of 32: streams of about the same size share compiled kernels."""
    step = max(32, 1 << max(0, count.bit_length() - 4))
    return max(-(-count // step) * step, 256)
