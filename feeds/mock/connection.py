"""One client of the mock exchange: its session, its faults and its bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feeds.mock.exchange import Frame
from feeds.mock.faults import FaultInjector, Faults
from feeds.mock.session import Session

if TYPE_CHECKING:
    from feeds.mock.hub import Hub

__all__ = ["Connection", "Limits"]

TURN = 100
"""Frames sent before the event loop gets its turn."""


@dataclass(frozen=True)
class Limits:
    """What a connection may do; Binance's own limits but for the queue, which it does not publish.

    `queue`: frames that wait for a slow client; more, or none taken for `patience_s` real seconds, and it is cut.
    `messages_per_s`: messages that it may send (None: any number); more, and it is cut. `streams`: its subscriptions.
    The server pings every `ping_interval_s` and cuts who has not answered in `ping_timeout_s`.
    """

    queue: int = 10_000
    patience_s: float = 10.0
    messages_per_s: int | None = 5
    streams: int = 1_024
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 60.0


class Connection:
    """One client: its session, its faults and its queue. `abort` cuts the socket without a closing handshake."""

    def __init__(self, number: int, hub: Hub, session: Session, faults: Faults, abort: Callable[[], None]) -> None:
        self.number = number
        self.session = session
        self.close_code: int | None = None
        self.cut = False
        self.injector = FaultInjector(faults, number, hub.exchange.now_ns, hub.counters, self.disconnect)
        self._hub = hub
        self._abort = abort
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._moved_s = hub.real_s()
        self._heard_s: deque[float] = deque()

    @property
    def backlog(self) -> int:
        """Frames that wait to be sent."""
        return len(self._queue)

    def offer(self, frame: Frame) -> None:
        """Send a frame of a stream, as far as the faults let it."""
        text = self.session.wrap(frame.stream, frame.text)
        self.put(self.injector.pass_on(frame.stream, text, self._hub.exchange.now_ns))

    def put(self, texts: list[str]) -> None:
        """Send these as they are."""
        if self.cut or self.close_code is not None or not texts:
            return
        if not self._queue:
            self._moved_s = self._hub.real_s()
        self._queue.extend(texts)
        self._wake.set()
        if len(self._queue) > self._hub.limits.queue:
            self.drop_slow()

    def hear(self, text: str) -> None:
        """Take a message of the client and reply; one that talks too much is cut."""
        allowed, now_s = self._hub.limits.messages_per_s, self._hub.real_s()
        self._heard_s.append(now_s)
        while self._heard_s[0] <= now_s - 1.0:
            self._heard_s.popleft()
        if allowed is not None and len(self._heard_s) > allowed:
            self._hub.counters.count("too_many_messages")
            self.disconnect()
            return
        before = self.session.names()
        reply = self.session.receive(text)
        self._hub.index(self, before)
        self.put([reply])

    def drop_slow(self) -> None:
        """Cut a client that does not keep up, as the venue does."""
        self._hub.counters.count("slow_client")
        self.disconnect()

    def disconnect(self) -> None:
        """Cut the connection now; what waits is lost."""
        if not self.cut:
            self.cut = True
            self._queue.clear()
            self._wake.set()
            self._abort()

    def close(self, code: int) -> None:
        """Close in good order once what waits is sent."""
        self.close_code = code
        self._wake.set()

    def is_stuck(self, now_s: float) -> bool:
        """Whether frames wait and none has gone out for longer than the patience."""
        return bool(self._queue) and now_s - self._moved_s > self._hub.limits.patience_s

    async def send_all(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send what is queued until the connection is cut or closed."""
        while not self.cut:
            for _ in range(TURN):
                if not self._queue:
                    break
                await send(self._queue.popleft())
                self._hub.counters.count("sent")
                self._moved_s = self._hub.real_s()
            if self._queue:
                # `send` gives way only where the socket is full.
                await asyncio.sleep(0)
            elif self.close_code is not None:
                return
            else:
                self._wake.clear()
                await self._wake.wait()
