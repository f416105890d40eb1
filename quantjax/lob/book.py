"""A book is four arrays, `[..., level]`, the best level first; a series is a book at each of many times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int64

from quantjax.numerics.arguments import plain

__all__ = ["Book", "BookSeries"]

Array = jax.Array | np.ndarray


class Book(eqx.Module):
    """One order book, or any batch of them: prices and sizes by level, `[..., level]`, best level first.

    A level is absent where its size is 0; its price is NaN there. Every metric masks by size before it touches a price.
    Bid prices fall and ask prices rise with the level; `lob.check` says where they do not.

    Arguments: `bid_price`, `bid_size`, `ask_price`, `ask_size`, floating arrays of one dtype and one shape `[...,
    level]`; prices in quote currency, sizes in base currency. numpy arrays stay numpy arrays until a kernel takes them.

    Raises TypeError for arrays that are not floating (integer ticks: multiply by the tick size first) and ValueError
    for shapes or dtypes that differ, for no levels, and for float64 arrays while JAX's x64 mode is off. Values are not
    looked at, so that a Book can be made under tracing.

    >>> book = Book.from_levels(bids=[(100.00, 5.0), (99.99, 10.0)], asks=[(100.02, 3.0)], levels=3)
    >>> book.bid_size
    array([ 5., 10.,  0.])
    """

    bid_price: Float[Array, "*batch level"]
    bid_size: Float[Array, "*batch level"]
    ask_price: Float[Array, "*batch level"]
    ask_size: Float[Array, "*batch level"]

    def __check_init__(self):
        fields = {name: getattr(self, name) for name in ("bid_price", "bid_size", "ask_price", "ask_size")}
        for name, array in fields.items():
            if not isinstance(array, jax.Array | np.ndarray):
                raise TypeError(
                    f"expected {name} as a numpy or JAX array, got {type(array).__name__}; "
                    "Book.from_levels makes a book from lists of (price, size)"
                )
            if not np.issubdtype(array.dtype, np.floating):
                raise TypeError(
                    f"expected {name} as a floating array, got {array.dtype}; "
                    "turn integer ticks into prices (ticks * tick_size) and lots into sizes first"
                )
        shapes, dtypes = {array.shape for array in fields.values()}, {array.dtype for array in fields.values()}
        if len(shapes) > 1 or len(dtypes) > 1:
            listing = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in fields.items())
            raise ValueError(f"expected four arrays of one shape [..., level] and one dtype, got {listing}")
        if not self.bid_price.shape or self.bid_price.shape[-1] == 0:
            raise ValueError(f"expected at least one level on the last axis, got shape {list(self.bid_price.shape)}")
        if self.bid_price.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            raise ValueError(
                "expected float32 arrays while JAX's x64 mode is off, got float64; call "
                "jax.config.update('jax_enable_x64', True) at the start, or pass float32 arrays for float32 results"
            )

    @classmethod
    def from_levels(
        cls,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
        levels: int | None = None,
        *,
        dtype: np.typing.DTypeLike = np.float64,
    ) -> Self:
        """One book from two lists of (price, size), best first, cut or padded to `levels` (default: the longer side).

        Numbers and decimal strings are taken. Levels of size 0 are left out. Raises ValueError for what is not a pair
        of numbers and for `levels < 1`.
        """
        sides = [_pairs(bids, "bids"), _pairs(asks, "asks")]
        levels = max(1, *(len(side) for side in sides)) if levels is None else levels
        if levels < 1:
            raise ValueError(f"expected levels >= 1, got {levels}")
        arrays = []
        for side in sides:
            price, size = np.full(levels, np.nan, dtype), np.zeros(levels, dtype)
            count = min(levels, len(side))
            price[:count], size[:count] = side[:count].T
            arrays += [price, size]
        return cls(*arrays)

    @property
    def levels(self) -> int:
        """Number of levels a side."""
        return self.bid_price.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the leading axes, `()` for one book."""
        return self.bid_price.shape[:-1]

    def __getitem__(self, index) -> Book:
        """The books at `index` of the leading axes; the level axis stays whole."""
        if not self.batch_shape:
            raise IndexError("expected a batch of books, got one book; its levels are in book.bid_price and the others")
        index = index if isinstance(index, tuple) else (index,)
        return Book(*(array[(*index, ..., slice(None))] for array in _arrays(self)))

    def top(self, levels: int) -> Book:
        """The best `levels` levels of each side."""
        if not 1 <= levels <= self.levels:
            raise ValueError(f"expected 1 <= levels <= {self.levels}, got {levels}")
        return Book(*(array[..., :levels] for array in _arrays(self)))


class BookSeries(eqx.Module):
    """The books of one symbol at each of many times.

    Arguments: `time_ns`, int64 nanoseconds since 1970 UTC `[time]`; `book`, a Book of arrays `[time, level]`; `symbol`;
    `tick_size`, the price step in quote currency. Raises ValueError where the shapes do not fit.

    `series[a:b]` is a series; `len(series)` the number of books.
    """

    time_ns: Int64[Array, " time"]
    book: Book
    symbol: str = eqx.field(static=True, converter=plain)
    tick_size: float | Array

    def __check_init__(self):
        if isinstance(self.time_ns, jax.Array | np.ndarray):
            if self.time_ns.dtype != np.int64:
                raise TypeError(f"expected time_ns as int64 nanoseconds, got {self.time_ns.dtype}")
            if self.book.batch_shape[-1:] != self.time_ns.shape[-1:] or self.time_ns.ndim != len(self.book.batch_shape):
                raise ValueError(
                    f"expected one time for each book, got time_ns{list(self.time_ns.shape)} "
                    f"for books{list(self.book.batch_shape)}"
                )
        elif hasattr(self.time_ns, "to_numpy"):
            raise TypeError(
                f"expected time_ns as an int64 array of nanoseconds, got {type(self.time_ns).__name__}; "
                "index.as_unit('ns').asi8 gives it"
            )
        if isinstance(self.tick_size, int | float) and not self.tick_size > 0:
            raise ValueError(f"expected tick_size > 0, got {self.tick_size}")

    def __len__(self) -> int:
        return self.time_ns.shape[0]

    def __getitem__(self, index: slice | np.ndarray) -> BookSeries:
        if isinstance(index, int | np.integer):
            raise TypeError(f"expected a slice or an array of indices, got {index}; series.book[{index}] is that book")
        return BookSeries(self.time_ns[index], self.book[index], self.symbol, self.tick_size)


def _arrays(book: Book) -> tuple[Array, Array, Array, Array]:
    return book.bid_price, book.bid_size, book.ask_price, book.ask_size


def _pairs(side: Sequence[tuple[float, float]], name: str) -> np.ndarray:
    """`[level, 2]` of (price, size), the levels of size 0 left out."""
    if len(side) == 0:
        return np.empty((0, 2))
    try:
        pairs = np.asarray([(float(price), float(size)) for price, size in side])
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {name} as (price, size) pairs of numbers, got {side[:1]!r}...: {error}") from None
    return pairs[pairs[:, 1] != 0]
