"""Stoikov's micro-price: the mid plus what it is expected to move in the end, given spread and imbalance of the queues.

The state of the best quotes is a Markov chain over cells (spread, imbalance). `fit_stoikov_microprice` counts its
transitions, makes them symmetric between buyers and sellers and sums the expected moves of the mid.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from quantjax.lob.book import Book, BookSeries
from quantjax.lob.flow.chain import expected_moves
from quantjax.lob.flow.prediction import next_change

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StoikovMicroprice", "fit_stoikov_microprice"]

# Prices further than this from a multiple of the tick size, in ticks, are not on its grid.
_OFF_GRID = 0.1


class StoikovMicroprice(eqx.Module):
    """Micro-price P = m + G*(I, S), fitted by `fit_stoikov_microprice`; a function of books.

    `adjustment`: G* in ticks, `[spread, bin]`, row i for a spread of i + 1 ticks, the last row for that or wider; NaN
    for cells never seen; antisymmetric, `adjustment[:, ::-1] == -adjustment`. `first_adjustment`: G1, the expected move
    up to the first change of the mid. `count`: transitions seen from each cell, before they were made symmetric.
    `imbalance` `[bin]`: centre of each bin in I = q^b / (q^b + q^a). An even number of bins has one more in the middle,
    of the books with equal queues alone, whose adjustment is 0: in whole lots those are many, and belong to neither
    neighbour. `tick_size`: quote currency. `last_term`: largest term of G* = sum_k B^k G1 that was added last, ticks.
    `counts`: what was used and left out.
    """

    adjustment: Float[jax.Array, "spread bin"]
    first_adjustment: Float[jax.Array, "spread bin"]
    count: Int[np.ndarray, "spread bin"]
    tick_size: float
    last_term: float
    counts: dict[str, int]
    num_bins: int = eqx.field(static=True)

    @property
    def imbalance(self) -> Float[np.ndarray, " bin"]:
        """Centre of each bin of I = q^b / (q^b + q^a), `[bin]`."""
        bins = self.adjustment.shape[1]
        even = self.num_bins % 2 == 0
        steps = np.arange(bins) - bins // 2
        return 0.5 + (steps - 0.5 * np.sign(steps) * even) / self.num_bins

    def __call__(self, book: Book) -> Float[jax.Array, "*batch"]:
        """Micro-price m + tick_size G*(I, S) of books, in quote currency, `[...]`.

        NaN where a side is empty, the book is locked or crossed, and in cells never seen. Spreads wider than the last
        row use that. Broadcasting. The adjustment is constant within a cell, so gradients are those of the mid.
        """
        bid, bid_size, ask, ask_size = (jnp.asarray(array)[..., 0] for array in jax.tree.leaves(book))
        best = _Best(jnp.rint(bid / self.tick_size), bid_size, jnp.rint(ask / self.tick_size), ask_size)
        state = _state(best, self.num_bins, self.adjustment.shape[0])
        adjustment = jnp.asarray(self.adjustment, bid.dtype).ravel()[state.cell]
        centre = 0.5 * (bid + ask)
        return jnp.where(state.known, centre + self.tick_size * adjustment, jnp.nan)

    def to_pandas(self) -> pd.DataFrame:
        """`adjustment` with a row for each spread in ticks and a column for each bin's imbalance."""
        import pandas as pd

        spreads = pd.RangeIndex(1, self.adjustment.shape[0] + 1, name="spread_ticks")
        return pd.DataFrame(np.asarray(self.adjustment), spreads, pd.Index(self.imbalance, name="imbalance"))


