"""`analyze`: every metric of a recording, block by block, on the host's side of `measure`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from quantjax.lob.book import Book, BookSeries
from quantjax.lob.cores import usable_cores
from quantjax.lob.measures import BookMeasures, BookMetrics, columns, derive, walk
from quantjax.lob.metrics.flags import changed_rows, since_last

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BookAnalysis", "analyze", "analyze_blocks", "run_blocks"]

# (tiles, rows of a tile) in one call of the compiled kernel. On a CPU a tile's arrays stay in the L2 cache; a GPU wants
# many rows at once.
_TILES_CPU = (8, 1000)
_TILES_GPU = (1, 1 << 18)


class BookAnalysis(BookMeasures):
    """Every metric of a series of books: the fields of `BookMeasures` as numpy arrays `[time]`, and

    `time_ns`: int64 `[time]`; `symbol`; `staleness_s`: seconds since the book last changed `[time]`; `counts`: number
    of books, and of those crossed, locked, one-sided, invalid, and out of time order. The metrics of an invalid book
    (see `lob.Flags`) are NaN.
    """

    time_ns: np.ndarray
    staleness_s: np.ndarray
    symbol: str = eqx.field(static=True)

    @property
    def counts(self) -> dict[str, int]:
        """Number of books, and of those in a state to know about."""
        flags = {name: int(np.count_nonzero(getattr(self, name))) for name in ("crossed", "locked", "one_sided")}
        return {
            "books": len(self.time_ns),
            **flags,
            "invalid": int(np.count_nonzero(~np.asarray(self.valid))),
            "clock_went_back": int(np.count_nonzero(np.diff(self.time_ns) < 0)),
        }

    def to_pandas(self) -> pd.DataFrame:
        """A column for every metric and parameter (`bid_depth[10.0]` is `bid_depth_10bps`), indexed by UTC time."""
        import pandas as pd

        data = {name: np.asarray(array) for name, array in columns(self)}
        data["staleness_s"] = self.staleness_s
        frame = pd.DataFrame(data, index=pd.DatetimeIndex(self.time_ns, tz="UTC", name="time"))
        frame.attrs["symbol"] = self.symbol
        return frame

    def __len__(self) -> int:
        return len(self.time_ns)


def analyze(
    series: BookSeries | Iterable[BookSeries],
    metrics: BookMetrics | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> BookAnalysis:
    """Every metric of every book of a series.

    `series`: a BookSeries, or consecutive pieces of one (a recording larger than memory, from `io.stream_books`; its
    results must fit). `metrics`: the parameters, by default `BookMetrics()`. `progress` is called with the number of
    books done since the last call.

    Driver: numpy in and out, blocks that fit the cache, both cores or the GPU. Raises ValueError for no books and for
    pieces of different symbols; books that no metric can be trusted on are counted (`result.counts`), not fatal.

    >>> book = Book.from_levels([(100.00, 5.0)], [(100.02, 3.0)])
    >>> books = jax.tree.map(lambda array: np.stack([array, array]), book)
    >>> result = analyze(BookSeries(np.array([0, 10**9]), books, "XYZ", 0.01))
    >>> result.microprice, result.bid_depth[10.0]
    (array([100.0125, 100.0125]), array([5., 5.]))
    """
    pieces = list(analyze_blocks(series, metrics, progress=progress))
    if not pieces:
        raise ValueError("expected at least one book, got none")
    if len(symbols := dict.fromkeys(piece.symbol for piece in pieces)) > 1:
        raise ValueError(f"expected pieces of one symbol, got {', '.join(symbols)}; analyze_blocks takes several")
    return pieces[0] if len(pieces) == 1 else jax.tree.map(lambda *arrays: np.concatenate(arrays), *pieces)


def analyze_blocks(
    series: BookSeries | Iterable[BookSeries],
    metrics: BookMetrics | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Iterator[BookAnalysis]:
    """`analyze` piece by piece: one result for each piece of the series, for results that do not fit memory. Driver.

    Pieces of several symbols may come in any order; `staleness_s` runs on from piece to piece of a symbol.
    """
    metrics = BookMetrics() if metrics is None else metrics
    pieces = [series] if isinstance(series, BookSeries) else series
    last: dict[str, tuple[Book, int]] = {}  # by symbol: the last book, and when it had last changed
    for piece in pieces:
        if len(piece) == 0:
            continue
        time_ns = np.asarray(piece.time_ns)
        before, last_change_ns = last.get(piece.symbol, (None, int(time_ns[0])))
        if before is not None and before.levels != piece.book.levels:
            before = None  # books of another depth cannot be told from changed ones
        measures, changed = _measure_series(piece, before, metrics, progress)
        staleness_s = since_last(time_ns, changed, last_change_ns)
        last[piece.symbol] = (piece.book[-1:], int(time_ns[-1]) - round(staleness_s[-1] * 1e9))
        yield BookAnalysis(
            **{field.name: getattr(measures, field.name) for field in fields(BookMeasures)},
            time_ns=time_ns,
            staleness_s=staleness_s,
            symbol=piece.symbol,
        )


def _measure_series(
    piece: BookSeries, before: Book | None, metrics: BookMetrics, progress: Callable[[int], None] | None
) -> tuple[BookMeasures, np.ndarray]:
    """`measure` in blocks, and where the book changed; numpy arrays `[time]`."""
    book = jax.tree.map(np.asarray, piece.book)
    shapes = jax.eval_shape(partial(_block, metrics=metrics, tiles=1), book[:1], piece.tick_size)
    out = _columns_like(shapes, len(piece))
    columns_out = jax.tree.leaves(out)
    changed = np.empty(len(piece), bool)

    def keep(start: int, measures: BookMeasures) -> None:
        arrays = [np.asarray(array) for array in jax.tree.leaves(measures)]
        stop = min(start + len(arrays[0]), len(piece))
        changed[start:stop] = changed_rows(book[start:stop], book[start - 1 : start] if start else before)
        for column, array in zip(columns_out, arrays, strict=True):
            column[start:stop] = array[: stop - start]
        if progress is not None:
            progress(stop - start)

    run_blocks(book, piece.tick_size, metrics, keep)
    return out, changed


def run_blocks(book: Book, tick_size, metrics: BookMetrics, take: Callable[[int, BookMeasures], object]) -> None:
    """Measure books `[time, level]` block by block and hand each block's first row and results to `take`, in any order.

    The last block's results are longer than what is left of the books. `take` is called from several threads.
    """
    on_cpu = jax.default_backend() == "cpu"
    tiles, tile = _TILES_CPU if on_cpu else _TILES_GPU
    rows = tiles * tile

    def run(start: int) -> None:
        block = _padded(book[start : start + rows], rows)
        take(start, _block(block, tick_size, metrics=metrics, tiles=tiles))

    # XLA runs a block of this size on one thread: the cores are used by running blocks side by side.
    with ThreadPoolExecutor(usable_cores() if on_cpu else 1) as pool:
        for _ in pool.map(run, range(0, book.batch_shape[0], rows)):
            pass  # an error in a thread is raised here


def _columns_like(shapes: BookMeasures, count: int) -> BookMeasures:
    """An uninitialised column of `count` for each leaf; those of one dtype lie in one array, which gets large pages."""
    leaves, structure = jax.tree.flatten(shapes)
    columns: dict[np.dtype, Iterator[np.ndarray]] = {
        dtype: iter(np.empty((sum(leaf.dtype == dtype for leaf in leaves), count), dtype))
        for dtype in {leaf.dtype for leaf in leaves}
    }
    return jax.tree.unflatten(structure, [next(columns[leaf.dtype]) for leaf in leaves])


def _padded(book: Book, rows: int) -> Book:
    """The books, and empty ones after them up to `rows`, so that one compiled kernel serves every block."""
    missing = rows - book.batch_shape[0]
    return jax.tree.map(lambda array: np.pad(array, ((0, missing), (0, 0))), book) if missing else book


@partial(jax.jit, static_argnames=("metrics", "tiles"))
def _block(book: Book, tick_size, *, metrics: BookMetrics, tiles: int) -> BookMeasures:
    """Measures `[row]` of books `[row, level]`, walked in tiles.

    The tiles are turned to `[level, row]`: with the rows as the contiguous axis XLA's loops over them are vector loops.
    As operand of the loop over the tiles the turned array is in memory before the first one; inside, XLA would fuse the
    turning into each of its loops.
    """
    turned = jax.tree.map(lambda array: array.reshape(tiles, -1, array.shape[-1]).swapaxes(1, 2), book)
    walk_tile = jax.vmap(lambda item: walk(item, tick_size, metrics), in_axes=-1)
    walked = jax.tree.map(jnp.ravel, jax.lax.map(walk_tile, turned))
    measures = derive(walked, tick_size)
    known = measures.valid
    return jax.tree.map(
        lambda array: jnp.where(known, array, jnp.nan) if jnp.issubdtype(array.dtype, jnp.floating) else array, measures
    )
