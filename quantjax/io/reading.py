"""The front door: books of any recording, whole or block by block."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from feeds.recording.reading import Damaged
from quantjax.io.data import BookData
from quantjax.io.errors import DataError
from quantjax.io.formats import READERS, resolve_format
from quantjax.io.lobster_messages import LobsterMessages
from quantjax.io.options import Clock, Interval, ReadOptions, ReadReport, as_symbols
from quantjax.io.ticks import UNKNOWN_TICK, InferredTick
from quantjax.lob import Book, BookSeries, TradeSeries

__all__ = ["BookStream", "read_books", "stream_books", "trades_by_symbol"]


class BookStream(Iterator[BookSeries]):
    """An iterator over blocks of books, of one symbol each, that keeps account as it goes.

    `format` and `source` as in `io.BookData`; `counts`, `metadata` and `symbols` are what is known so far, complete
    once the iterator is exhausted.
    """

    def __init__(self, source: Path, format: str, options: ReadOptions) -> None:
        self.source = source
        self.format = format
        self.report = ReadReport()
        self.report.metadata["interval_s"] = options.interval_s
        self._blocks = READERS[format](source, options, self.report)
        self._latest_ns: dict[str, int] = {}
        self._options = options
        self._tick_sizes: dict[str, float] | None = None

    def __iter__(self) -> Iterator[BookSeries]:
        return self

    def __next__(self) -> BookSeries:
        """The next block that is not empty."""
        block = next(self._blocks)
        while not len(block):
            block = next(self._blocks)
        self.report.counts["rows"] += len(block)
        time_ns = np.asarray(block.time_ns)
        before_ns = self._latest_ns.get(block.symbol, int(time_ns[0]))
        self.report.counts["clock_went_back"] += int(np.count_nonzero(np.diff(time_ns, prepend=before_ns) < 0))
        self._latest_ns[block.symbol] = int(time_ns[-1])
        if self._options.keep or not isinstance(block.tick_size, InferredTick):
            return block  # who keeps everything takes the step that is known at the end
        if self._tick_sizes is None:
            self._tick_sizes = _final_tick_sizes(self.source, self.format, self._options)
        tick_size = self._tick_sizes.setdefault(block.symbol, block.tick_size)
        return BookSeries(block.time_ns, block.book, block.symbol, tick_size)

    @property
    def counts(self) -> dict[str, int]:
        """What was read, skipped, cut or kept in spite of a flaw so far, by the names of `io.COUNT_NAMES`."""
        return self.report.counts.as_dict()

    @property
    def metadata(self) -> dict[str, Any]:
        """As in `io.BookData`."""
        return self.report.metadata

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols seen so far, those without books among them."""
        return tuple(self.report.symbols)


def read_books(
    path: str | Path,
    *,
    format: str | None = None,
    symbols: Collection[str] | str | None = None,
    levels: int = 20,
    interval_s: Interval = None,
    clock: Clock = "received",
    damaged: Damaged = "raise",
    dtype: np.typing.DTypeLike = np.float64,
) -> BookData:
    """All books of a recording, its trades, and an account of what was read. Driver.

    Arguments: `path`, a file or a folder; where a format has several files, any of them. `format`: a name of
    `io.FORMATS`; None finds it by looking. `symbols`: those to read; None, all. `levels`: at most so many of each side;
    the levels that a book does not have are absent. `interval_s`: seconds between books: at each multiple, the book as
    what was received before left it; None, every row of the file or every change of a book; "as recorded", as the
    recorder sampled it (raw recordings only). `clock`: whose time `time_ns` is: "received", the recorder's, or
    "exchange", the venue's; `metadata["clock"]` says which it is where the format has only one. `damaged`: what to do
    about damaged segments of a raw recording: "raise", or "skip" and count. `dtype`: of prices and sizes.

    Returns `io.BookData`; prices in quote currency, sizes in base currency (COIN-M contracts are converted, see
    `metadata["contract_multiplier"]`), times in int64 nanoseconds UTC.

    A row that cannot be right is skipped and counted; crossed, one-sided and unsorted books of files that hold finished
    books are kept: see `lob.check` and `lob.clean`. Of Binance's messages and raw recordings only books in sync are
    given: none between a gap and the snapshot after it. Raises FileNotFoundError, and `io.DataError` (a ValueError) for
    files that are not what they should be and for symbols that are not there.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "books.jsonl")
    >>> line = '{"timestamp": "2026-07-21T12:00:01Z", "symbol": "XYZ", "bids": [[99, 1]], "asks": [["101", "2"]]}'
    >>> _ = path.write_text(line + "\\n" + line[:30])  # as a crash leaves it
    >>> data = read_books(path, levels=1)
    >>> data.only().book.ask_price
    array([[101.]])
    >>> data.counts
    {'rows_read': 2, 'rows': 1, 'bytes_cut': 30, 'torn_lines': 1}
    """
    options = ReadOptions(
        as_symbols(symbols), levels, interval_s, clock, damaged=damaged, dtype=dtype, block_rows=1 << 18
    )
    stream = BookStream(*resolve_format(path, format), options)
    blocks: dict[str, list[BookSeries]] = {}
    for block in stream:
        blocks.setdefault(block.symbol, []).append(block)
    report = stream.report
    series = {symbol: _join(blocks.get(symbol, []), symbol, levels, report, dtype) for symbol in report.symbols}
    trades = trades_by_symbol(report, dtype)
    messages = LobsterMessages.join(report.messages) if report.messages else None
    return BookData(series, trades, messages, stream.counts, stream.source, stream.format, report.metadata)