def fit_stoikov_microprice(
    series: BookSeries | Iterable[BookSeries],
    *,
    imbalance_bins: int = 10,
    max_spread_ticks: int = 10,
    horizon: int | None = 1,
    num_terms: int | None = 6,
    max_jump_ticks: float | None = None,
) -> StoikovMicroprice:
    """Fit Stoikov's micro-price to recorded books: G* = sum_{k < num_terms} B^k G1.

    With Q = P(next cell, mid unmoved), R1 K = E[move of the mid] and R2 = P(next cell, mid moved), G1 = (1 - Q)^-1 R1 K
    and B = (1 - Q)^-1 R2. Every transition is counted together with its mirror image (I -> 1 - I, move -> -move), and
    the series is summed on antisymmetric functions, where it converges though B has an eigenvalue 1.

    `series`: one recording, or several of one tick size (days), between which no transition is counted.
    `imbalance_bins`: bins of equal width of I; `max_spread_ticks`: wider spreads are taken for this one (`wide` counts
    them). `horizon`: the step of the chain in books (the paper samples in equal times: give it such a series), or None:
    from each book to the one at the next change of the mid, which estimates G1 and B as plain means without assuming a
    chain in between. `num_terms`: 6 as in the paper, which bounds what a slow chain adds from noise (`last_term` says
    how much is missing); None sums to convergence, which makes the fitted micro-price a martingale of the fitted chain.
    `max_jump_ticks`: leave out larger moves of the mid (the paper's data: 1); None keeps moves of any size.

    Books with an empty side, locked and crossed ones are left out, and those around them taken as consecutive.
    `counts`: `books`, `invalid` (left out), `wide`, `transitions`, `large_jumps` (left out).

    Driver. Raises ValueError for options out of range, prices off the grid of `tick_size`, different tick sizes, no
    transitions, and a series that does not converge. Source: Stoikov (2018), The micro-price, Quantitative Finance
    18:1959 (SSRN 2970694), section 3.

    >>> quotes = [(10.0, 9), (10.0, 9), (11.0, 5)]  # a heavy bid, and in the end the price moves up
    >>> books = [Book.from_levels([(bid, size)], [(bid + 1, 10 - size)]) for bid, size in quotes]
    >>> series = BookSeries(np.arange(3), jax.tree.map(lambda *a: np.stack(a), *books), "XYZ", 1.0)
    >>> model = fit_stoikov_microprice(series, imbalance_bins=3, max_spread_ticks=1)
    >>> model.adjustment.tolist(), float(model(books[0]))
    ([[-1.0, nan, 1.0]], 11.5)
    """
    for name, value in (("imbalance_bins", imbalance_bins), ("max_spread_ticks", max_spread_ticks)):
        if not isinstance(value, int) or value < 1 + (name == "imbalance_bins"):
            raise ValueError(f"expected {name} as an integer >= {1 + (name == 'imbalance_bins')}, got {value!r}")
    for name, value in (("horizon", horizon), ("num_terms", num_terms)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"expected {name} as an integer >= 1 or None, got {value!r}")
    pieces = [series] if isinstance(series, BookSeries) else list(series)
    if len(ticks := {float(piece.tick_size) for piece in pieces}) != 1:
        raise ValueError(f"expected at least one series, all of one tick size, got tick sizes {sorted(ticks)}")
    tick_size = ticks.pop()

    counts = {"books": 0, "invalid": 0, "wide": 0, "transitions": 0, "large_jumps": 0}
    tables = []
    for piece in pieces:
        kept = _valid_rows(piece, tick_size)
        counts["books"] += len(piece)
        counts["invalid"] += len(piece) - len(kept.bid_tick)
        if len(kept.bid_tick) > (horizon or 1):
            table = _count(
                kept,
                np.inf if max_jump_ticks is None else 2.0 * max_jump_ticks,
                num_bins=imbalance_bins,
                max_spread=max_spread_ticks,
                horizon=horizon,
            )
            tables.append(jax.tree.map(lambda array: np.asarray(array, np.int64), table))
    if not tables or not (total := jax.tree.map(lambda *parts: sum(parts), *tables)).from_cell.any():
        raise ValueError(f"expected books with transitions between them, got none: {counts}")
    counts |= {"wide": int(total.wide), "large_jumps": int(total.large_jumps)}
    counts["transitions"] = int(total.from_cell.sum())

    shape = (max_spread_ticks, imbalance_bins + 1 - imbalance_bins % 2)
    moves = expected_moves(
        total.unmoved.reshape(shape * 2),
        total.moved.reshape(shape * 2),
        0.5 * total.jump_sum.reshape(shape),
        num_terms=num_terms,
    )
    dtype = pieces[0].book.bid_price.dtype
    return StoikovMicroprice(
        adjustment=jnp.asarray(moves.adjustment.astype(dtype)),
        first_adjustment=jnp.asarray(moves.first_adjustment.astype(dtype)),
        count=total.from_cell.reshape(shape),
        tick_size=tick_size,
        last_term=moves.last_term,
        counts=counts,
        num_bins=imbalance_bins,
    )


class _Best(eqx.Module):
    """Best quotes of books, prices in whole ticks: in float32 a difference of prices would round twice."""

    bid_tick: jax.Array | np.ndarray
    bid_size: jax.Array | np.ndarray
    ask_tick: jax.Array | np.ndarray
    ask_size: jax.Array | np.ndarray


class _State(eqx.Module):
    """Where books stand: flat index of the cell, spread in ticks, whether there are two sides and a spread."""

    cell: jax.Array
    spread: jax.Array
    known: jax.Array


class _Counts(eqx.Module):
    """Numbers of transitions by cell and next cell, flat; sums of moves of the mid by cell, in half ticks."""

    unmoved: jax.Array
    moved: jax.Array
    jump_sum: jax.Array
    from_cell: jax.Array
    wide: jax.Array
    large_jumps: jax.Array


