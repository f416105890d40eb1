"""Binance's REST side: snapshots where books need them, and what the venue says about its symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

import msgspec

from feeds.binance.messages import error_code, parse_exchange_info, parse_snapshot
from feeds.binance.settings import Limits, Market, to_ns
from feeds.clock import VenueClock
from feeds.errors import MalformedMessage
from feeds.inputs import Input
from feeds.pacing import Pacer
from feeds.sync import BookSync
from feeds.venue import Fetch, Output

__all__ = ["BinanceRest"]

_INFO = "exchangeInfo"
_BOOK = "depth:"
_UNKNOWN_SYMBOL = -1121
_TRANSIENT = {0, 408, 418, 429}  # and all of 5xx


class BinanceRest:
    """Makes requests, no more often than it should, and takes their answers in.

    Args:
        market, limits: addresses, patience.
        books: the book-sync machine of each symbol.
        clock: the venue's.
        fault: counts and reports a fault: output, counter, symbol, detail.
    """

    def __init__(
        self,
        market: Market,
        limits: Limits,
        books: Mapping[str, BookSync],
        clock: VenueClock,
        fault: Callable[[Output, str, str, str], None],
    ) -> None:
        self.tick_sizes: dict[str, str] = {}
        self.lot_sizes: dict[str, str] = {}
        self.unknown_symbols: set[str] = set()
        self._market = market
        self._limits = limits
        self._books = books
        self._clock = clock
        self._fault = fault
        self._pacer = Pacer(
            again_after_ns=to_ns(limits.refetch_after_s),
            at_most_ns=to_ns(limits.refetch_at_most_s),
            answer_within_ns=to_ns(limits.answer_within_s),
        )
        self._wants_info = True

    def reset(self) -> None:
        """Forget everything, as a new process does."""
        self.tick_sizes.clear()
        self.lot_sizes.clear()
        self.unknown_symbols.clear()
        self._pacer.clear()
        self._wants_info = True

    def fetch_book(self, symbol: str, opened_ns: int, out: Output) -> None:
        """Ask for a snapshot where one is needed, updates (or a while of silence) have come, and it is not too soon.

        `opened_ns`: when the symbol's connection was opened, in elapsed time.
        """
        book, now_ns = self._books[symbol], self._clock.elapsed_ns
        if not book.wants_snapshot or symbol in self.unknown_symbols:
            return
        # A snapshot from before the first update can often not be joined to it, so let one come. But a symbol that is
        # not listed never sends any: only the refusal of its snapshot tells.
        if not book.num_buffered and now_ns - opened_ns < to_ns(self._limits.first_event_s):
            return
        if self._pacer.ask(_BOOK + symbol, now_ns):
            url = self._market.depth_url.replace("{symbol}", quote(symbol))
            out.actions.append(Fetch(_BOOK + symbol, url, self._market.depth_weight))

    def fetch_info(self, out: Output) -> None:
        """Ask for the steps of price and size, until they are known."""
        if self._wants_info and self._pacer.ask(_INFO, self._clock.elapsed_ns):
            listed = [symbol for symbol in self._books if symbol not in self.unknown_symbols]
            names = quote(msgspec.json.encode(listed), safe="")
            url = self._market.info_url.replace("{symbols}", names)
            out.actions.append(Fetch(_INFO, url, self._market.info_weight))

    def give_up_lost(self, out: Output) -> None:
        """Report the requests that were never answered; they may be made again."""
        for key in self._pacer.lost(self._clock.elapsed_ns):
            self._fault(out, "fetch_lost", key.removeprefix(_BOOK) if key.startswith(_BOOK) else "", key)

    def on_response(self, item: Input, out: Output) -> None:
        """Take an answer in."""
        symbol = item.label.removeprefix(_BOOK)
        if item.label == _INFO:
            self._on_info(item, out)
        elif item.label.startswith(_BOOK) and symbol in self._books:
            self._on_snapshot(item, symbol, out)
        else:
            self._fault(out, "unknown_response", "", item.label)

    def _on_snapshot(self, item: Input, symbol: str, out: Output) -> None:
        now_ns, book = self._clock.now_ns, self._books[symbol]
        if item.status == 400 and error_code(item.payload) == _UNKNOWN_SYMBOL:
            self._pacer.answered(item.label)
            self.unknown_symbols.add(symbol)
            self._fault(out, "unknown_symbol", symbol, "the venue does not list it")
            out.events += book.abandon(now_ns, "unknown symbol")
            if not self.tick_sizes and len(self.unknown_symbols) < len(self._books):
                self._wants_info = True  # it was refused because of this symbol
                self._pacer.answered(_INFO)
            return
        if item.status != 200:
            self._failed(item, symbol, out)
            return
        try:
            snapshot = parse_snapshot(item.payload, symbol, now_ns)
        except MalformedMessage as error:
            self._malformed(item, symbol, error, out)
            return
        self._pacer.answered(item.label)
        out.events += book.snapshot(snapshot)

    def _on_info(self, item: Input, out: Output) -> None:
        if item.status != 200:
            self._failed(item, "", out)
            self._wants_info = _is_transient(item.status)
            return
        try:
            rules = parse_exchange_info(item.payload)
        except MalformedMessage as error:
            self._malformed(item, "", error, out)
            return
        self._pacer.answered(item.label)
        self._wants_info = False
        for symbol in self._books:
            if symbol in rules:
                self.tick_sizes[symbol], self.lot_sizes[symbol] = rules[symbol].tick_size, rules[symbol].lot_size

    def _malformed(self, item: Input, symbol: str, error: MalformedMessage, out: Output) -> None:
        self._pacer.failed(item.label, self._clock.elapsed_ns)
        self._fault(out, "malformed", symbol, str(error))

    def _failed(self, item: Input, symbol: str, out: Output) -> None:
        """A request failed: it is made again, later still where the venue said that there were too many."""
        if item.status in (418, 429):
            wait_s = self._limits.refused_wait_s
        else:
            wait_s = 0.0 if _is_transient(item.status) else self._limits.refetch_at_most_s
        self._pacer.failed(item.label, self._clock.elapsed_ns, to_ns(wait_s))
        why = item.payload[:200].decode(errors="replace")
        self._fault(out, "fetch_failed", symbol, f"{item.label}: status {item.status}, {why}")


def _is_transient(status: int) -> bool:
    return status in _TRANSIENT or status >= 500
