"""The kernel of `reconstruct`: which update last set each of the best levels, at each of many times, in integers only.

A side of a book is an array of cells, the best price first. Two arrays stand for it:

- `stamp[cell]`: 2 x (number of the last update of that price) + (whether it left a size there). Updates come in order,
so
  that the last one has the largest stamp, and a block of updates is one scatter-maximum, in any order;
- `words`: a bit for each cell that has a size, 32 to a word, so that the best N of a side are found by counting bits.

A stream is cut into lanes, pieces of equal length that are worked on side by side: the state at the start of a lane is
one more scatter-maximum over all that came before. Lanes are the vector axis of everything here, and what a GPU is
filled with. Within a lane the updates between two sampling times are taken in blocks of at most `block` updates.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["BITS", "LevelCodes", "Plan", "encode", "last_updates", "nowhere", "source_rows"]

BITS = 32
_WINDOW = 4  # words of a side looked at together: 128 prices
_IN_BOUNDS = "promise_in_bounds"


class Plan(NamedTuple):
    """Sizes that the kernel is compiled for: `levels` a side to find, `block` updates taken together, `lanes` worked on
    side by side, and `steps`, blocks of a lane."""

    levels: int
    block: int
    lanes: int
    steps: int


class LevelCodes(NamedTuple):
    """Updates as integers `[update]`: 4 x cell + 2 x (an ask) + (a size is left there); `num_cells` of one side."""

    snapshot: jax.Array
    updates: jax.Array


def encode(cell: jax.Array, side: jax.Array, present: jax.Array, num_cells: int) -> jax.Array:
    """Codes of updates from their price's cell, counted from the lowest price (-1: no cell), side and whether a size is
    left."""
    asks = side < 0
    # Bids count from the highest price down: on both sides the best price has the lowest cell.
    cell = jnp.where(asks, _side_cells(num_cells) + cell, num_cells - 1 - cell)
    known = (side != 0) & (cell >= jnp.where(asks, _side_cells(num_cells), 0)) & (cell != num_cells)
    code = cell.astype(jnp.int32) * 4 + asks * 2 + present
    return jnp.where(known, code, nowhere(num_cells)).astype(jnp.int32)


@partial(jax.jit, static_argnames=("num_cells", "plan"))
def last_updates(codes: LevelCodes, until: jax.Array, first_lane, *, num_cells: int, plan: Plan) -> jax.Array:
    """Number of the update that last set each of the best levels, -1 where there are fewer: int32 `[step, level, lane,
    side]`.

    Arguments: `codes`; `until[k]`, how many of the updates come before time k; `first_lane`, of the lanes that this
    call does. The levels of the snapshot are the updates before the first.
    """
    levels, block, lanes, steps = plan
    start, count = _blocks(until, first_lane, codes.updates.shape[0], plan)
    cells, words_a_side, rows = _side_cells(num_cells), _side_cells(num_cells) // BITS, 2 * lanes
    num_snapshot = codes.snapshot.shape[0]
    within = jnp.arange(block, dtype=jnp.int32)
    updates = jnp.concatenate([codes.updates, jnp.full(steps * block, nowhere(num_cells), jnp.int32)])
    stamp = _lane_starts(codes.snapshot, updates, start[0], until[-1], num_cells, plan)
    occupied = (stamp & 1).reshape(rows * words_a_side, BITS).astype(jnp.uint32)
    words = (occupied << jnp.arange(BITS, dtype=jnp.uint32)).sum(-1, dtype=jnp.uint32)
    found_in = words.reshape(rows, words_a_side)
    present = _count_bits(found_in).sum(-1, dtype=jnp.int32)
    number = jnp.arange(words_a_side, dtype=jnp.int32)
    first = jnp.where(found_in != 0, number, words_a_side - _WINDOW).min(-1)
    stamp = stamp.ravel()

    lane = jnp.arange(lanes, dtype=jnp.int32)[:, None]
    row_word = jnp.arange(rows, dtype=jnp.int32) * words_a_side
    slot = jnp.arange(levels, dtype=jnp.int32)[:, None]
    window = jnp.arange(_WINDOW, dtype=jnp.int32)[:, None]
    in_block = within < count[..., None]
    blocks = jnp.where(in_block, updates.at[start[..., None] + within].get(mode=_IN_BOUNDS), nowhere(num_cells))
    blocks = blocks + lane * (8 * cells)

    def step(carry, inputs):
        stamp, words, first, present = carry
        code, block_start = inputs
        cell = (code >> 2).ravel()
        new = (((num_snapshot + block_start[:, None] + within) << 1) | (code & 1)).ravel()
        stamp = stamp.at[cell].max(new, mode=_IN_BOUNDS)
        # Of several updates of one price in a block the last counts; it alone may flip the price's bit.
        counts = stamp.at[cell].get(mode=_IN_BOUNDS) == new
        word, bit = cell >> 5, (cell & 31).astype(jnp.uint32)
        before = (words.at[word].get(mode=_IN_BOUNDS) >> bit) & 1
        change = jnp.where(counts, (new & 1).astype(jnp.uint32) - before, jnp.uint32(0))
        words = words.at[word].add(change << bit, mode=_IN_BOUNDS)
        row = (lane * 2 + ((code >> 1) & 1)).ravel()
        present = present.at[row].add(change.astype(jnp.int32), mode=_IN_BOUNDS)
        added_in = jnp.where((code & 1).ravel() > 0, word - row * words_a_side, words_a_side)
        first = first.at[row].min(added_in, mode=_IN_BOUNDS)

        def look(position):
            position = jnp.minimum(position, words_a_side - _WINDOW)
            return words.at[row_word + position + window].get(mode=_IN_BOUNDS)

        wanted = jnp.minimum(present, levels)

        def search(state):
            position, found, best, seen = state
            best = jnp.where(slot >= found, _ranked_bits(seen, position, slot - found, best), best)
            found = jnp.minimum(found + _count_bits(seen).sum(0, dtype=jnp.int32), levels)
            return position + _WINDOW, found, best, look(position + _WINDOW)

        # What is looked at is carried: a gather that its reader could absorb would be repeated for every level.
        nothing = jnp.full((levels, rows), -1, jnp.int32)
        state = first, jnp.zeros_like(first), nothing, look(first)
        _, found, best, _ = jax.lax.while_loop(lambda state: jnp.any(state[1] < wanted), search, state)
        first = jnp.where(found > 0, best[0] >> 5, words_a_side - _WINDOW)
        source = stamp.at[row_word * BITS + jnp.maximum(best, 0)].get(mode=_IN_BOUNDS) >> 1
        return (stamp, words, first, present), jnp.where(best >= 0, source, -1)

    _, source = jax.lax.scan(step, (stamp, words, first, present), (blocks, start))
    return source.reshape(steps, levels, lanes, 2)


def source_rows(until: jax.Array, plan: Plan) -> tuple[jax.Array, jax.Array]:
    """Step and lane of the block that ends at each time `[time]`."""
    last_block = _block_ends(until, plan.block) - 1
    return last_block % plan.steps, last_block // plan.steps


def _blocks(until: jax.Array, first_lane, num_updates: int, plan: Plan) -> tuple[jax.Array, jax.Array]:
    """First update and number of updates of each block, int32 `[step, lane]`."""
    ends = _block_ends(until, plan.block)
    lane = first_lane + jnp.arange(plan.lanes, dtype=jnp.int32)
    number = lane * plan.steps + jnp.arange(plan.steps, dtype=jnp.int32)[:, None]
    interval = jnp.searchsorted(ends, number, side="right").astype(jnp.int32)
    later = jnp.minimum(interval, until.shape[0] - 1)
    before = jnp.maximum(later - 1, 0)
    first_block = jnp.where(later > 0, ends[before], 0)
    begin = jnp.where(later > 0, until[before], 0)
    start = jnp.minimum(begin + (number - first_block) * plan.block, until[later])
    start = jnp.where(interval < until.shape[0], start, until[-1])
    return start, jnp.minimum(until[later] - start, plan.block)


def _block_ends(until: jax.Array, block: int) -> jax.Array:
    """Number of blocks up to and with each interval's last: an interval has at least one."""
    updates = jnp.diff(until, prepend=jnp.zeros(1, until.dtype))
    return jnp.cumsum(jnp.maximum(-(-updates // block), 1), dtype=jnp.int32)


def _lane_starts(snapshot, updates, lane_start, stop, num_cells: int, plan: Plan) -> jax.Array:
    """Stamps `[lane, cell]` of the books that the lanes start with."""
    num_snapshot, length = snapshot.shape[0], plan.steps * plan.block
    stamp = jnp.full(2 * _side_cells(num_cells), -2, jnp.int32)
    stamp = stamp.at[snapshot >> 2].max(2 * jnp.arange(num_snapshot, dtype=jnp.int32) + (snapshot & 1), mode=_IN_BOUNDS)
    within = jnp.arange(length, dtype=jnp.int32)

    def through(stamp, first, last):
        """The stamps after the updates from `first` up to `last`, at most `length` of them."""
        code = jax.lax.dynamic_slice(updates, (first,), (length,))
        number = first + within
        code = jnp.where(number < last, code, nowhere(num_cells))
        return stamp.at[code >> 2].max(2 * (num_snapshot + number) + (code & 1), mode=_IN_BOUNDS)

    # What comes before the first lane of this call, then lane by lane.
    pieces = -(-lane_start[0] // length)
    stamp = jax.lax.fori_loop(0, pieces, lambda piece, stamp: through(stamp, piece * length, lane_start[0]), stamp)
    lane_stop = jnp.concatenate([lane_start[1:], stop[None]])
    _, starts = jax.lax.scan(lambda stamp, ends: (through(stamp, *ends), stamp), stamp, (lane_start, lane_stop))
    return starts


def _ranked_bits(words: jax.Array, position: jax.Array, rank: jax.Array, otherwise: jax.Array) -> jax.Array:
    """Cell of the set bit of a rank (from 0) among `words [window, row]`, for `rank [level, row]`; `otherwise` where
    there are fewer. `position`: number of the first of the words."""
    rest, word, cell = rank, jnp.broadcast_to(words[0], rank.shape), jnp.broadcast_to(position * BITS, rank.shape)
    before = _count_bits(words[0])
    for number in range(1, _WINDOW):
        beyond = rank >= before
        rest = jnp.where(beyond, rank - before, rest)
        word = jnp.where(beyond, words[number], word)
        cell = jnp.where(beyond, (position + number) * BITS, cell)
        before = before + _count_bits(words[number])
    there = rank < before
    for width in (16, 8, 4, 2, 1):
        low = _count_bits(word & jnp.uint32((1 << width) - 1))
        beyond = rest >= low
        rest = jnp.where(beyond, rest - low, rest)
        word = jnp.where(beyond, word >> jnp.uint32(width), word)
        cell = jnp.where(beyond, cell + width, cell)
    return jnp.where(there, cell, otherwise)


def _count_bits(words: jax.Array) -> jax.Array:
    return jax.lax.population_count(words).astype(jnp.int32)


def _side_cells(num_cells: int) -> int:
    """Cells of a side with the empty words after them, which a window may reach into."""
    return num_cells + BITS * _WINDOW


def nowhere(num_cells: int) -> np.int32:
    """Code of no update: a cell that is always empty."""
    return np.int32(4 * num_cells)
