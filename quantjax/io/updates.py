"""The front door to level updates: what the books of a recording took in, message by message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feeds.recording.reading import Damaged
from quantjax.io.formats import PLAYBACKS, resolve_format
from quantjax.io.options import Clock, ReadOptions, ReadReport, as_symbols
from quantjax.io.reading import read_books, trades_by_symbol
from quantjax.io.update_streams import UpdateCollector, UpdateStream
from quantjax.io.venue_books import Observer, describe_venue
from quantjax.lob import BookSeries, TradeSeries, clean
from quantjax.lob.differences import level_updates

__all__ = ["UpdateData", "read_updates"]


@dataclass(frozen=True, eq=False)
class UpdateData:
    """The level updates of a recording.

    `streams`: by symbol, one `io.UpdateStream` for each stretch in which its book was in sync, in order; none where it
    never was. `trades`, `counts`, `source`, `format` and `metadata` as in `io.BookData`; `counts["rows"]` is the number
    of level updates, those of the snapshots apart, and `counts["streams"]` that of the stretches. Of files that hold
    finished books `metadata["derived"]` says that the updates are differences.
    """

    streams: Mapping[str, tuple[UpdateStream, ...]]
    trades: Mapping[str, TradeSeries]
    counts: dict[str, int]
    source: Path
    format: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the recording that were asked for."""
        return tuple(self.streams)

    def only(self) -> UpdateStream:
        """The one stream there is. Raises ValueError, naming the symbols, where there are several or none."""
        if sum(map(len, self.streams.values())) != 1:
            found = ", ".join(f"{symbol}: {len(streams)}" for symbol, streams in self.streams.items()) or "no symbols"
            raise ValueError(
                f"{self.source}: expected one symbol that was in sync throughout, got streams {found}; take one from "
                ".streams, or pass symbols=[...]"
            )
        return next(stream for streams in self.streams.values() for stream in streams)


def read_updates(
    path: str | Path,
    *,
    format: str | None = None,
    symbols: Collection[str] | str | None = None,
    levels: int = 20,
    clock: Clock = "received",
    damaged: Damaged = "raise",
    dtype: np.typing.DTypeLike = np.float64,
) -> UpdateData:
    """All level updates of a recording that its synchronised books took in, and its trades. Driver.

    Applying a stream's `updates` to its `snapshot` gives, after each message, the book that `io.read_books` gives,
    however many levels one looks at. Nothing is given between a gap or a lost connection and the snapshot after it:
    the next stream begins there.

    Arguments: `path`, `format`, `symbols`, `damaged` as in `io.read_books`. `clock`: whose time the updates have:
    "received", the recorder's (when the book took the update in), or "exchange", the venue's. The latter is made never
    to decrease: a message with a time before the latest one takes that (`clock_went_back` counts them), one without a
    time the latest one, and a snapshot without a time that of the first message after it (`no_exchange_time`).
    `levels`: of files that hold finished books only, how many of each side are compared; a venue's messages have all.
    `dtype`: of sizes and of the trades.

    Returns `io.UpdateData`. Ticks are int64 multiples of the price step: the one that the exchange states, or else the
    greatest common divisor of all prices of the symbol in the recording. Sizes are in base currency (COIN-M contracts
    are converted as in `io.read_books`), times in int64 nanoseconds UTC.

    Files that hold finished books (LOBSTER, JSON lines, Parquet) give the differences of consecutive books
    (`lob.level_updates`) as one stream: `update_id` is then the number of the book, from 0 on, among those that are
    kept. Books that are unsorted are left out (`unsorted_dropped`), and times never decrease (`clock_went_back` counts
    the steps back).

    Raises FileNotFoundError, `io.DataError` (a ValueError) as `io.read_books` does and for prices that int64 ticks
    cannot hold, and ValueError for finished books whose dtype does not tell ticks apart.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "books.jsonl")
    >>> line = '{"timestamp": "2026-07-21T12:00:%02dZ", "symbol": "XYZ", "bids": [[99, %d]], "asks": [[101, 2]]}\\n'
    >>> _ = path.write_text(line % (1, 1) + line % (2, 5))
    >>> stream = read_updates(path).only()
    >>> stream.snapshot.tick * stream.snapshot.tick_size, stream.updates.side, stream.updates.size
    (array([ 99., 101.]), array([1]), array([5.]))
    """
    options = ReadOptions(as_symbols(symbols), levels, None, clock, damaged=damaged, dtype=dtype)
    path, format = resolve_format(path, format)
    if format not in PLAYBACKS:
        return _differences(path, format, options)
    report = ReadReport()
    playback = PLAYBACKS[format](path, options, report)
    collector = UpdateCollector(options, report)
    observer = Observer(options, report, collector.take)
    for _ in playback.outputs(observer.watch):
        pass
    collector.finish()
    describe_venue(observer, options, report)
    streams = {symbol: collector.build(symbol, observer) for symbol in report.symbols}
    trades = trades_by_symbol(report, options.dtype)
    report.metadata.pop("interval_s", None)
    report.counts.update(_totals(streams))
    return UpdateData(streams, trades, report.counts.as_dict(), path, format, report.metadata)


def _totals(streams: Mapping[str, tuple[UpdateStream, ...]]) -> dict[str, int]:
    found = [stream for group in streams.values() for stream in group]
    return {"rows": sum(map(len, found)), "streams": len(found)}


def _differences(path: Path, format: str, options: ReadOptions) -> UpdateData:
    data = read_books(
        path,
        format=format,
        symbols=options.symbols,
        levels=options.levels,
        clock=options.clock,
        damaged=options.damaged,
        dtype=options.dtype,
    )
    streams, unsorted = {}, 0
    for symbol, series in data.series.items():
        cleaned = clean(series, crossed="keep", time_order="keep")
        assert isinstance(cleaned.books, BookSeries)
        unsorted += cleaned.counts["invalid_dropped"]
        streams[symbol] = (_stream(cleaned.books, data.metadata["clock"]),) if len(cleaned.books) else ()
    metadata = {name: value for name, value in data.metadata.items() if name != "interval_s"}
    metadata["derived"] = "differences of recorded books"
    counts = {name: count for name, count in data.counts.items() if name != "unsorted_kept"} | _totals(streams)
    counts |= {"unsorted_dropped": unsorted} if unsorted else {}
    return UpdateData(streams, data.trades, counts, path, format, metadata)


def _stream(series: BookSeries, clock: str) -> UpdateStream:
    time_ns = np.maximum.accumulate(np.asarray(series.time_ns))
    found = level_updates(BookSeries(time_ns, series.book, series.symbol, series.tick_size))
    unknown = np.zeros(len(found.updates), np.int64)
    update_ns = np.asarray(found.updates.time_ns)
    received_ns, exchange_ns = (unknown, update_ns) if clock == "exchange" else (update_ns, unknown)
    first_ns, last_ns = int(time_ns[0]), int(time_ns[-1])
    return UpdateStream(
        found.snapshot, found.updates, found.row, received_ns, exchange_ns, 0, first_ns, last_ns, "end of recording"
    )
