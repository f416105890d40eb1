"""Binance as a pure state machine, whichever of its markets: what differs between them comes in as a `Market`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from feeds.binance.lanes import Lane, Link
from feeds.binance.messages import (
    BinanceTrade,
    Frame,
    OtherEvent,
    Reply,
    ServerShutdown,
    Unreadable,
    parse_frame,
    subscribe_text,
)
from feeds.binance.rest import BinanceRest
from feeds.binance.settings import BinanceSettings, Market, to_ns
from feeds.clock import VenueClock
from feeds.counters import Counters
from feeds.faults import Fault
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate
from feeds.sync import BookSync
from feeds.venue import Connect, Disconnect, Output, Send

__all__ = ["BinanceVenue"]


class BinanceVenue:
    """A `feeds.venue.Venue`: connects, subscribes, fetches snapshots, keeps books in sync and connections fresh.

    Events: the snapshots and updates that a symbol's book took in, in order; each trade once; changes of state; faults.
    Every fault is counted in `counters` under a name of `feeds.faults.REASONS`.
    """

    def __init__(self, market: Market, settings: BinanceSettings) -> None:
        self.name = settings.venue
        self.symbols = settings.symbols
        self.settings = settings
        self.counters = Counters()
        self._market = market
        self._limits = settings.limits
        self._books = {
            symbol: BookSync(
                symbol,
                market.rules,
                max_buffered=self._limits.max_buffered,
                counters=self.counters,
                depth_limit=settings.depth_limit,
            )
            for symbol in settings.symbols
        }
        self._clock = VenueClock()
        self._rest = BinanceRest(market, self._limits, self._books, self._clock, self._fault)
        self._reset()

    @property
    def books(self) -> Mapping[str, BookSync]:
        """The book-sync machine of each symbol."""
        return self._books

    @property
    def tick_sizes(self) -> Mapping[str, str]:
        """Steps of the price by symbol, decimal strings; empty until (and unless) the venue tells."""
        return self._rest.tick_sizes

    @property
    def lot_sizes(self) -> Mapping[str, str]:
        """Steps of the size, likewise."""
        return self._rest.lot_sizes

    @property
    def unknown_symbols(self) -> frozenset[str]:
        """Symbols that the venue does not list; they are left alone."""
        return frozenset(self._rest.unknown_symbols)

    def describe(self) -> bytes:
        """Settings as JSON; `feeds.binance.venue_from_description` builds an equal venue from them."""
        return msgspec.json.encode(self.settings)

    def process(self, item: Input) -> Output:
        """Take one input in; what is wrong with it is counted and reported, never raised."""
        out = Output()
        if item.kind is InputKind.SESSION:
            self._clock.reset()
        if self._clock.read(item.received_ns):
            self._fault(out, "clock_went_back", "", f"to {item.received_ns}")
        match item.kind:
            case InputKind.FRAME:
                self._on_frame(item, out)
            case InputKind.TIMER:
                self._on_timer(out)
            case InputKind.RESPONSE:
                self._rest.on_response(item, out)
            case InputKind.CONNECTED:
                self._on_connected(item, out)
            case InputKind.DISCONNECTED:
                self._on_disconnected(item, out)
            case InputKind.SESSION:
                self._on_session(out)
        return out

    # -- sessions and connections ------------------------------------------------------------------------------------

    def _reset(self) -> None:
        """What a new process starts with: connections are numbered from 1 again and nothing is known."""
        self._lanes = [Lane(plan) for plan in self._market.lanes]
        self._lane_of = {symbol: lane for lane in self._lanes for symbol in lane.plan.symbols}
        self._links: dict[int, Link] = {}
        self._closing: set[int] = set()  # given up, their loss not yet reported
        self._connections = 0
        self._trade_ids: dict[tuple[str, bool], int] = {}
        self._rest.reset()

    def _on_session(self, out: Output) -> None:
        self._reset()
        for book in self._books.values():
            out.events += book.abandon(self._clock.now_ns, "new session")
        self._rest.fetch_info(out)
        for lane in self._lanes:
            lane.adopt(self._connect(lane, out))

    def _connect(self, lane: Lane, out: Output) -> Link:
        self._connections += 1
        link = self._links[self._connections] = Link(self._connections, lane)
        out.actions.append(Connect(link.number, lane.plan.url))
        return link

    def _give_up(self, link: Link, reason: str, out: Output) -> None:
        del self._links[link.number]
        self._closing.add(link.number)
        out.actions.append(Disconnect(link.number, reason))

    def _on_connected(self, item: Input, out: Output) -> None:
        link = self._links.get(_number(item.label))
        if link is None:
            self._fault(out, "unknown_connection", "", f"connection {item.label} opened")
            return
        link.open(self._clock.elapsed_ns)
        out.actions.append(Send(link.number, subscribe_text(link.lane.plan.streams, link.number)))
        if link is link.lane.current:
            for symbol in self._listed(link.lane):
                out.events += self._books[symbol].start(self._clock.now_ns)

    def _on_disconnected(self, item: Input, out: Output) -> None:
        number = _number(item.label)
        if number in self._closing:
            self._closing.discard(number)
            return
        link = self._links.pop(number, None)
        if link is None:
            self._fault(out, "unknown_connection", "", f"connection {item.label} lost")
            return
        why = item.payload[:200].decode(errors="replace")
        self._fault(out, "disconnected", "", f"connection {number}: {why}")
        self._replace(link, "disconnected", out)

    def _replace(self, link: Link, reason: str, out: Output) -> None:
        """`link` is gone: go on with its successor, or else without a connection until the next is there."""
        lane = link.lane
        if link is lane.successor:
            lane.successor = self._connect(lane, out)
        elif lane.successor is not None and lane.successor.up:
            self._promote(lane, out)
        else:
            for symbol in self._listed(lane):
                out.events += self._books[symbol].stop(self._clock.now_ns, reason)
            lane.adopt(lane.successor or self._connect(lane, out))

    # -- from one connection to the next -----------------------------------------------------------------------------

    def _hand_over(self, lane: Lane, symbol: str, out: Output) -> None:
        """Take the symbol from the successor from now on, if nothing is missing in between."""
        successor = lane.successor
        held = successor.held.get(symbol) if successor else None
        if successor and held and self._books[symbol].bridges(held[0]):
            self._take_held(lane, successor, symbol, out)
            if not set(lane.waiting()) - self._rest.unknown_symbols:
                self._finish(lane, out)

    def _take_held(self, lane: Lane, successor: Link, symbol: str, out: Output) -> None:
        lane.source[symbol] = successor
        for update in successor.held.pop(symbol, ()):
            out.events += self._books[symbol].update(update)

    def _promote(self, lane: Lane, out: Output) -> None:
        """The successor takes all that is left; a hole that this leaves is seen by the rules like any other."""
        successor = lane.successor
        if successor is not None:
            for symbol in lane.waiting():
                self._take_held(lane, successor, symbol, out)
            lane.adopt(successor)

    def _finish(self, lane: Lane, out: Output) -> None:
        old = lane.current
        self._promote(lane, out)
        if old is not None:
            self._give_up(old, "replaced", out)

    # -- frames ------------------------------------------------------------------------------------------------------

    def _on_frame(self, item: Input, out: Output) -> None:
        number = _number(item.label)
        link = self._links.get(number)
        if link is None or not link.up:
            counter = "after_close" if number in self._closing else "unknown_connection"
            self._fault(out, counter, "", f"frame of connection {item.label}")
            return
        link.heard_ns = self._clock.elapsed_ns
        frame: Frame = parse_frame(item.payload, self._clock.now_ns)
        match frame:
            case DepthUpdate():
                self._on_depth(link, frame, out)
            case BinanceTrade():
                self._on_trade(frame, out)
            case Unreadable():
                self._on_unreadable(link, frame, out)
            case OtherEvent():
                self._fault(out, "unused_event" if frame.known else "unknown_event", "", frame.name)
            case Reply():
                if frame.error:
                    self._fault(out, "refused", "", frame.error)
                    self._give_up(link, "subscription refused", out)
                    self._replace(link, "refused", out)
            case ServerShutdown():
                self._fault(out, "server_shutdown", "", f"connection {number}")
                if link is link.lane.current and link.lane.successor is None:
                    link.lane.successor = self._connect(link.lane, out)

    def _on_depth(self, link: Link, update: DepthUpdate, out: Output) -> None:
        symbol, lane = update.symbol, link.lane
        if self._lane_of.get(symbol) is not lane or symbol in self._rest.unknown_symbols:
            self._fault(out, "other_symbol", symbol, "depth update")
            return
        if self._market.chained and update.previous_last_id is None:
            self._on_unreadable(link, Unreadable("depth update without pu", symbol, depth=True), out)
            return
        if link is lane.source[symbol]:
            out.events += self._books[symbol].update(update)
        elif link is lane.successor:
            held = link.held.setdefault(symbol, [])
            held.append(update)
            if len(held) > self._limits.max_buffered:
                self._fault(out, "buffer_overflow", symbol, f"{len(held)} updates held back")
                held.clear()
        else:
            self._fault(out, "repeated", symbol, f"update {update.last_id} of connection {link.number}")
        if lane.successor is not None:
            self._hand_over(lane, symbol, out)
        self._fetch_book(symbol, out)

    def _on_unreadable(self, link: Link, frame: Unreadable, out: Output) -> None:
        self._fault(out, "malformed", frame.symbol, frame.detail)
        lane = self._lane_of.get(frame.symbol)
        if lane is None or not frame.depth:
            return
        if link is lane.source[frame.symbol]:
            out.events += self._books[frame.symbol].skip(self._clock.now_ns, "malformed")
        elif link is lane.successor:
            link.held.pop(frame.symbol, None)  # what was held does not reach over the hole

    def _on_trade(self, frame: BinanceTrade, out: Output) -> None:
        trade = frame.trade
        if trade.symbol not in self._books:
            self._fault(out, "other_symbol", trade.symbol, "trade")
            return
        key = trade.symbol, frame.aggregate
        last = self._trade_ids.get(key, trade.trade_id - 1)
        if trade.trade_id <= last:
            self._fault(out, "repeated_trade", trade.symbol, f"trade {trade.trade_id} after {last}")
            return
        if missed := trade.trade_id - last - 1:
            self._fault(out, "missed_trades", trade.symbol, f"{missed} between {last} and {trade.trade_id}", by=missed)
        self._trade_ids[key] = trade.trade_id
        out.events.append(trade)

    def _fetch_book(self, symbol: str, out: Output) -> None:
        current = self._lane_of[symbol].current
        if current is not None:
            self._rest.fetch_book(symbol, current.opened_ns, out)

    # -- time --------------------------------------------------------------------------------------------------------

    def _on_timer(self, out: Output) -> None:
        now_ns, settings = self._clock.elapsed_ns, self.settings
        self._rest.give_up_lost(out)
        for link in list(self._links.values()):
            if link.up and now_ns - link.heard_ns > to_ns(settings.stall_after_s):
                self._fault(out, "stalled", "", f"connection {link.number}: nothing for {settings.stall_after_s:g} s")
                self._give_up(link, "stalled", out)
                self._replace(link, "stalled", out)
        for lane in self._lanes:
            self._rotate(lane, now_ns, out)
        self._rest.fetch_info(out)
        for symbol in self.symbols:
            self._fetch_book(symbol, out)

    def _rotate(self, lane: Lane, now_ns: int, out: Output) -> None:
        current, successor = lane.current, lane.successor
        if successor is not None:
            if successor.up and now_ns - successor.opened_ns > to_ns(self._limits.overlap_s):
                self._finish(lane, out)
        elif current is not None and current.up and now_ns - current.opened_ns > to_ns(self.settings.rotate_after_s):
            lane.successor = self._connect(lane, out)

    # -- small things ------------------------------------------------------------------------------------------------

    def _listed(self, lane: Lane) -> list[str]:
        return [symbol for symbol in lane.plan.symbols if symbol not in self._rest.unknown_symbols]

    def _fault(self, out: Output, counter: str, symbol: str, detail: str, by: int = 1) -> None:
        self.counters.count(counter, symbol, by)
        out.events.append(Fault(counter, symbol, detail, self._clock.now_ns))


def _number(label: str) -> int:
    """Number of a connection, 0 (which none has) for a label that is not one."""
    return int(label) if label.isascii() and label.isdigit() and len(label) < 19 else 0
