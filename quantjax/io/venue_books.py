"""Books out of a venue of `feeds`: the messages of any file go through the one machine that synchronises books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from feeds.counters import Counters
from feeds.decimals import to_units
from feeds.errors import MalformedMessage
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate, Snapshot, Trade
from feeds.recording.arrays import BookArrays, BookArraysBuilder, TradeArrays, TradeArraysBuilder
from feeds.recording.sampler import BookRow, BookSampler
from feeds.sync import StateChange, SyncState
from feeds.venue import Output, Venue
from quantjax.io.contracts import Contracts
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.ticks import TickGuess
from quantjax.lob import Book, BookSeries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feeds.sync import BookSync

__all__ = ["Observer", "book_blocks", "venue_rows"]


class Observer:
    """Takes in what a venue is fed; tells trades, price steps, contract sizes and times out of sync, beside the books.

    `watch(venue)` gives a venue that does the same and is observed, which may be handed to
    `feeds.recording.playback.Replay`.
    """

    def __init__(self, options: ReadOptions, report: ReadReport) -> None:
        self.contracts = Contracts()
        self.trades: dict[str, TradeArraysBuilder] = {}
        self.tick_guesses: dict[str, TickGuess] = {}
        self.venue: Venue | None = None
        self._options = options
        self._report = report
        self._lost_ns: dict[str, int] = {}
        self._synced: set[str] = set()
        self._now_ns = 0

    def watch(self, venue: Venue) -> Venue:
        """The venue, observed from now on."""
        self.venue = venue
        return _Watched(venue, self)

    def finish(self) -> None:
        """No more inputs: the books that are lost now stay so."""
        for symbol in list(self._lost_ns):
            self._found(symbol, self._now_ns)

    def take(self, venue: Venue, item: Input, output: Output) -> None:
        """One input and what the venue made of it."""
        self._now_ns = max(self._now_ns, item.received_ns)
        if item.kind is InputKind.RESPONSE and item.label == "exchangeInfo" and item.status == 200:
            self.contracts.learn(item.payload)
        for event in output.events:
            match event:
                case DepthUpdate() | Snapshot():
                    if self._options.wants(event.symbol):
                        self._see_prices(event)
                case Trade():
                    if self._options.wants(event.symbol):
                        self._see_trade(event, item.received_ns)
                case StateChange():
                    self._see_state(event)

    def _see_prices(self, event: DepthUpdate | Snapshot) -> None:
        guess = self.tick_guesses.setdefault(event.symbol, TickGuess())
        # What the book took in is known to be readable.
        guess.see_units(*[to_units(price) for side in (event.bids, event.asks) for price, _ in side])

    def _see_trade(self, trade: Trade, received_ns: int) -> None:
        self._report.counts["trades"] += 1
        if not self._options.keep:
            return
        try:
            price, size = to_units(trade.price), to_units(trade.size)
        except MalformedMessage:
            self._report.counts["conversion_failed"] += 1
            return
        builder = self.trades.setdefault(trade.symbol, TradeArraysBuilder(trade.symbol))
        builder.append(received_ns, trade.exchange_ns, price, size, trade.side, trade.trade_id)

    def _see_state(self, change: StateChange) -> None:
        if not self._options.wants(change.symbol):
            return
        if change.new is SyncState.SYNCED:
            self._report.counts["resyncs"] += change.symbol in self._synced
            self._synced.add(change.symbol)
            self._found(change.symbol, change.received_ns)
        elif change.old is SyncState.SYNCED:
            self._lost_ns[change.symbol] = change.received_ns

    def _found(self, symbol: str, now_ns: int) -> None:
        if (lost_ns := self._lost_ns.pop(symbol, None)) is not None:
            self._report.counts["out_of_sync_ms"] += round((now_ns - lost_ns) / 1e6)


class _Watched:
    """A venue whose inputs and outputs an observer sees."""

    def __init__(self, venue: Venue, observer: Observer) -> None:
        self.name = venue.name
        self.symbols = venue.symbols
        self.counters: Counters = venue.counters
        self._venue = venue
        self._observer = observer

    @property
    def books(self) -> Mapping[str, BookSync]:
        return self._venue.books

    @property
    def tick_sizes(self) -> Mapping[str, str]:
        """As the venue states them, where it does (`feeds.recording.playback.tick_size_text` asks for it)."""
        return getattr(self._venue, "tick_sizes", {})

    def process(self, item: Input) -> Output:
        output = self._venue.process(item)
        self._observer.take(self._venue, item, output)
        return output

    def describe(self) -> bytes:
        return self._venue.describe()


def venue_rows(venue: Venue, inputs: Iterable[Input], options: ReadOptions, report: ReadReport) -> Iterator[BookRow]:
    """Sampled books of a venue that is fed these inputs; `rows_read` counts those of them that came from the file."""
    symbols = [symbol for symbol in venue.symbols if options.wants(symbol)]
    counters = Counters()
    sampler = BookSampler(symbols, options.levels, options.interval_ns, counters=counters)
    try:
        for item in inputs:
            report.counts["rows_read"] += item.kind in (InputKind.FRAME, InputKind.RESPONSE)
            yield from sampler.before(item, venue.books)
            output = venue.process(item)
            yield from sampler.after(item, output, venue.books)
    finally:
        # The venue counts the same jumps of the clock that the sampler does.
        counters.pop("sampler_clock_back", None)
        report.counts.update(counters.totals())
        report.counts.update(venue.counters.totals())


def book_blocks(
    rows: Iterable[BookRow], observer: Observer, levels: int, options: ReadOptions, report: ReadReport
) -> Iterator[BookSeries]:
    """Rows as blocks of one symbol each, as they fill; the report is complete after the last."""
    builders: dict[str, BookArraysBuilder] = {}
    for row in rows:
        builder = builders.get(row.symbol)
        if builder is None:
            builder = builders[row.symbol] = BookArraysBuilder(
                row.symbol, levels, block_rows=min(4096, options.block_rows)
            )
        builder.append(row.time_ns, row.exchange_ns, row.last_update_id, row.bids, row.asks)
        if len(builder) >= options.block_rows:
            yield _series(builder.build(), observer, options, report)
    for builder in builders.values():
        if len(builder):
            yield _series(builder.build(), observer, options, report)
    observer.finish()
    _complete(observer, levels, options, report)


def _series(arrays: BookArrays, observer: Observer, options: ReadOptions, report: ReadReport) -> BookSeries:
    symbol, dtype = arrays.symbol, options.dtype
    contract = observer.contracts.size(symbol) if _in_contracts(observer) else None
    sides = {}
    for side in ("bid", "ask"):
        price, size = getattr(arrays, f"{side}_price"), getattr(arrays, f"{side}_size")
        if contract is not None:
            size = np.where(size > 0, size * contract / price, 0.0)
        sides[f"{side}_price"], sides[f"{side}_size"] = price.astype(dtype, copy=False), size.astype(dtype, copy=False)
    tick_size = report.tick_sizes[symbol] = _tick_size(observer, symbol)[0]
    time_ns = arrays.exchange_ns if options.clock == "exchange" else arrays.time_ns
    series = BookSeries(time_ns, Book(**sides), symbol, tick_size)
    if options.clock == "exchange" and not time_ns.all():
        report.counts["no_exchange_time"] += int(np.count_nonzero(time_ns == 0))
        series = series[time_ns != 0]
    return series


def _complete(observer: Observer, levels: int, options: ReadOptions, report: ReadReport) -> None:
    in_contracts = _in_contracts(observer)
    report.tick_sizes |= {symbol: _tick_size(observer, symbol)[0] for symbol in report.symbols}
    report.metadata |= {
        "exchange": observer.venue.name if observer.venue is not None else None,
        "levels": levels,
        "tick_size": {symbol: _tick_size(observer, symbol)[1] for symbol in report.symbols},
        "source_unit": dict.fromkeys(report.symbols, "contracts" if in_contracts else "base currency"),
    }
    if in_contracts:
        report.metadata["contract_multiplier"] = {
            symbol: observer.contracts.describe(symbol) for symbol in report.symbols
        }
    for symbol, builder in observer.trades.items():
        trades = builder.build()
        size = trades.size * observer.contracts.size(symbol) / trades.price if in_contracts else trades.size
        time_ns = trades.exchange_ns if options.clock == "exchange" else trades.time_ns
        report.trades[symbol] = TradeArrays(
            time_ns, trades.exchange_ns, trades.price, size, trades.side, trades.trade_id, symbol
        )


def _in_contracts(observer: Observer) -> bool:
    return observer.venue is not None and observer.venue.name == "binance-coinm"


def _tick_size(observer: Observer, symbol: str) -> tuple[float, str]:
    """The step of the price and where it is from."""
    stated = getattr(observer.venue, "tick_sizes", {}).get(symbol) or ""
    try:
        if stated and float(stated) > 0:
            return float(stated), f"{float(stated):g}, stated by the exchange"
    except ValueError:
        pass
    guess = observer.tick_guesses.get(symbol, TickGuess())
    return guess.size, guess.describe()