def _state(best: _Best, num_bins: int, max_spread: int) -> _State:
    two_sided = (best.bid_size > 0) & (best.ask_size > 0)
    spread = jnp.asarray(best.ask_tick - best.bid_tick)
    known = jnp.asarray(two_sided & (spread >= 1) & (spread < jnp.inf) & (best.bid_size + best.ask_size < jnp.inf))
    total = jnp.where(known, best.bid_size + best.ask_size, 1.0)
    lean = jnp.where(known, best.bid_size - best.ask_size, 0.0) / total
    # Bins count from the middle outwards, so that a book and its mirror image fall into mirrored bins, edges included.
    # The margin keeps queues on an edge (in whole lots there are many) in the inner bin, however they round.
    odd, half = num_bins % 2, num_bins // 2
    steps = jnp.abs(lean) * (0.5 * num_bins) - 0.5 * odd - 4 * num_bins * jnp.finfo(lean.dtype).eps
    outwards = jnp.clip(jnp.ceil(steps), 1 - odd, half)
    bin_index = half + jnp.sign(lean) * outwards
    row = jnp.clip(spread, 1, max_spread) - 1
    cell = row * (2 * half + 1) + bin_index
    return _State(jnp.where(known, cell, 0.0).astype(jnp.int32), spread, known)


def _valid_rows(piece: BookSeries, tick_size: float) -> _Best:
    """Best quotes of the books with two sides and a spread, as numpy arrays; ValueError for prices off the grid."""
    if len(piece.book.batch_shape) != 1:
        raise ValueError(f"expected books [time, level], got leading axes {list(piece.book.batch_shape)}")
    bid, bid_size, ask, ask_size = (np.array(np.asarray(array)[:, 0]) for array in jax.tree.leaves(piece.book))
    known = (bid_size > 0) & (ask_size > 0) & (bid_size + ask_size < np.inf) & np.isfinite(bid) & np.isfinite(ask)
    if not known.all():
        bid, bid_size, ask, ask_size = (array[known] for array in (bid, bid_size, ask, ask_size))
    whole = []
    for price in (bid, ask):
        ticks = price / price.dtype.type(tick_size)
        whole.append(np.rint(ticks))
        off = np.abs(ticks - whole[-1]) > _OFF_GRID + 2 * np.finfo(price.dtype).eps * np.abs(ticks).max(initial=0)
        if off.any():
            raise ValueError(
                f"expected prices that are multiples of the tick size {tick_size:g}, got {price[np.argmax(off)]!r} and "
                f"{int(off.sum()) - 1} others; give the series its tick_size"
            )
    apart = whole[0] < whole[1]
    best = _Best(whole[0].astype(np.int32), bid_size, whole[1].astype(np.int32), ask_size)
    return best if apart.all() else jax.tree.map(lambda array: array[apart], best)


@partial(jax.jit, static_argnames=("num_bins", "max_spread", "horizon"))
def _count(best: _Best, max_jump, *, num_bins: int, max_spread: int, horizon: int | None) -> _Counts:
    """Count the transitions of one series; `max_jump` in half ticks."""
    state = _state(best, num_bins, max_spread)
    centre = jnp.asarray(best.bid_tick + best.ask_tick)
    if horizon is None:
        count = centre.shape[0]
        index = next_change(centre)
        exists = index < count
        later = jnp.minimum(index, count - 1)
        start, stop, jump = state.cell, state.cell[later], centre[later] - centre
    else:
        start, stop, jump = state.cell[:-horizon], state.cell[horizon:], centre[horizon:] - centre[:-horizon]
        exists = jnp.ones(start.shape, bool)
    large = exists & (jnp.abs(jump) > max_jump)
    used = exists & ~large
    num_cells = max_spread * (num_bins + 1 - num_bins % 2)
    pair = start * num_cells + stop + jnp.where(jump != 0, num_cells**2, 0)
    # What is not used goes to one more place, which is cut off.
    pairs = jnp.zeros(2 * num_cells**2 + 1, jnp.int32).at[jnp.where(used, pair, 2 * num_cells**2)].add(1)
    unmoved, moved = pairs[:-1].reshape(2, num_cells**2)
    return _Counts(
        unmoved=unmoved,
        moved=moved,
        jump_sum=jax.ops.segment_sum(jnp.where(used, jump, 0), start, num_cells),
        from_cell=jax.ops.segment_sum(used.astype(jnp.int32), start, num_cells),
        wide=(state.spread > max_spread).sum(),
        large_jumps=large.sum(),
    )
