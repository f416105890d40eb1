"""Order flow imbalance (OFI) over intervals of time or of events, with the price changes and depths beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int64

from quantjax.lob.book import Book, BookSeries
from quantjax.lob.cores import usable_cores
from quantjax.lob.flow.order_flow import order_flow
from quantjax.numerics.arguments import as_floating, whole_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "OrderFlowImbalance",
    "normalised_order_flow",
    "order_flow_imbalance",
    "order_flow_imbalance_by_count",
    "sum_by_interval",
]

Array = jax.Array | np.ndarray

# Rows of a block: on a CPU its arrays stay in the cache, a GPU wants many at once.
_ROWS_CPU, _ROWS_GPU = 8192, 1 << 18


class OrderFlowImbalance(eqx.Module):
    """Order flow summed over consecutive intervals; the k-th is (edge k, edge k+1].

    `edges_ns`: int64 `[interval + 1]`; `mid` `[interval + 1]`: the mid price of the last book at or before each edge,
    quote currency, NaN where it lacks a side; `ofi` `[interval, level]`: sum of `order_flow` over the books that came
    in the interval, base currency; `depth` `[interval, level]`: mean over those books of (q^b + q^a)/2, base currency,
    where none came that of the book that stands; `num_events` `[interval]`: how many came, the first book of the
    series, which has no flow, not counted; `mid_change` `[interval]`: in ticks, from prices in whole ticks wherever
    they are that within their rounding, so that float32 prices give the same as float64 ones.

    Before the first book and after the last nothing is known: `mid` is NaN at edges there, and `ofi`, `depth` and
    `mid_change` are NaN in intervals that begin before the first book (`num_before_first_book` of them) or end after
    the last (`num_beyond_last_book`), which regressions leave out. `num_left_out`: books of the series after its first
    that fall into no interval.

    What is known at edge k+1 is all that the k-th interval holds: nothing looks ahead.
    """

    edges_ns: Int64[np.ndarray, " edge"]
    mid: Float[np.ndarray, " edge"]
    mid_change: Float[np.ndarray, " interval"]
    ofi: Float[np.ndarray, "interval level"]
    depth: Float[np.ndarray, "interval level"]
    num_events: Int[np.ndarray, " interval"]
    num_left_out: int
    symbol: str = eqx.field(static=True)
    num_before_first_book: int = 0
    num_beyond_last_book: int = 0

    def __len__(self) -> int:
        return len(self.num_events)

    @property
    def normalised(self) -> Float[np.ndarray, "interval level"]:
        """`normalised_order_flow(ofi, depth)`, `[interval, level]`, no unit."""
        return np.asarray(normalised_order_flow(self.ofi, self.depth))

    def to_pandas(self) -> pd.DataFrame:
        """A row for each interval, indexed by the UTC time of its end; levels count from 1 (`ofi_1`, `depth_1`)."""
        import pandas as pd

        columns = {"num_events": self.num_events, "mid": self.mid[1:], "mid_change": self.mid_change}
        for name in ("ofi", "depth"):
            columns |= {f"{name}_{i + 1}": column for i, column in enumerate(getattr(self, name).T)}
        frame = pd.DataFrame(columns, index=pd.DatetimeIndex(self.edges_ns[1:], tz="UTC", name="time"))
        frame.attrs["symbol"] = self.symbol
        return frame


def normalised_order_flow(ofi, depth) -> Float[jax.Array, "*batch level"]:
    """Order flow in units of the mean depth: ofi^m = OFI^m / ((1/M) sum_m depth^m), `[..., level]`, no unit.

    `ofi`, `depth`: `[..., level]`, summed and averaged over the same interval, of the same M levels. One divisor serves
    all levels. NaN where the depth is 0. Broadcasting. Raises ValueError for float64 while JAX's x64 mode is off.
    Source: Cont, Cucuringu & Zhang (2023), arXiv 2112.13213, eq. 3.
    """
    ofi, depth = as_floating(ofi, "ofi"), as_floating(depth, "depth")
    mean = depth.mean(-1, keepdims=True)
    known = mean > 0
    return jnp.where(known, ofi / jnp.where(known, mean, 1.0), jnp.nan)


def sum_by_interval(values, interval, num_intervals: int) -> jax.Array:
    """Sums over the rows of each interval: `[num_intervals, ...]` from `values` `[time, ...]`.

    `interval`: integers `[time]` that never decrease: the interval of each row, rows with one outside 0 ...
    `num_intervals` - 1 in none. Per item.

    >>> sum_by_interval(jnp.array([1.0, 2.0, 4.0, 8.0]), jnp.array([-1, 0, 0, 2]), 3).tolist()
    [6.0, 0.0, 8.0]
    """
    # Segments before and after take what is in none: JAX reads negative indices from the end.
    shifted = jnp.clip(jnp.asarray(interval) + 1, 0, num_intervals + 1)
    sums = jax.ops.segment_sum(jnp.asarray(values), shifted, num_intervals + 2, indices_are_sorted=True)
    return sums[1:-1]


def order_flow_imbalance(series: BookSeries, edges_ns, *, levels: int = 1) -> OrderFlowImbalance:
    """Order flow imbalance over the intervals (edge_k, edge_{k+1}]: OFI_k = sum of e_n over their books.

    `series`: books in order of time; `edges_ns`: int64 nanoseconds, strictly increasing, at least two; `levels`: how
    many of the best levels. The mid at an edge is that of the last book at or before it, and a book with the time of an
    edge belongs to the interval that ends there: flow and price change of an interval come from the same books.
    Intervals that reach beyond the first or the last book are NaN and counted: nothing says what happened there. An
    interval with an invalid book (see `order_flow`) has NaN flow: `lob.clean` drops those.

    Driver. Raises TypeError for times that are not integers, ValueError for times that go back, fewer than two edges
    and levels that the books do not have. Source: Cont, Kukanov & Stoikov (2014), eq. 5.

    >>> book = Book.from_levels([(1.0, 5)], [(1.2, 3)]), Book.from_levels([(1.1, 2)], [(1.2, 4)])
    >>> series = BookSeries(np.array([0, 10]), jax.tree.map(lambda *a: np.stack(a), *book), "XYZ", 0.1)
    >>> result = order_flow_imbalance(series, np.array([0, 5, 10, 20]))
    >>> result.ofi.tolist(), result.mid_change.tolist(), result.num_events.tolist(), result.num_beyond_last_book
    ([[0.0], [1.0], [nan]], [0.0, 0.5, nan], [0, 1, 0], 1)
    """
    edges_ns = np.asarray(edges_ns)
    if not np.issubdtype(edges_ns.dtype, np.integer):
        raise TypeError(f"expected edges_ns as int64 nanoseconds, got {edges_ns.dtype}")
    if edges_ns.ndim != 1 or len(edges_ns) < 2 or (np.diff(edges_ns) <= 0).any():
        raise ValueError(f"expected at least two strictly increasing edges [edge], got shape {list(edges_ns.shape)}")
    time_ns = check_times(series)
    rows = np.searchsorted(time_ns, edges_ns, side="right") - 1
    return aggregate(series, rows, edges_ns.astype(np.int64), levels)


def order_flow_imbalance_by_count(series: BookSeries, num_events: int, *, levels: int = 1) -> OrderFlowImbalance:
    """Order flow imbalance over every `num_events` consecutive books: `order_flow_imbalance` in event time.

    The edges are books 0, n, 2n, ...; those after the last whole interval are counted in `num_left_out`. Two edges may
    share a time. Driver. Raises ValueError for `num_events < 1`, for a series too short for one interval, and as
    `order_flow_imbalance`.
    """
    num_events = whole_number(num_events, "num_events")
    time_ns = check_times(series)
    rows = np.arange(0, len(series), num_events)
    if len(rows) < 2:
        raise ValueError(f"expected more than {num_events} books for intervals of as many events, got {len(series)}")
    return aggregate(series, rows, time_ns[rows], levels)


def check_times(series: BookSeries) -> np.ndarray:
    """The series' times as numpy int64. ValueError where they go back or there are none, TypeError for no series."""
    if not isinstance(series, BookSeries):
        got = type(series).__name__
        advice = "; stream.books() gives one" if hasattr(series, "books") else ""
        raise TypeError(f"expected a lob.BookSeries, got {got}{advice}")
    time_ns = np.asarray(series.time_ns)
    if time_ns.ndim != 1 or len(time_ns) == 0:
        raise ValueError(f"expected the books of one series, at least one, got times{list(time_ns.shape)}")
    if (back := np.diff(time_ns) < 0).any():
        raise ValueError(
            f"expected times that never decrease, got {int(back.sum())} steps back, the first after row "
            f"{int(np.argmax(back))}; lob.clean(series, time_order='sort') sorts them"
        )
    return time_ns


