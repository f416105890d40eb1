"""`analyze`: every metric of a recording, block by block, on the host's side of `measure`."""

from __future__ import annotations

import os
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
from quantjax.lob.measures import BookMeasures, BookMetrics, columns, measure
from quantjax.lob.metrics.flags import changed_rows, since_last

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BookAnalysis", "analyze", "analyze_blocks"]

# Rows of one call of the compiled kernel. On a CPU a block's inputs and outputs fit the L2 cache; a GPU wants many
# rows.
_ROWS_CPU = 2000
_ROWS_GPU = 1 << 18


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
    return pieces[0] if len(pieces) == 1 else jax.tree.map(lambda *arrays: np.concatenate(arrays), *pieces)


def analyze_blocks(
    series: BookSeries | Iterable[BookSeries],
    metrics: BookMetrics | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Iterator[BookAnalysis]:
    """`analyze` piece by piece: one result for each piece of the series, for results that do not fit memory. Driver.

    `staleness_s` runs on from piece to piece.
    """
    metrics = BookMetrics() if metrics is None else metrics
    pieces = [series] if isinstance(series, BookSeries) else series
    last: BookSeries | None = None
    last_change_ns = 0
    for piece in pieces:
        if len(piece) == 0:
            continue
        if last is not None and piece.symbol != last.symbol:
            raise ValueError(f"expected pieces of one symbol, got {last.symbol!r} and then {piece.symbol!r}")
        time_ns = np.asarray(piece.time_ns)
        changed = changed_rows(piece.book, None if last is None else last.book)
        staleness_s = since_last(time_ns, changed, last_change_ns if last is not None else int(time_ns[0]))
        last_change_ns = int(time_ns[-1]) - round(staleness_s[-1] * 1e9)
        last = piece[-1:]
        measures = _measure_series(piece, metrics, progress)
        yield BookAnalysis(
            **{field.name: getattr(measures, field.name) for field in fields(BookMeasures)},
            time_ns=time_ns,
            staleness_s=staleness_s,
            symbol=piece.symbol,
        )


def _measure_series(piece: BookSeries, metrics: BookMetrics, progress: Callable[[int], None] | None) -> BookMeasures:
    """`measure` in blocks; numpy arrays `[time]`."""
    on_cpu = jax.default_backend() == "cpu"
    rows = _ROWS_CPU if on_cpu else _ROWS_GPU
    book = jax.tree.map(np.asarray, piece.book)
    count = len(piece)
    shapes = jax.eval_shape(partial(_block, metrics=metrics), _levels_first(book[:1], 1), piece.tick_size)
    out = jax.tree.map(lambda shape: np.empty(count, shape.dtype), shapes)
    columns_out = jax.tree.leaves(out)

    def run(start: int) -> int:
        stop = min(start + rows, count)
        block = _block(_levels_first(book[start:stop], rows), piece.tick_size, metrics=metrics)
        for column, array in zip(columns_out, jax.tree.leaves(block), strict=True):
            column[start:stop] = np.asarray(array)[: stop - start]
        return stop - start

    # XLA runs a block of this size on one thread: the cores are used by running blocks side by side.
    with ThreadPoolExecutor(os.cpu_count() if on_cpu else 1) as pool:
        for done in pool.map(run, range(0, count, rows)):
            if progress is not None:
                progress(done)
    return out


def _levels_first(book: Book, rows: int) -> Book:
    """The books as `[level, row]`, padded with empty books to `rows`, so that one compiled kernel serves every block.

    Turned round by numpy, block by block: with the rows as the contiguous axis XLA's loops over them are vector loops,
    and a transpose left to XLA would be fused into every one of them.
    """
    count = book.batch_shape[0]

    def turn(array: np.ndarray) -> np.ndarray:
        turned = np.zeros((array.shape[1], rows), array.dtype)
        turned[:, :count] = array.T
        return turned

    return jax.tree.map(turn, book)


@partial(jax.jit, static_argnames="metrics")
def _block(book: Book, tick_size, *, metrics: BookMetrics) -> BookMeasures:
    measures = jax.vmap(lambda item: measure(item, tick_size, metrics), in_axes=-1)(book)
    known = measures.valid
    return jax.tree.map(
        lambda array: jnp.where(known, array, jnp.nan) if jnp.issubdtype(array.dtype, jnp.floating) else array, measures
    )