def stream_books(
    path: str | Path,
    *,
    block_rows: int = 65_536,
    format: str | None = None,
    symbols: Collection[str] | str | None = None,
    levels: int = 20,
    interval_s: Interval = None,
    clock: Clock = "received",
    damaged: Damaged = "raise",
    dtype: np.typing.DTypeLike = np.float64,
) -> BookStream:
    """Books of a recording larger than memory, in blocks of one symbol and at most `block_rows` books each. Driver.

    Arguments and errors as in `io.read_books`; what is wrong inside the file is raised when it is reached. Blocks come
    as they fill, so those of several symbols are mixed; `lob.analyze` takes the blocks of one, so pass `symbols="..."`.
    A tick size that nobody states is inferred from all prices in a pass over the file before the first block is given,
    so that every block has the one that `io.read_books` finds; such files are read twice.
    Trades are counted and not kept. Memory holds one block a symbol (`binance-json` files are read whole).

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "books.jsonl")
    >>> line = '{"timestamp": "2026-07-21T12:00:01Z", "symbol": "XYZ", "bids": [[99, 1]], "asks": [["101", "2"]]}'
    >>> _ = path.write_text(5 * (line + "\\n"))
    >>> stream = stream_books(path, block_rows=2)
    >>> [len(block) for block in stream], stream.counts
    ([2, 2, 1], {'rows_read': 5, 'rows': 5})
    """
    options = ReadOptions(
        as_symbols(symbols), levels, interval_s, clock, block_rows, damaged=damaged, dtype=dtype, keep=False
    )
    return BookStream(*resolve_format(path, format), options)


def trades_by_symbol(report: ReadReport, dtype: np.typing.DTypeLike) -> dict[str, TradeSeries]:
    """The trades that a reader found, prices and sizes in `dtype`."""
    return {
        symbol: TradeSeries(
            arrays.time_ns,
            arrays.price.astype(dtype, copy=False),
            arrays.size.astype(dtype, copy=False),
            arrays.side,
            symbol,
            arrays.exchange_ns,
            arrays.trade_id,
        )
        for symbol, arrays in report.trades.items()
    }


def _final_tick_sizes(source: Path, format: str, options: ReadOptions) -> dict[str, float]:
    """Price steps by symbol as they stand after the last book, or as far as the file can be read."""
    report = ReadReport()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the pass that gives the books warns
        try:
            for _ in READERS[format](source, options, report):
                pass
        except (DataError, OSError):  # raised again where the books reach it
            pass
    return report.tick_sizes


def _join(
    blocks: list[BookSeries], symbol: str, levels: int, report: ReadReport, dtype: np.typing.DTypeLike
) -> BookSeries:
    """The blocks of one symbol as one series, which is empty where there are none."""
    tick_size = report.tick_sizes.get(symbol, UNKNOWN_TICK)
    if not blocks:
        nothing = np.empty((0, report.metadata.get("levels") or levels), dtype)
        return BookSeries(np.empty(0, np.int64), Book(nothing, nothing, nothing, nothing), symbol, tick_size)
    if len(blocks) == 1:
        return BookSeries(blocks[0].time_ns, blocks[0].book, symbol, tick_size)
    books = [block.book for block in blocks]
    book = jax.tree.map(lambda *arrays: np.concatenate(arrays), *books)
    return BookSeries(np.concatenate([block.time_ns for block in blocks]), book, symbol, tick_size)
