"""Best bids and asks as the venue announces them (Binance's `bookTicker`), beside the books that updates make."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from jaxtyping import Int64

from feeds.binance.messages import Reply, parse_exchange_info, parse_frame
from feeds.clock import VenueClock
from feeds.decimals import to_float, to_units
from feeds.errors import MalformedMessage
from feeds.inputs import Input, InputKind
from feeds.recording.reading import Damaged
from feeds.venue import Output, Venue
from quantjax.io.contracts import Contracts
from quantjax.io.errors import DataError
from quantjax.io.formats import PLAYBACKS, resolve_format
from quantjax.io.options import Clock, ReadOptions, ReadReport, as_symbols
from quantjax.io.playback import Watched
from quantjax.io.ticks import TickGuess
from quantjax.io.venue_books import in_base_currency, stated_or_inferred
from quantjax.lob import Book, BookSeries

__all__ = ["QuoteData", "QuoteSeries", "read_quotes"]


@dataclass(frozen=True, eq=False)
class QuoteSeries:
    """The announced best bid and ask of one symbol, in the order in which the announcements came.

    `series`: books of one level, `[quote]` times; a side that is empty is absent. `update_id`, the venue's id of the
    book's update that an announcement is as of; `received_ns`, by the recorder's clock, which never goes back;
    `exchange_ns`, the venue's time, 0 where it states none: int64 `[quote]`.
    """

    series: BookSeries
    update_id: Int64[np.ndarray, " quote"]
    received_ns: Int64[np.ndarray, " quote"]
    exchange_ns: Int64[np.ndarray, " quote"]

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, eq=False)
class QuoteData:
    """The quotes of a recording by symbol; one without any has an empty series. The rest as in `io.BookData`."""

    quotes: Mapping[str, QuoteSeries]
    counts: dict[str, int]
    source: Path
    format: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the recording that were asked for."""
        return tuple(self.quotes)

    def only(self) -> QuoteSeries:
        """The quotes of the one symbol there is. Raises ValueError, naming the symbols, where there are others."""
        if len(self.quotes) != 1:
            found = ", ".join(self.quotes) or "none"
            raise ValueError(
                f"{self.source}: expected quotes of one symbol, got {len(self.quotes)} ({found}); take one from "
                ".quotes, or pass symbols=[...]"
            )
        return next(iter(self.quotes.values()))


def read_quotes(
    path: str | Path,
    *,
    format: str | None = None,
    symbols: Collection[str] | str | None = None,
    clock: Clock = "received",
    damaged: Damaged = "raise",
    dtype: np.typing.DTypeLike = np.float64,
) -> QuoteData:
    """The best bids and asks that a venue announced on its own, apart from its books (`bookTicker`). Driver.

    Read from the formats that hold a venue's messages: "hftbacktest", "cryptofeed", "recording" and "binance-json". A
    recording without announcements is no error: every symbol has an empty series then, and `counts["rows"]` is 0.

    Arguments: `path`, `format`, `symbols`, `damaged`, `dtype` as in `io.read_books`. `clock`: whose time the series
    has: "received", the recorder's, or "exchange", the venue's time of the event, which futures state and spot does
    not: quotes without it are then left out (`no_exchange_time`).

    Returns `io.QuoteData`: prices in quote currency, sizes in base currency (COIN-M contracts are converted), times in
    int64 nanoseconds UTC. Announcements that cannot be read are counted (`malformed`), and so are those of symbols that
    the recording does not follow (`other_symbol`), identifiers below the one before (`update_id_went_back`; kept), and
    steps back in time (`clock_went_back`). The tick size is stated, or inferred from the quotes alone.

    Raises FileNotFoundError, and `io.DataError` (a ValueError) as `io.read_books` does and for files that hold
    finished books, whose best prices are `io.read_books(path, levels=1)`.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "XYZ.txt")
    >>> update = '{"e": "depthUpdate", "E": 1723161255208, "s": "XYZ", "U": 1, "u": 2, "b": [], "a": []}'
    >>> quote = '{"u": 2, "s": "XYZ", "b": "99.5", "B": "2", "a": "100.0", "A": "3"}'
    >>> _ = path.write_text(f"1723161253937085768 {update}\\n1723161253937085769 {quote}\\n")
    >>> quotes = read_quotes(path).only()
    >>> quotes.update_id, quotes.series.book.bid_price
    (array([2]), array([[99.5]]))
    """
    options = ReadOptions(as_symbols(symbols), 1, None, clock, damaged=damaged, dtype=dtype)
    path, format = resolve_format(path, format)
    if format not in PLAYBACKS:
        raise DataError(
            f"{path}: expected a recording of a venue's messages ({', '.join(PLAYBACKS)}), got {format}, which holds "
            "finished books: io.read_books(path, levels=1) gives their best prices"
        )
    report = ReadReport()
    playback = PLAYBACKS[format](path, options, report)
    collector = _Collector(options, report)
    for _ in playback.outputs(collector.watch):
        pass
    quotes = {symbol: collector.build(symbol) for symbol in report.symbols}
    in_contracts = collector.in_contracts
    report.metadata.pop("interval_s", None)
    report.metadata |= {
        "exchange": collector.venue.name if collector.venue is not None else None,
        "tick_size": {symbol: collector.tick_size(symbol)[1] for symbol in report.symbols},
        "source_unit": dict.fromkeys(report.symbols, "contracts" if in_contracts else "base currency"),
    }
    if in_contracts:
        report.metadata["contract_multiplier"] = {
            symbol: collector.contracts.describe(symbol) for symbol in report.symbols
        }
    report.counts["rows"] = sum(map(len, quotes.values()))
    return QuoteData(quotes, report.counts.as_dict(), path, format, report.metadata)


