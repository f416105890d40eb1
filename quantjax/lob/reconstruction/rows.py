"""The host's side of the kernel: a stream as integers of a few lengths, and the kernel on all cores."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.lob.cores import usable_cores
from quantjax.lob.padding import padded_length
from quantjax.lob.reconstruction.kernel import LevelCodes, Plan, encode, last_updates, source_rows
from quantjax.lob.reconstruction.price_grid import PriceGrid
from quantjax.lob.updates import LevelUpdates

__all__ = ["Prepared", "block_length", "find_rows", "lanes_that_fit", "prepare"]

# The tables of all lanes should stay in the cache of a core; a GPU has room for more, and many streams side by side.
_LANES_CPU, _TABLE_BYTES_CPU = 16, 1 << 23
_LANES_GPU, _TABLE_BYTES_GPU = 64, 1 << 25


class Prepared(NamedTuple):
    """What the kernel takes, its arrays padded to a few lengths: streams of about the same length share compiled code.

    `until`: how many updates come before each of `num_times` times; `padding`: by how much the snapshot was lengthened.
    """

    codes: LevelCodes
    until: jax.Array
    num_times: int
    padding: int
    num_cells: int
    plan: Plan
    threads: int


def prepare(
    snapshot: LevelUpdates, updates: LevelUpdates, until: np.ndarray, levels: int, grid: PriceGrid, lanes: int | None
) -> Prepared:
    """Codes of a stream, and the sizes to compile for."""
    # One thread a core on a CPU: XLA runs operations of this size on one.
    threads = usable_cores() if jax.default_backend() == "cpu" else 1
    block = block_length(len(updates), len(until))
    blocks = int(np.maximum(-(-np.diff(until, prepend=0) // block), 1).sum())
    threads = max(1, min(threads, blocks // 64))
    lanes = lanes or lanes_that_fit(grid.num_cells)
    plan = Plan(levels, block, lanes, padded_length(-(-blocks // (threads * lanes)), 4))
    padded = jnp.asarray(np.pad(until, (0, padded_length(len(until), 64) - len(until)), mode="edge"))
    lengths = [padded_length(len(stream), 512) for stream in (snapshot, updates)]
    codes = LevelCodes(*(_codes(*pair, grid) for pair in zip((snapshot, updates), lengths, strict=True)))
    return Prepared(codes, padded, len(until), lengths[0] - len(snapshot), grid.num_cells, plan, threads)


def find_rows(prepared: Prepared) -> np.ndarray:
    """Number of the row of snapshot and updates that set each level, -1 for none: int32 `[side, time, level]`."""
    codes, until, plan = prepared.codes, prepared.until, prepared.plan

    def run(thread: int) -> jax.Array:
        first_lane = thread * plan.lanes
        return last_updates(codes, until, first_lane, num_cells=prepared.num_cells, plan=plan).block_until_ready()

    with ThreadPoolExecutor(prepared.threads) as pool:
        source = list(pool.map(run, range(prepared.threads)))
    rows = np.asarray(_at_times(source, until, plan))[:, : prepared.num_times]
    if prepared.padding == 0:
        return rows
    # The kernel counts the updates from the end of the padded snapshot.
    return np.where(rows >= len(codes.snapshot), rows - prepared.padding, rows)


def _codes(stream: LevelUpdates, length: int, grid: PriceGrid) -> jax.Array:
    """Codes of a stream, padded before anything is compiled. Raises ValueError for prices that the grid lacks."""
    # Distances from the lowest price fit int32 whatever the prices, so that x64 mode makes no difference.
    kind = np.int32 if grid.distances is None else grid.distances.dtype
    distance, side, present = np.zeros(length, kind), np.zeros(length, np.int8), np.zeros(length, bool)
    np.subtract(stream.tick, grid.lowest, out=distance[: len(stream)], casting="unsafe")
    side[: len(stream)] = stream.side
    np.not_equal(stream.size, 0, out=present[: len(stream)])
    codes, num_missing = _encode(distance, side, present, grid)
    if num_missing:
        raise ValueError(
            f"expected a grid with all prices of the stream, got one without those of {int(num_missing)} updates; "
            "make it with lob.price_grid([snapshot, updates])"
        )
    return codes


@jax.jit
def _encode(distance, side, present, grid: PriceGrid) -> tuple[jax.Array, jax.Array]:
    cell = grid.cell_at(distance)
    return encode(cell, side, present, grid.num_cells), jnp.sum((cell < 0) & (side != 0))


@partial(jax.jit, static_argnames="plan")
def _at_times(source: Sequence[jax.Array], until: jax.Array, plan: Plan) -> jax.Array:
    """`[side, time, level]` out of the `[step, level, lane, side]` of several calls."""
    step, lane = source_rows(until, plan)
    rows = jnp.stack(source)[lane // plan.lanes, step, :, lane % plan.lanes]
    return jnp.moveaxis(rows, -1, 0)


def block_length(num_updates: int, num_times: int) -> int:
    """Updates taken together: about as many as come between two times, within reason."""
    return min(padded_length(-(-num_updates // max(num_times, 1)), 16), 256)


def lanes_that_fit(num_cells: int) -> int:
    """As many lanes as the device works on side by side well, a power of two, while their tables fit its memory."""
    cpu = jax.default_backend() == "cpu"
    most, table_bytes = (_LANES_CPU, _TABLE_BYTES_CPU) if cpu else (_LANES_GPU, _TABLE_BYTES_GPU)
    fitting = max(1, table_bytes // (8 * num_cells))
    return min(most, 1 << (fitting.bit_length() - 1))
