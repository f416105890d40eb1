"""The asyncio client: gives any venue its sockets, its requests and its time, and changes nothing of what they bring.

    async with FeedClient(BinanceSpot(["BTCUSDT"])) as client:
        async for item, output in client:
            ...

The venue decides what is opened, sent and fetched; the client only does it, waits where waiting is due (back-off,
limits), and reports what came of it as the next inputs. `received_ns` of a frame is read when the frame is taken
from its socket, which is when it enters the queue: the order of the inputs is that of their times.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any

import msgspec
from aiolimiter import AsyncLimiter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from feeds.counters import Counters
from feeds.errors import Disconnected, UnknownSymbol
from feeds.faults import Fault
from feeds.fetching import Fetcher
from feeds.inputs import Input, InputKind
from feeds.queues import BoundedQueue, Overflow, QueueClosed
from feeds.sync import StateChange, SyncState
from feeds.venue import Action, Connect, Disconnect, Fetch, Output, Send, Venue

__all__ = ["ClientOptions", "FeedClient", "full_jitter"]

_ITEMS_PER_TURN = 64  # taken from a full queue before the sockets get their turn


def full_jitter(attempt: int) -> float:
    """Seconds to wait after failure number 1, 2, ... in a row: uniform from 0 to 0.5 * 2^(attempt - 1), at most 60."""
    return random.uniform(0.0, min(60.0, 0.5 * 2.0 ** min(attempt - 1, 30)))


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The client's patience and limits."""

    healthy_after_s: float = 10.0  # a connection that lasts so long ends the back-off
    give_up_after: int | None = None  # failed attempts in a row until Disconnected is raised; None: never
    connects_per_5_min: float = 300.0  # Binance's limit, per address of ours
    messages_per_s: float = 5.0  # Binance's limit, per connection
    weight_per_min: float = 6000.0  # Binance's limit of what requests weigh together, per address of ours
    request_attempts: int = 3
    open_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    ping_interval_s: float = 20.0
    max_frame_bytes: int = 1 << 24


