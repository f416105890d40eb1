"""The exchange without its sockets: several markets on one simulated clock, their streams and their truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from feeds.mock import wire
from feeds.mock.market import MarketConfig, default_markets
from feeds.mock.simulation import MarketSimulation
from feeds.mock.streams import Stream, parse_stream
from feeds.mock.truth import Truth, TruthLog

__all__ = ["FAST_NS", "START_NS", "Frame", "MockExchange"]

START_NS = 1_735_689_600_000_000_000
"""2025-01-01T00:00:00Z, when the simulated clock starts unless told otherwise."""

FAST_NS = 100_000_000
"""Interval of the 100 ms streams."""

SLOW_NS = 1_000_000_000


class Frame(NamedTuple):
    """One payload of one stream, as a raw stream sends it."""

    time_ns: int
    stream: str
    text: str


class _Market:
    """A simulation and what its two speeds of depth streams have already told."""

    def __init__(self, simulation: MarketSimulation) -> None:
        self.simulation = simulation
        self.fast_id = self.slow_id = simulation.update_id
        self.slow_bids: set[int] = set()
        self.slow_asks: set[int] = set()


class MockExchange:
    """Markets that run on simulated time, and what Binance spot would send about them.

    Nothing happens but by `advance`: the frames are a function of the seed, the markets and the names of the streams
    asked for, whatever the steps in which time is advanced. Depth streams speak at every multiple of 100 ms (or 1000
    ms) after the start, where something changed since they last spoke; `U` is then one more than the `u` before.
    After every 100 ms in which the book changed the truth is recorded, whether anyone listens or not.

    Args:
        markets: the symbols; by default BTCUSDT, ETHUSDT and SOLUSDT (`default_markets`).
        seed: of everything random.
        start_ns: the clock's start, int64 nanoseconds UTC, a multiple of one second (`START_NS`: 2025-01-01).
        duration_s: simulated seconds after which the exchange shuts down; None: never.
        truth_limit: truths kept in memory for each symbol (about 2 kB each).
        truth_path: JSON lines of all truths; None: memory only.

    Raises:
        ValueError: no market, a symbol twice, a start off the second, a duration that is not positive.
    """

    def __init__(
        self,
        markets: Sequence[MarketConfig] | None = None,
        *,
        seed: int = 0,
        start_ns: int = START_NS,
        duration_s: float | None = None,
        truth_limit: int = 10_000,
        truth_path: Path | str | None = None,
    ) -> None:
        configs = tuple(default_markets() if markets is None else markets)
        symbols = tuple(config.symbol for config in configs)
        if not configs or len(set(symbols)) != len(symbols):
            raise ValueError(f"expected one or more markets of different symbols, got {symbols}")
        if start_ns % SLOW_NS or (duration_s is not None and not duration_s > 0.0):
            raise ValueError(f"expected start_ns at a full second and duration_s > 0, got {start_ns=}, {duration_s=}")
        self.seed = seed
        self.symbols = symbols
        self.start_ns = self.now_ns = start_ns
        self.end_ns = None if duration_s is None else start_ns + round(duration_s * 1e9)
        self.truths = TruthLog(truth_limit, truth_path)
        self.num_truths = 0
        self._markets = {
            config.symbol: _Market(MarketSimulation(config, seed=seed, start_ns=start_ns)) for config in configs
        }
        self._streams: dict[str, Stream] = {}
        self._listeners: Counter[str] = Counter()
        for market in self._markets.values():
            self._record(market)

    @property
    def finished(self) -> bool:
        """Whether the simulated duration is over."""
        return self.end_ns is not None and self.now_ns >= self.end_ns

    def market(self, symbol: str) -> MarketSimulation:
        """The market of a symbol; KeyError where there is none."""
        return self._markets[symbol].simulation

    def truth(self, symbol: str, u: int) -> Truth | None:
        """The book after the 100 ms diff that ended at update `u`; None where none did or it is no longer held."""
        return self.truths.get(symbol, u)

    def listen(self, name: str) -> bool:
        """Ask for a stream's frames, one more time; False where the exchange has no such stream."""
        stream = parse_stream(name)
        if stream is None or stream.symbol not in self._markets:
            return False
        self._listeners[name] += 1
        self._streams[name] = stream
        return True

    def ignore(self, name: str) -> None:
        """Undo one `listen`."""
        self._listeners[name] -= 1
        if self._listeners[name] <= 0:
            del self._listeners[name]
            self._streams.pop(name, None)

    def advance(self, to_ns: int) -> list[Frame]:
        """Let time pass until `to_ns` (at most the end) and return what the streams listened to say, in order."""
        to_ns = to_ns if self.end_ns is None else min(to_ns, self.end_ns)
        frames: list[Frame] = []
        while self.now_ns < to_ns:
            boundary = self.now_ns - (self.now_ns - self.start_ns) % FAST_NS + FAST_NS
            self.now_ns = min(boundary, to_ns)
            moments: list[Frame] = []
            for market in self._markets.values():
                market.simulation.advance(self.now_ns)
                moments += self._moments(market.simulation)
            # Stable, and by time alone: however the steps are cut, frames of one instant keep the markets' order.
            frames += sorted(moments, key=_time)
            if self.now_ns == boundary:
                slow = (boundary - self.start_ns) % SLOW_NS == 0
                for market in self._markets.values():
                    frames += self._depth(market, slow)
        return frames

    def snapshot(self, symbol: str, limit: int) -> str:
        """REST's depth of this very moment, between two diffs as well as at one."""
        book = self.market(symbol)
        return wire.partial_depth(book.update_id, book.bids.rows(limit), book.asks.rows(limit))

    def status(self) -> dict[str, object]:
        """Simulated time, and for each symbol the last update, events so far, levels and orders."""
        return {
            "time_ns": self.now_ns,
            "elapsed_s": (self.now_ns - self.start_ns) / 1e9,
            "finished": self.finished,
            "seed": self.seed,
            "truths": self.num_truths,
            "streams": dict(sorted(self._listeners.items())),
            "symbols": {symbol: _market_status(market.simulation) for symbol, market in self._markets.items()},
        }

    def close(self) -> None:
        """Close the truth's file."""
        self.truths.close()

    def _moments(self, book: MarketSimulation) -> list[Frame]:
        """Trades and quotes since the last call, as far as anyone listens."""
        symbol, prefix = book.config.symbol, book.config.symbol.lower()
        tick, lot = book.tick_units, book.lot_units
        frames = []
        if (name := prefix + "@trade") in self._streams:
            for fill in book.fills:
                text = wire.trade(
                    symbol, fill.time_ns, fill.trade_id, fill.tick * tick, fill.lots * lot, fill.buyer_is_maker
                )
                frames.append(Frame(fill.time_ns, name, text))
        if (name := prefix + "@aggTrade") in self._streams:
            for fill in book.aggregates:
                text = wire.aggregate_trade(
                    symbol, fill.time_ns, fill.aggregate_id, fill.tick * tick, fill.lots * lot,
                    (fill.first_trade_id, fill.last_trade_id), fill.buyer_is_maker,
                )  # fmt: skip
                frames.append(Frame(fill.time_ns, name, text))
        if (name := prefix + "@bookTicker") in self._streams:
            for quote in book.quotes:
                bid = (quote.bid_tick * tick, quote.bid_lots * lot)
                ask = (quote.ask_tick * tick, quote.ask_lots * lot)
                frames.append(Frame(quote.time_ns, name, wire.book_ticker(symbol, quote.update_id, bid, ask)))
        book.fills.clear()
        book.aggregates.clear()
        book.quotes.clear()
        return frames

    def _depth(self, market: _Market, slow: bool) -> Iterable[Frame]:
        """What the depth streams say at the end of an interval; only then is what changed forgotten."""
        book = market.simulation
        prefix = book.config.symbol.lower()
        bids, asks, last_id = book.bids.changed, book.asks.changed, book.update_id
        if last_id != market.fast_id:
            self._record(market)
            if (name := prefix + "@depth@100ms") in self._streams:
                yield Frame(self.now_ns, name, self._diff(book, market.fast_id, bids, asks))
            yield from self._partials(book, fast=True)
            market.fast_id = last_id
            market.slow_bids |= bids
            market.slow_asks |= asks
            bids.clear()
            asks.clear()
        if slow and last_id != market.slow_id:
            for name in (prefix + "@depth", prefix + "@depth@1000ms"):
                if name in self._streams:
                    yield Frame(self.now_ns, name, self._diff(book, market.slow_id, market.slow_bids, market.slow_asks))
            yield from self._partials(book, fast=False)
            market.slow_id = last_id
            market.slow_bids.clear()
            market.slow_asks.clear()

    def _diff(self, book: MarketSimulation, before: int, bids: set[int], asks: set[int]) -> str:
        rows = book.bids.changed_rows(bids), book.asks.changed_rows(asks)
        return wire.depth_update(book.config.symbol, self.now_ns, before + 1, book.update_id, *rows)

    def _partials(self, book: MarketSimulation, fast: bool) -> Iterable[Frame]:
        prefix = f"{book.config.symbol.lower()}@depth"
        for levels in (5, 10, 20):
            for suffix in ("@100ms",) if fast else ("", "@1000ms"):
                if (name := f"{prefix}{levels}{suffix}") in self._streams:
                    yield Frame(self.now_ns, name, self.snapshot(book.config.symbol, levels))

    def _record(self, market: _Market) -> None:
        self.truths.record(market.simulation, self.now_ns)
        self.num_truths += 1


def _time(frame: Frame) -> int:
    return frame.time_ns


def _market_status(book: MarketSimulation) -> dict[str, int]:
    return {
        "last_update_id": book.update_id,
        "events": book.num_events,
        "bid_levels": len(book.bids),
        "ask_levels": len(book.asks),
        "orders": book.resting_orders,
    }