def aggregate(series: BookSeries, rows: np.ndarray, edges_ns: np.ndarray, levels: int) -> OrderFlowImbalance:
    """OFI over the books after row `rows[k]` up to `rows[k+1]`, -1 before the first; driver."""
    book = jax.tree.map(np.asarray, series.book.top(whole_number(levels, "levels")))
    ofi, depth = _interval_sums(book, rows)
    early, late = rows < 0, edges_ns > np.asarray(series.time_ns)[-1]
    unknown = early[:-1] | late[1:]
    num_events = np.diff(np.maximum(rows, 0))
    stands = book[np.maximum(rows[:-1], 0)]
    standing = 0.5 * (stands.bid_size + stands.ask_size)
    depth = np.where(num_events[:, None] > 0, depth / np.maximum(num_events, 1)[:, None], standing)
    best = book[np.maximum(rows, 0)].top(1)
    dtype = ofi.dtype
    return OrderFlowImbalance(
        edges_ns=edges_ns,
        mid=np.where(early | late, np.nan, _mid(best)).astype(dtype),
        mid_change=np.where(unknown, np.nan, np.diff(_mid(best, float(series.tick_size)))).astype(dtype),
        ofi=np.where(unknown[:, None], np.nan, ofi).astype(dtype),
        depth=np.where(unknown[:, None], np.nan, depth).astype(dtype),
        num_events=num_events,
        num_left_out=len(series) - 1 - int(num_events.sum()),
        symbol=series.symbol,
        num_before_first_book=int(early[:-1].sum()),
        num_beyond_last_book=int(late[1:].sum()),
    )