class FeedClient:
    """Runs a venue: an async context manager, and an async iterator of each `(Input, Output)`, in order.

    Args:
        venue: any `feeds.venue.Venue`; it is fed by this client alone.
        queue_size: frames that may wait for the reader.
        overflow: what happens to more of them (`feeds.queues`); the default reads the sockets no further, so that
            nothing is lost here. A venue then sees a slow reader and may disconnect, which is counted.
        timer_interval_s: time between TIMER inputs.
        strict: whether a symbol that the venue does not list raises UnknownSymbol; else it is a fault like others, as
            it always is for a symbol that was in sync before: a delisting does not end what others go on with.
        backoff: seconds to wait before an attempt to connect, by the number of failures in a row.
        options: patience and limits.

    What the client itself drops or repeats is counted in `counters`, under names of `feeds.faults.REASONS`.

    Errors, from the iteration: UnknownSymbol; Disconnected after `options.give_up_after` failed attempts.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        queue_size: int = 10_000,
        overflow: Overflow = Overflow.BLOCK,
        timer_interval_s: float = 1.0,
        strict: bool = True,
        backoff: Callable[[int], float] = full_jitter,
        options: ClientOptions | None = None,
    ) -> None:
        if not timer_interval_s > 0:
            raise ValueError(f"expected a positive timer_interval_s, got {timer_interval_s}")
        self.venue = venue
        self.counters = Counters()
        self.queue: BoundedQueue[Input] = BoundedQueue(
            queue_size, overflow, on_drop=lambda: self.counters.count("queue_dropped")
        )
        self._timer_interval_s = timer_interval_s
        self._strict = strict
        self._were_synced: set[str] = set()
        self._backoff = backoff
        self._options = options or ClientOptions()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting: dict[int, asyncio.Task[None]] = {}
        self._sockets: dict[int, _Socket] = {}
        self._failures: dict[str, int] = {}  # in a row, by address
        self._fetching: set[str] = set()
        self._timer_waits = False
        self._taken = 0
        self._error: BaseException | None = None

    async def __aenter__(self) -> FeedClient:
        options = self._options
        # the limiters belong to the loop that they first run in, so they are made inside it
        self._connects = AsyncLimiter(options.connects_per_5_min, 300.0)
        self._fetcher = Fetcher(
            self.counters, attempts=options.request_attempts, weight_per_minute=options.weight_per_min
        )
        self._report(InputKind.SESSION, payload=self.venue.describe())
        self._spawn(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._sockets.clear()
        self._connecting.clear()
        if len(self.queue):
            self.counters.count("undrained", by=len(self.queue))
        await self._fetcher.close()

    def stop(self) -> None:
        """End the iteration once everything that has come so far is handed out. May be called from a signal handler."""
        self.queue.close()

    def __aiter__(self) -> AsyncIterator[tuple[Input, Output]]:
        return self

    async def __anext__(self) -> tuple[Input, Output]:
        self._taken += 1
        if self._taken % _ITEMS_PER_TURN == 0:
            await asyncio.sleep(0)  # get() does not suspend while there is something to get
        try:
            item = await self.queue.get()
        except QueueClosed:
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None
        if item.kind is InputKind.TIMER:
            self._timer_waits = False
        output = self.venue.process(item)
        if not self.queue.closed:
            for action in output.actions:
                self._perform(action)
        if self._strict:
            self._check_listed(output)
        return item, output

    def _check_listed(self, output: Output) -> None:
        for event in output.events:
            if isinstance(event, StateChange) and event.new is SyncState.SYNCED:
                self._were_synced.add(event.symbol)
            unknown = isinstance(event, Fault) and event.counter == "unknown_symbol"
            if unknown and event.symbol not in self._were_synced:
                raise UnknownSymbol(f"{self.venue.name} does not list {event.symbol}: check how it writes its symbols")

    # -- what the venue asks for -------------------------------------------------------------------------------------

    def _perform(self, action: Action) -> None:
        match action:
            case Connect(number, url):
                self._connecting[number] = self._spawn(self._run_connection(number, url))
            case Disconnect(number, reason):
                self._disconnect(number, reason)
            case Send(number, text):
                if socket := self._sockets.get(number):
                    self._spawn(socket.send(text))
            case Fetch(key, url, weight):
                if key not in self._fetching:
                    self._fetching.add(key)
                    self._spawn(self._fetch(key, url, weight))

    def _disconnect(self, number: int, reason: str) -> None:
        if socket := self._sockets.get(number):
            self._spawn(socket.close())  # its task then reports the loss
        elif task := self._connecting.pop(number, None):
            task.cancel()
            self._report(InputKind.DISCONNECTED, str(number), payload=reason.encode())

    async def _run_connection(self, number: int, url: str) -> None:
        """One connection from the wait before it to its loss; both ends are reported, whatever happens between."""
        loop, options = asyncio.get_running_loop(), self._options
        failures = self._failures.get(url, 0)
        if failures:
            await asyncio.sleep(self._backoff(failures))
        await self._connects.acquire()
        opened_s: float | None = None
        connection: ClientConnection | None = None
        try:
            async with connect(
                url,
                compression=None,  # Binance offers none, and it would cost more time than all the rest
                open_timeout=options.open_timeout_s,
                close_timeout=options.close_timeout_s,
                ping_interval=options.ping_interval_s,
                ping_timeout=options.ping_interval_s,
                max_size=options.max_frame_bytes,
            ) as connection:
                opened_s = loop.time()
                self._connecting.pop(number, None)
                self._sockets[number] = _Socket(connection, options.messages_per_s)
                self._report(InputKind.CONNECTED, str(number), payload=url.encode())
                why = await self._read(connection, number)
        except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
            why = f"{type(error).__name__}: {error}"
        finally:
            if connection is not None:
                connection.transport.abort()  # cancelled amid the closing handshake it would stay open
        self._connecting.pop(number, None)
        self._sockets.pop(number, None)
        if opened_s is not None and loop.time() - opened_s >= options.healthy_after_s:
            self._failures[url] = 0
        else:
            self._failures[url] = failures = self._failures.get(url, 0) + 1
            if opened_s is None:
                self.counters.count("connect_failed")
            if options.give_up_after is not None and failures >= options.give_up_after:
                self._fail(Disconnected(f"{url}: gave up after {failures} attempts, the last: {why}"))
        self._report(InputKind.DISCONNECTED, str(number), payload=why.encode())

    async def _read(self, connection: ClientConnection, number: int) -> str:
        """Queue the connection's frames until it ends (WebSocketException) or has to (the reason)."""
        label = str(number)
        while True:
            # Stamped and queued without a wait in between: what is reported meanwhile must not get in ahead of it.
            await self.queue.room()
            frame = await connection.recv(decode=False)
            if self.queue.put(Input(time.time_ns(), InputKind.FRAME, label, 0, frame)):
                continue
            if self.queue.closed:
                return "the client stops"
            if self.queue.overflow is Overflow.DISCONNECT:
                self.counters.count("queue_disconnected")
                return "the reader is too slow"

    async def _fetch(self, key: str, url: str, weight: float) -> None:
        status, body = await self._fetcher.get(url, weight)
        self._fetching.discard(key)
        self._report(InputKind.RESPONSE, key, status, body)

    # -- the client's own affairs ------------------------------------------------------------------------------------

    def _report(self, kind: InputKind, label: str = "-", status: int = 0, payload: bytes = b"") -> None:
        self.queue.put_always(Input(time.time_ns(), kind, label, status, payload))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._timer_interval_s)
            if self._timer_waits:  # at most one waits, so that a stopped reader is not met by thousands
                self.counters.count("timer_skipped")
            else:
                self._timer_waits = True
                self._report(InputKind.TIMER)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)  # a mistake of ours: it must not die with its task

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self.queue.close()


class _Socket:
    """An open connection as the venue may use it: messages one after another, no faster than allowed."""

    def __init__(self, connection: ClientConnection, messages_per_s: float) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._limiter = AsyncLimiter(1.0, 1.0 / messages_per_s)  # evenly: a bucket of five lets ten pass in a second

    async def send(self, text: str) -> None:
        # a connection that is lost meanwhile is reported by its reader
        with suppress(WebSocketException, OSError):
            async with self._lock:
                await self._limiter.acquire()
                await self._connection.send(text)

    async def close(self) -> None:
        with suppress(WebSocketException, OSError):
            await self._connection.close()