class _Payload(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    update_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = msgspec.field(name="u")
    bid_price: str = msgspec.field(name="b")
    bid_size: str = msgspec.field(name="B")
    ask_price: str = msgspec.field(name="a")
    ask_size: str = msgspec.field(name="A")
    event_time: Annotated[int, msgspec.Meta(ge=0, le=9 * 10**15)] = msgspec.field(default=0, name="E")


class _Frame(msgspec.Struct):
    data: _Payload


_payload = msgspec.json.Decoder(_Payload)
_frame = msgspec.json.Decoder(_Frame)


def _is_quote(payload: bytes) -> bool:
    """Whether a frame is an announcement; spot's on a connection of one stream has no name at all."""
    return b"bookTicker" in payload or (b'"B"' in payload and b'"e"' not in payload and b'"stream"' not in payload)


class _Collector:
    """Takes in what a venue is fed, in the venue's place, and keeps the announcements."""

    def __init__(self, options: ReadOptions, report: ReadReport) -> None:
        self.venue: Venue | None = None
        self.contracts = Contracts()
        self._options = options
        self._report = report
        self._clock = VenueClock()
        self._now_ns = 0
        self._stated: dict[str, str] = {}
        self._guesses: dict[str, TickGuess] = {}
        self._stamps: dict[str, array[int]] = {}  # three a quote: id, received, exchange
        self._values: dict[str, array[float]] = {}  # four a quote, as in `Book`

    @property
    def in_contracts(self) -> bool:
        return self.venue is not None and self.venue.name == "binance-coinm"

    def watch(self, venue: Venue) -> Venue:
        self.venue = venue
        return Watched(venue, self._take, process=False)

    def tick_size(self, symbol: str) -> tuple[float, str]:
        return stated_or_inferred(self._stated.get(symbol, ""), self._guesses.get(symbol, TickGuess()))

    def build(self, symbol: str) -> QuoteSeries:
        """All quotes of a symbol."""
        counts, by_the_venue = self._report.counts, self._options.clock == "exchange"
        stamps = np.array(self._stamps.get(symbol, ()), np.int64).reshape(-1, 3)
        values = np.array(self._values.get(symbol, ()), np.float64).reshape(-1, 4)
        if by_the_venue:
            stated = stamps[:, 2] != 0
            counts["no_exchange_time"] += int(np.count_nonzero(~stated))
            stamps, values = stamps[stated], values[stated]
        update_id, received_ns, exchange_ns = (np.ascontiguousarray(column) for column in stamps.T)
        counts["update_id_went_back"] += int(np.count_nonzero(np.diff(update_id) < 0))
        time_ns = exchange_ns if by_the_venue else received_ns
        counts["clock_went_back"] += int(np.count_nonzero(np.diff(time_ns) < 0))
        contract = self.contracts.size(symbol) if self.in_contracts else None
        columns = []
        for price, size in ((values[:, 0], values[:, 1]), (values[:, 2], values[:, 3])):
            base = in_base_currency(size, price, contract)
            columns += [np.where(size > 0, price, np.nan), base]
        book = Book(*(np.ascontiguousarray(column[:, None], self._options.dtype) for column in columns))
        tick_size = self._report.tick_sizes[symbol] = self.tick_size(symbol)[0]
        return QuoteSeries(BookSeries(time_ns, book, symbol, tick_size), update_id, received_ns, exchange_ns)

    def _take(self, item: Input, output: Output) -> None:
        if item.kind is InputKind.SESSION:
            self._clock.reset()  # another process's clock is not this one's jump
        self._report.counts["clock_went_back"] += self._clock.read(item.received_ns)
        self._now_ns = max(self._now_ns, item.received_ns)
        if item.kind is InputKind.FRAME and _is_quote(item.payload):
            self._take_quote(item.payload)
        elif item.kind is InputKind.RESPONSE and item.label == "exchangeInfo" and item.status == 200:
            self.contracts.learn(item.payload)
            try:
                rules = parse_exchange_info(item.payload)
            except MalformedMessage:
                self._report.counts["malformed"] += 1
                return
            self._stated |= {symbol: steps.tick_size for symbol, steps in rules.items()}

    def _take_quote(self, payload: bytes) -> None:
        assert self.venue is not None
        counts = self._report.counts
        try:
            quote = _frame.decode(payload).data if b'"data"' in payload else _payload.decode(payload)
            units = [to_units(text) for text in (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)]
            if (units[1] and not units[0]) or (units[3] and not units[2]):
                raise MalformedMessage(f"expected positive prices, got {quote.bid_price} and {quote.ask_price}")
        except (msgspec.DecodeError, UnicodeDecodeError, MalformedMessage):
            counts["malformed"] += not isinstance(parse_frame(payload, 0), Reply)  # those name streams too
            return
        symbol = quote.symbol
        if symbol not in self.venue.symbols:
            counts["other_symbol"] += 1
            return
        if not self._options.wants(symbol):
            return
        # Milliseconds, or microseconds where they were asked for: told apart by their size.
        time = quote.event_time
        exchange_ns = time * 1000 if time > 9 * 10**12 else time * 1_000_000
        self._stamps.setdefault(symbol, array("q")).extend((quote.update_id, self._now_ns, exchange_ns))
        self._values.setdefault(symbol, array("d")).extend(map(to_float, units))
        prices = [price for price, size in (units[:2], units[2:]) if size]
        self._guesses.setdefault(symbol, TickGuess()).see_units(*prices)
