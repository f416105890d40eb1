"""Streams of several symbols or days, padded to one shape, so that `jax.vmap` takes them all at once."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Int64

from quantjax.lob.book import BookSeries
from quantjax.lob.reconstruction.price_grid import PriceGrid, stacked_price_grids
from quantjax.lob.reconstruction.reconstruct import reconstruct
from quantjax.lob.reconstruction.validation import refuse_faults
from quantjax.lob.updates import LevelUpdates

__all__ = ["StreamBatch", "stack_streams"]

Array = jax.Array | np.ndarray


class StreamBatch(eqx.Module):
    """Streams side by side: arrays `[stream, update]`, `[stream, time]` and `[stream, cell]`, from `lob.stack_streams`.

    `snapshot`, `updates`, `at` and `grid` are what `lob.reconstruct` takes, with a leading axis. Padding: updates of
    side 0 at the last time, and the last sampling time again, of which `num_times[stream]` count; `symbols`, one a
    stream.
    """

    snapshot: LevelUpdates
    updates: LevelUpdates
    at: Int64[Array, "stream time"]
    grid: PriceGrid
    num_times: np.ndarray
    symbols: tuple[str, ...] = eqx.field(static=True)

    def reconstruct(self, levels: int = 20, *, lanes: int | None = None) -> BookSeries:
        """`lob.reconstruct` of all streams at once: books `[stream, time]` of symbol "". Traceable: jit it.

        For a GPU, and for use within a larger program; on a CPU one stream after another is faster.
        """

        def one(snapshot, updates, at, grid):
            return reconstruct(snapshot, updates, at, levels, grid=grid, lanes=lanes)

        return jax.vmap(one)(self.snapshot, self.updates, self.at, self.grid)


def stack_streams(
    snapshots: Sequence[LevelUpdates], updates: Sequence[LevelUpdates], at: Sequence[np.ndarray]
) -> StreamBatch:
    """Stack streams of several symbols or days, each with a snapshot and the times at which its books are wanted.
    Driver.

    Raises ValueError for sequences of different lengths or none, for faults in a stream (see `lob.check_updates`),
    which is named by its number, and for a stream without sampling times.

    >>> stream = LevelUpdates(np.array([1, 2]), np.array([1, -1]), np.array([99, 101]), np.ones(2), 0.01, "XYZ")
    >>> batch = stack_streams([stream[:0], stream[:1]], [stream, stream[1:]], [np.array([1, 2]), np.array([2])])
    >>> batch.updates.tick.shape, batch.at
    ((2, 2), array([[1, 2],
           [2, 2]]))
    """
    if not len(snapshots) == len(updates) == len(at) > 0:
        raise ValueError(
            "expected a snapshot, updates and times for each of some streams, "
            f"got {len(snapshots)}, {len(updates)} and {len(at)}"
        )
    times = [np.asarray(array, np.int64) for array in at]
    for number, (snapshot, stream, wanted) in enumerate(zip(snapshots, updates, times, strict=True)):
        if len(wanted) == 0:
            raise ValueError(f"stream {number} ({stream.symbol}): expected at least one time in at, got none")
        if snapshot.symbol != stream.symbol or len({s.size.dtype for s in (snapshot, stream, updates[0])}) > 1:
            raise ValueError(
                f"stream {number}: expected one symbol and one dtype of sizes, "
                f"got {snapshot.symbol} {snapshot.size.dtype} and {stream.symbol} {stream.size.dtype}"
            )
        try:
            refuse_faults(_as_numpy(snapshot), _as_numpy(stream), wanted)
        except ValueError as error:
            raise ValueError(f"stream {number} ({stream.symbol}): {error}") from None
    most = max(len(wanted) for wanted in times)
    return StreamBatch(
        _stacked(snapshots),
        _stacked(updates),
        np.stack([np.pad(wanted, (0, most - len(wanted)), mode="edge") for wanted in times]),
        stacked_price_grids(list(zip(snapshots, updates, strict=True))),
        np.array([len(wanted) for wanted in times]),
        tuple(stream.symbol for stream in updates),
    )


def _as_numpy(stream: LevelUpdates) -> LevelUpdates:
    return jax.tree.map(np.asarray, stream)


def _stacked(streams: Sequence[LevelUpdates]) -> LevelUpdates:
    """Arrays `[stream, update]`, the shorter streams padded with updates that say nothing."""
    most = max(len(stream) for stream in streams)
    padded = {"time_ns": [], "side": [], "tick": [], "size": []}
    for stream in streams:
        missing = most - len(stream)
        for name, arrays in padded.items():
            array = np.asarray(getattr(stream, name))
            last = array[-1:] if name == "time_ns" and len(array) else np.zeros(1, array.dtype)
            arrays.append(np.concatenate([array, np.repeat(last, missing)]))
    arrays = {name: np.stack(pieces) for name, pieces in padded.items()}
    return LevelUpdates(**arrays, tick_size=np.array([float(stream.tick_size) for stream in streams]), symbol="")
