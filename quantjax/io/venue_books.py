"""Books out of a venue of `feeds`: the messages of any file go through the one machine that synchronises books."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from feeds.decimals import to_units
from feeds.errors import MalformedMessage
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate, Snapshot, Trade
from feeds.recording.arrays import BookArrays, BookArraysBuilder, TradeArrays, TradeArraysBuilder
from feeds.recording.sampler import BookRow
from feeds.sync import StateChange, SyncState
from feeds.venue import Output, Venue
from quantjax.io.contracts import Contracts
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.playback import OpenPlayback, Watched
from quantjax.io.ticks import TickGuess
from quantjax.lob import Book, BookSeries

__all__ = ["Observer", "describe_venue", "in_base_currency", "read_venue", "stated_or_inferred"]

Listener = Callable[[Input, Output, int], None]


class Observer:
    """Takes in what a venue is fed; tells trades, price steps, contract sizes and times out of sync, beside the books.

    `watch(venue)` gives a venue that does the same and is observed, which may be handed to
    `feeds.recording.playback.Replay`. `listener` hears of every input, of what the venue made of it, and of the latest
    time that there was.
    """

    def __init__(self, options: ReadOptions, report: ReadReport, listener: Listener | None = None) -> None:
        self.contracts = Contracts()
        self.trades: dict[str, TradeArraysBuilder] = {}
        self.tick_guesses: dict[str, TickGuess] = {}
        self.venue: Venue | None = None
        self._options = options
        self._report = report
        self._listener = listener
        self._lost_ns: dict[str, int] = {}
        self._synced: set[str] = set()
        self._now_ns = 0

    def watch(self, venue: Venue) -> Venue:
        """The venue, observed from now on."""
        self.venue = venue
        return Watched(venue, self.take)

    def finish(self) -> None:
        """No more inputs: the books that are lost now stay so."""
        for symbol in list(self._lost_ns):
            self._found(symbol, self._now_ns)

    @property
    def in_contracts(self) -> bool:
        """Whether sizes are contracts rather than base currency."""
        return self.venue is not None and self.venue.name == "binance-coinm"

    def contract(self, symbol: str) -> float | None:
        """US dollars a contract; None where sizes are base currency."""
        return self.contracts.size(symbol) if self.in_contracts else None

    def tick_size(self, symbol: str) -> tuple[float, str]:
        """The step of a symbol's price as far as is known, and where it is from."""
        stated = getattr(self.venue, "tick_sizes", {}).get(symbol) or ""
        return stated_or_inferred(stated, self.tick_guesses.get(symbol, TickGuess()))

    def take(self, item: Input, output: Output) -> None:
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
        if self._listener is not None:
            self._listener(item, output, self._now_ns)

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


def read_venue(
    open_playback: OpenPlayback, path: Path, options: ReadOptions, report: ReadReport
) -> Iterator[BookSeries]:
    """Books of a recording of a venue's messages, in blocks of one symbol each, as they fill."""
    playback = open_playback(path, options, report)
    observer = Observer(options, report)
    yield from _blocks(playback.rows(observer.watch), observer, playback.levels, options, report)


def _blocks(
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
    report.metadata["levels"] = levels
    describe_venue(observer, options, report)


def _series(arrays: BookArrays, observer: Observer, options: ReadOptions, report: ReadReport) -> BookSeries:
    symbol, dtype = arrays.symbol, options.dtype
    contract = observer.contract(symbol)
    sides = {}
    for side in ("bid", "ask"):
        price, size = getattr(arrays, f"{side}_price"), getattr(arrays, f"{side}_size")
        size = in_base_currency(size, price, contract)
        sides[f"{side}_price"], sides[f"{side}_size"] = price.astype(dtype, copy=False), size.astype(dtype, copy=False)
    tick_size = report.tick_sizes[symbol] = observer.tick_size(symbol)[0]
    time_ns = arrays.exchange_ns if options.clock == "exchange" else arrays.time_ns
    series = BookSeries(time_ns, Book(**sides), symbol, tick_size)
    if options.clock == "exchange" and not time_ns.all():
        report.counts["no_exchange_time"] += int(np.count_nonzero(time_ns == 0))
        series = series[time_ns != 0]
    return series


def describe_venue(observer: Observer, options: ReadOptions, report: ReadReport) -> None:
    """After the last input: what the observer saw, into the report's metadata, tick sizes and trades."""
    observer.finish()
    in_contracts = observer.in_contracts
    report.tick_sizes |= {symbol: observer.tick_size(symbol)[0] for symbol in report.symbols}
    report.metadata |= {
        "exchange": observer.venue.name if observer.venue is not None else None,
        "tick_size": {symbol: observer.tick_size(symbol)[1] for symbol in report.symbols},
        "source_unit": dict.fromkeys(report.symbols, "contracts" if in_contracts else "base currency"),
    }
    if in_contracts:
        report.metadata["contract_multiplier"] = {
            symbol: observer.contracts.describe(symbol) for symbol in report.symbols
        }
    for symbol, builder in observer.trades.items():
        trades = builder.build()
        size = in_base_currency(trades.size, trades.price, observer.contract(symbol))
        time_ns = trades.exchange_ns if options.clock == "exchange" else trades.time_ns
        report.trades[symbol] = TradeArrays(
            time_ns, trades.exchange_ns, trades.price, size, trades.side, trades.trade_id, symbol
        )


def in_base_currency(size: np.ndarray, price: np.ndarray, contract: float | None) -> np.ndarray:
    """Sizes in base currency; `contract`: US dollars a contract where they are contracts. Size 0 stays 0."""
    return size if contract is None else np.where(size > 0, size * contract / price, 0.0)


def stated_or_inferred(stated: str, guess: TickGuess) -> tuple[float, str]:
    """The step of the price, as the venue states it (a decimal string) where it does, and where it is from."""
    try:
        if stated and float(stated) > 0:
            return float(stated), f"{float(stated):g}, stated by the exchange"
    except ValueError:
        pass
    return guess.size, guess.describe()
