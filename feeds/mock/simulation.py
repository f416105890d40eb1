"""The market of one symbol: zero-intelligence order flow on integer ticks and lots.

Orders come and go at random, none of them looks at the others, and yet a spread, a hump-shaped book and a diffusing
mid come out (Smith, Farmer, Gillemot & Krishnamurthy, "Statistical theory of the continuous double auction", 2003).
Arrivals are a Hawkes process; the kinds of event and their laws are in `MarketConfig`. Time is the simulation's own:
the same seed gives the same events, however the caller slices `advance`.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import deque
from typing import NamedTuple

from feeds.mock.arrivals import HawkesArrivals
from feeds.mock.market import MarketConfig, to_units
from feeds.mock.side import BookSide

__all__ = ["Aggregate", "Fill", "MarketSimulation", "Quote"]

REMEMBERED_TRADES = 1_000


class Fill(NamedTuple):
    """One maker order executed: a trade of the exchange."""

    time_ns: int
    trade_id: int
    tick: int
    lots: int
    buyer_is_maker: bool


class Aggregate(NamedTuple):
    """All that one taker order executed at one price."""

    time_ns: int
    aggregate_id: int
    tick: int
    lots: int
    first_trade_id: int
    last_trade_id: int
    buyer_is_maker: bool


class Quote(NamedTuple):
    """The best levels after an event that changed them."""

    time_ns: int
    update_id: int
    bid_tick: int
    bid_lots: int
    ask_tick: int
    ask_lots: int


class MarketSimulation:
    """The book of one symbol and what happens to it.

    Never crossed: a limit order is placed behind the other side's best. Never empty: a side that is down to
    `config.min_levels` levels loses no further level; there a market order ends unfilled, and a cancellation that
    would remove a level becomes a limit order on that side (the refill rule).

    `update_id` counts the changes of levels. `fills`, `aggregates` and `quotes` collect until the caller clears them.
    """

    def __init__(self, config: MarketConfig, *, seed: int, start_ns: int) -> None:
        self.config = config
        self.tick_units = to_units(config.tick_size)
        self.lot_units = to_units(config.lot_size)
        self.bids = BookSide(+1, self.tick_units, self.lot_units)
        self.asks = BookSide(-1, self.tick_units, self.lot_units)
        self.update_id = config.first_update_id
        self.num_events = 0
        self.fills: list[Fill] = []
        self.aggregates: list[Aggregate] = []
        self.quotes: list[Quote] = []
        self.recent: deque[Fill] = deque(maxlen=REMEMBERED_TRADES)
        # A string seeds by SHA-512: symbols are independent, and the order in which they are listed does not matter.
        self._source = random.Random(f"{seed}:{config.symbol}")
        self._random = self._source.random
        self._orders: dict[int, tuple[int, BookSide]] = {}  # id -> tick, side
        self._ids: list[int] = []  # of all resting orders, in no order: one is drawn for cancellation
        self._places: dict[int, int] = {}  # id -> its place in _ids
        self._next_order = self._next_trade = self._next_aggregate = 1
        self._reach = 1.0 - (1.0 + config.max_distance / config.depth_scale) ** -config.depth_tail
        self._sign = +1
        self._quote: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._fill_book()
        self._arrivals = HawkesArrivals(config.rate, config.branching, config.decay, self._source)
        self._next_ns = start_ns + self._wait_ns()

    def advance(self, to_ns: int) -> None:
        """Let everything happen that happens until `to_ns`, itself included."""
        while self._next_ns <= to_ns:
            self._event(self._next_ns)
            self._next_ns += self._wait_ns()

    def digest(self) -> str:
        """Hex of 8-byte BLAKE2b of `B<price>:<size>;...A<price>:<size>;...`: all levels, best first, in 1e-8."""
        text = f"B{self.bids.digest_text()}A{self.asks.digest_text()}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def resting_orders(self) -> int:
        """Number of orders in the book."""
        return len(self._ids)

    def _wait_ns(self) -> int:
        return max(1, round(self._arrivals.wait() * 1e9))

    def _fill_book(self) -> None:
        """Orders by the law of placement around the starting mid, and more of them until each side has its levels.

        The best prices are thinned as executions thin them: an order k ticks behind the best stays with probability
        (k + 1) / (k + 1 + depth_scale), which is the hump.
        """
        config = self.config
        mid = to_units(config.mid) // self.tick_units
        for side in (self.bids, self.asks):
            placed = 0
            while placed < config.orders_per_side or len(side) < config.min_levels + 1:
                distance = self._distance()
                if distance and self._random() * (distance + 1 + config.depth_scale) > distance + 1:
                    continue
                self._place(side, mid - distance if side is self.bids else mid + 1 + distance)
                placed += 1
        self.bids.changed.clear()
        self.asks.changed.clear()
        self.update_id = config.first_update_id
        self._quote = self._best()

    def _event(self, time_ns: int) -> None:
        self.num_events += 1
        config = self.config
        resting = len(self._ids) / (2.0 * config.orders_per_side)
        draw = self._random() * (1.0 + config.market_ratio + resting)
        if draw < 1.0:
            self._limit_order(self.bids if draw < 0.5 else self.asks)
        elif draw < 1.0 + config.market_ratio:
            self._market_order(time_ns)
        else:
            self._cancellation()
        quote = self._best()
        if quote != self._quote:
            self._quote = quote
            self.quotes.append(Quote(time_ns, self.update_id, *quote))

    def _limit_order(self, side: BookSide) -> None:
        other = self.asks if side is self.bids else self.bids
        self._place(side, other.best - side.sign * (1 + self._distance()))

    def _market_order(self, time_ns: int) -> None:
        config = self.config
        if self._random() >= config.sign_memory:
            self._sign = +1 if self._random() < 0.5 else -1
        lots = max(1, int(config.market_lots * (1.0 - self._random()) ** (-1.0 / config.market_tail)))
        side = self.asks if self._sign > 0 else self.bids
        buyer_is_maker = side is self.bids
        while lots and (len(side) > config.min_levels or lots < side.lots[side.best]):
            tick = side.best
            first, executed = self._next_trade, 0
            for order, size, used_up in side.take(tick, lots):
                if used_up:
                    self._forget(order)
                fill = Fill(time_ns, self._next_trade, tick, size, buyer_is_maker)
                self._next_trade += 1
                executed += size
                self.fills.append(fill)
                self.recent.append(fill)
            self.update_id += 1
            self.aggregates.append(
                Aggregate(time_ns, self._next_aggregate, tick, executed, first, self._next_trade - 1, buyer_is_maker)
            )
            self._next_aggregate += 1
            lots -= executed

    def _cancellation(self) -> None:
        order = self._ids[int(self._random() * len(self._ids))]
        tick, side = self._orders[order]
        if len(side) <= self.config.min_levels and len(side.queues[tick]) == 1:
            self._limit_order(side)
            return
        side.cancel(order, tick)
        self._forget(order)
        self.update_id += 1

    def _distance(self) -> int:
        """Ticks behind the best price possible, by inversion of the truncated power law."""
        config = self.config
        return int(config.depth_scale * ((1.0 - self._random() * self._reach) ** (-1.0 / config.depth_tail) - 1.0))

    def _place(self, side: BookSide, tick: int) -> None:
        # A book that has drifted down to the first tick can go no lower.
        tick = max(tick, 1)
        lots = max(1, int(self.config.limit_lots * math.exp(self.config.limit_spread * self._source.gauss(0.0, 1.0))))
        order = self._next_order
        self._next_order += 1
        side.add(order, tick, lots)
        self._orders[order] = (tick, side)
        self._places[order] = len(self._ids)
        self._ids.append(order)
        self.update_id += 1

    def _forget(self, order: int) -> None:
        """Swap the order with the last of the list and drop it there."""
        del self._orders[order]
        place, last = self._places.pop(order), self._ids.pop()
        if last != order:
            self._ids[place] = last
            self._places[last] = place

    def _best(self) -> tuple[int, int, int, int]:
        bid, ask = self.bids.best, self.asks.best
        return bid, self.bids.lots[bid], ask, self.asks.lots[ask]