def _interval_sums(book: Book, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of order flow and of (q^b + q^a)/2 over the books after `rows[k]` up to `rows[k+1]`, `[interval, level]`.

    In blocks of one shape, side by side: what is in between stays in the cache, and one compiled kernel serves series
    of any length and any edges.
    """
    num_rows, on_cpu = book.batch_shape[0], jax.default_backend() == "cpu"
    size = _ROWS_CPU if on_cpu else _ROWS_GPU
    # The interval of each book; 0 takes those before the first edge and the last those after the last.
    lengths = np.diff(np.concatenate([[-1], rows, [num_rows - 1]]))
    interval = np.repeat(np.arange(len(rows) + 1), lengths)
    sums = np.zeros((2, len(rows) + 1, book.levels), book.bid_size.dtype)

    def run(start: int) -> tuple[np.ndarray, np.ndarray]:
        stop = min(start + size, num_rows)
        here = interval[start:stop]
        new = np.append(True, here[1:] != here[:-1])
        segment = np.full(size, size, np.int32)
        segment[: stop - start] = np.cumsum(new) - 1
        before = book[max(start - 1, 0) : stop]
        # The first book of all is its own predecessor: no flow.
        missing = (int(start == 0), size - (stop - start))
        if any(missing):
            before = jax.tree.map(lambda array: np.pad(array, (missing, (0, 0)), mode="edge"), before)
        block = _block_sums(before, segment)
        numbers = here[new]
        return numbers, np.stack([np.asarray(part)[: len(numbers)] for part in block])

    with ThreadPoolExecutor(usable_cores() if on_cpu else 1) as pool:
        for numbers, block in pool.map(run, range(0, num_rows, size)):
            sums[:, numbers] += block
    return sums[0, 1:-1], sums[1, 1:-1]


@jax.jit
def _block_sums(book: Book, segment: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums by segment of a block `[1 + row, level]`, whose first book is only there to be the one before."""
    flow = order_flow(book[:-1], book[1:])
    depth = 0.5 * (book.bid_size + book.ask_size)[1:]
    return sum_by_interval(flow, segment, len(segment)), sum_by_interval(depth, segment, len(segment))


def _mid(book: Book, tick_size: float | None = None) -> np.ndarray:
    """Mid of the best level in float64 on the host, `[row]`: quote currency, or ticks where `tick_size` is given."""
    prices = [np.asarray(price)[:, 0] for price in (book.bid_price, book.ask_price)]
    both = (book.bid_size[:, 0] > 0) & (book.ask_size[:, 0] > 0)
    bid, ask = (price.astype(np.float64) if tick_size is None else _ticks(price, tick_size) for price in prices)
    return np.where(both, 0.5 * (bid + ask), np.nan)


def _ticks(price: np.ndarray, tick_size: float) -> np.ndarray:
    """Prices in ticks, float64; whole where the rounding of their dtype allows, and tells ticks apart."""
    ticks = price.astype(np.float64) / tick_size
    nearest = np.rint(ticks)
    ulp = float(np.finfo(price.dtype).eps) * np.abs(ticks)
    with np.errstate(invalid="ignore"):  # infinite prices, which are invalid
        on_grid = (np.abs(ticks - nearest) <= ulp) & (ulp < 0.9)
    return np.where(on_grid, nearest, ticks)
