"""Between the exchange and its connections: the clock and the fan-out; asyncio, but no sockets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Literal

from feeds.counters import Counters
from feeds.mock import wire
from feeds.mock.connection import Connection, Limits
from feeds.mock.exchange import FAST_NS, MockExchange
from feeds.mock.faults import FaultKind, Faults
from feeds.mock.session import Session

__all__ = ["Hub"]

PERIOD_S = 0.005
"""Real seconds between two looks at the clock."""

SLICE_S = 0.02
"""Real seconds that the simulation may run before the event loop gets its turn."""

LATE_S = 0.5
"""A simulation that is this many real seconds behind gives up the arrears instead of racing after them."""

GOING_AWAY = 1001


class Hub:
    """Runs one exchange at a speed and hands its frames to the connections.

    Args:
        exchange: the markets.
        speed: simulated seconds per real second; "max": as fast as the clients take it (the clock waits while any of
            them has an eighth of its queue full, and while nobody is subscribed); 0: time passes by `pass_time` only.
        faults: of every connection.
        limits: of every connection.
        hold: wait with the clock's start until someone is subscribed ("max" always does).
    """

    def __init__(
        self,
        exchange: MockExchange,
        speed: float | Literal["max"] = 1.0,
        faults: Faults | None = None,
        limits: Limits | None = None,
        hold: bool = False,
    ) -> None:
        if speed != "max" and (isinstance(speed, str) or not 0.0 <= speed < math.inf):
            raise ValueError(f"expected a speed of at least 0 simulated seconds a second, or 'max', got {speed!r}")
        self.exchange = exchange
        self.speed = speed
        self.faults = faults or Faults()
        self.limits = limits or Limits()
        self.counters = Counters()
        self.connections: dict[int, Connection] = {}
        self.finished = asyncio.Event()
        self.real_s = asyncio.get_running_loop().time
        self._hold = hold
        self._num_connections = 0
        self._subscribers: dict[str, dict[int, Connection]] = {}
        self._anchor = (self.real_s(), exchange.now_ns)

    def connect(self, combined: bool, streams: list[str], abort: Callable[[], None]) -> Connection:
        """A client came; ValueError where it asks for too many streams."""
        self._num_connections += 1
        session = Session(self.exchange, combined, self.limits.streams)
        connection = Connection(self._num_connections, self, session, self.faults, abort)
        session.subscribe(streams)
        self.connections[connection.number] = connection
        self.index(connection, set())
        self.counters.count("connections")
        return connection

    def leave(self, connection: Connection) -> None:
        """A client is gone."""
        before = connection.session.names()
        connection.session.close()
        self.index(connection, before)
        connection.cut = True
        self.connections.pop(connection.number, None)

    def index(self, connection: Connection, before: set[str]) -> None:
        """The connection's subscriptions are no longer `before`."""
        after = connection.session.names()
        for name in before - after:
            self._subscribers[name].pop(connection.number, None)
            if not self._subscribers[name]:
                del self._subscribers[name]
        for name in after - before:
            self._subscribers.setdefault(name, {})[connection.number] = connection

    def pass_time(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass at once."""
        self._advance(self.exchange.now_ns + round(seconds * 1e9))

    def catch_up(self) -> None:
        """Bring the exchange to this moment, before a request is answered.

        So that a snapshot falls between two diffs, as at the venue. At "max" there is no such moment: there, of each
        interval of 100 ms in which someone asks, 37 ms pass.
        """
        if not self._runs():
            return
        if self.speed == "max":
            into = (self.exchange.now_ns - self.exchange.start_ns) % FAST_NS
            self._advance(self.exchange.now_ns + max(0, 37_000_000 - into))
        else:
            self._advance(min(self._target_ns(), self.exchange.now_ns + FAST_NS))

    def fault(self, kind: FaultKind, count: int = 1, seconds: float = 1.0) -> None:
        """Do it now to every connection: to the next `count` frames, for `seconds` simulated seconds (a stall)."""
        if kind == "shutdown":
            self.counters.count("fault_shutdown")
            self.shut_down()
            return
        for connection in list(self.connections.values()):
            connection.injector.order(kind, count, seconds, self.exchange.now_ns)

    def shut_down(self) -> None:
        """Tell every client that the server goes down and close its connection; a new one is welcome."""
        payload = wire.server_shutdown(self.exchange.now_ns)
        for connection in self.connections.values():
            connection.put([connection.session.wrap("!serverShutdown", payload)])
            connection.close(GOING_AWAY)

    def status(self) -> dict[str, object]:
        """The exchange's status, the speed, what was sent, counted and is waiting."""
        return self.exchange.status() | {
            "speed": self.speed,
            "connections": len(self.connections),
            "backlog": sum(connection.backlog for connection in self.connections.values()),
            "counters": self.counters.totals(),
        }

    async def run(self) -> None:
        """Drive the clock until the exchange's duration is over; then shut down."""
        self._anchor = (self.real_s(), self.exchange.now_ns)
        while not self.exchange.finished:
            self._look_after_clients()
            if not self._runs():
                await asyncio.sleep(PERIOD_S)
                self._anchor = (self.real_s(), self.exchange.now_ns)
            elif self.speed == "max":
                await self._run_at_most()
            else:
                self._run_at_speed()
                await asyncio.sleep(PERIOD_S)
        self.shut_down()
        self.finished.set()

    def _runs(self) -> bool:
        """Whether the clock is going."""
        if self.speed == 0.0 or self.exchange.finished:
            return False
        if self._subscribers:
            self._hold = False
        return not self._hold if self.speed != "max" else bool(self._subscribers)

    def _target_ns(self) -> int:
        """Simulated time by the real clock."""
        real_s, simulated_ns = self._anchor
        assert not isinstance(self.speed, str)
        return simulated_ns + round((self.real_s() - real_s) * self.speed * 1e9)

    def _run_at_speed(self) -> None:
        assert not isinstance(self.speed, str)
        started_s, target_ns = self.real_s(), self._target_ns()
        while self.exchange.now_ns < target_ns and not self.exchange.finished:
            self._advance(min(target_ns, self.exchange.now_ns + FAST_NS))
            if self.real_s() - started_s > SLICE_S:
                break
        if target_ns - self.exchange.now_ns > LATE_S * self.speed * 1e9 and not self.exchange.finished:
            self.counters.count("clock_set_back")
            self._anchor = (self.real_s(), self.exchange.now_ns)

    async def _run_at_most(self) -> None:
        started_s = self.real_s()
        while not self.exchange.finished and self.real_s() - started_s < SLICE_S:
            if any(8 * connection.backlog >= self.limits.queue for connection in self.connections.values()):
                await asyncio.sleep(PERIOD_S / 5.0)
                return
            self._advance(self.exchange.now_ns + FAST_NS)
        await asyncio.sleep(0)

    def _look_after_clients(self) -> None:
        now_s = self.real_s()
        for connection in list(self.connections.values()):
            if connection.is_stuck(now_s):
                connection.drop_slow()

    def _advance(self, to_ns: int) -> None:
        for frame in self.exchange.advance(to_ns):
            for connection in list(self._subscribers.get(frame.stream, {}).values()):
                connection.offer(frame)
        # A stall ends, and a disconnect strikes, also where nothing is to be sent.
        for connection in list(self.connections.values()):
            connection.put(connection.injector.hold([], self.exchange.now_ns))
