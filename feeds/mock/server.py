"""The mock exchange on a loopback socket: uvicorn inside an event loop, in a thread, or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal, TypedDict, Unpack

from feeds.mock.connection import Limits
from feeds.mock.exchange import MockExchange
from feeds.mock.faults import FaultKind, Faults
from feeds.mock.hub import Hub

try:
    import uvicorn
    from fastapi import WebSocket

    from feeds.mock.app import make_app
except ImportError as error:
    raise ImportError(
        f"the mock exchange's server needs FastAPI and uvicorn ({error}): pip install quantjax[mock]"
    ) from error

__all__ = ["MockServer", "ServeOptions", "run", "serve", "serve_in_thread"]


class ServeOptions(TypedDict, total=False):
    """Options of `serve`.

    host: a loopback address, 127.0.0.1 by default; anything else is refused with ValueError.
    port: 0, the default, for any free one; OSError where it is taken.
    speed: simulated seconds per real second, 1.0 by default; "max"; or 0 for time that passes by `pass_time` only (see
        `Hub`).
    faults: by chance, on every connection; none by default.
    limits: of queues, messages and pings.
    hold: let the clock start with the first subscription.
    """

    host: str
    port: int
    speed: float | Literal["max"]
    faults: Faults | None
    limits: Limits | None
    hold: bool


class MockServer:
    """A running server: `rest_url` and `stream_url` (both without a path), its exchange and its hub."""

    def __init__(self, hub: Hub, host: str, port: int) -> None:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.hub = hub
        self.exchange = hub.exchange
        self.port = port
        self.rest_url = f"http://{authority}"
        self.stream_url = f"ws://{authority}"

    def pass_time(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass at once (the only way at speed 0)."""
        self.hub.pass_time(seconds)

    def fault(self, kind: FaultKind, count: int = 1, seconds: float = 1.0) -> None:
        """A fault on every connection, now; see `Hub.fault`."""
        self.hub.fault(kind, count, seconds)

    async def wait_finished(self) -> None:
        """Return when the exchange's duration is over and its clients have been told."""
        await self.hub.finished.wait()


@contextlib.asynccontextmanager
async def serve(exchange: MockExchange, **options: Unpack[ServeOptions]) -> AsyncIterator[MockServer]:
    """Serve the exchange inside the running event loop for as long as the context lasts, then close it.

    Raises what `ServeOptions` says.
    """
    host = options.get("host", "127.0.0.1")
    listener = _listen(host, options.get("port", 0))
    try:
        hub = Hub(
            exchange,
            options.get("speed", 1.0),
            options.get("faults"),
            options.get("limits"),
            options.get("hold", False),
        )
        server = _start(hub, listener)
    except BaseException:
        listener.close()
        raise
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="mock exchange: server")
    clock: asyncio.Task[None] | None = None
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.001)
        if serving.done():
            serving.result()
        clock = asyncio.create_task(hub.run(), name="mock exchange: clock")
        yield MockServer(hub, _host(host), listener.getsockname()[1])
        if clock.done():
            clock.result()
    finally:
        if clock is not None:
            clock.cancel()
            await asyncio.gather(clock, return_exceptions=True)
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        for protocol in list(server.server_state.connections):
            _abort(protocol)
        listener.close()
        exchange.close()


@contextlib.contextmanager
def serve_in_thread(exchange: MockExchange, **options: Unpack[ServeOptions]) -> Iterator[MockServer]:
    """As `serve`, in an event loop of its own in a thread; talk to it by its URLs only."""
    ready: threading.Event = threading.Event()
    outcome: list[MockServer | BaseException] = []
    stop: list[Callable[[], object]] = []

    async def work() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with serve(exchange, **options) as server:
            outcome.append(server)
            stop.append(lambda: loop.call_soon_threadsafe(done.set))
            ready.set()
            await done.wait()

    def main() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # raised again in the caller's thread
            outcome.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="mock exchange", daemon=True)
    thread.start()
    ready.wait()
    server = outcome[0]
    if isinstance(server, BaseException):
        thread.join()
        raise server
    try:
        yield server
    finally:
        stop[0]()
        thread.join()
    if isinstance(outcome[-1], BaseException):
        raise outcome[-1]


def run(
    exchange: MockExchange,
    *,
    started: Callable[[MockServer], None] | None = None,
    **options: Unpack[ServeOptions],
) -> None:
    """Serve until the exchange's duration is over, or until SIGINT or SIGTERM; `started` is called with the
    server."""

    async def work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, stop.set)
        async with serve(exchange, **options) as server:
            if started is not None:
                started(server)
            waits = [asyncio.create_task(stop.wait()), asyncio.create_task(server.wait_finished())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            # Time for the last frames, the shutdown's among them, to go out.
            for _ in range(200):
                if stop.is_set() or not server.hub.connections:
                    break
                await asyncio.sleep(0.01)

    asyncio.run(work())


class _Server(uvicorn.Server):
    """uvicorn inside somebody else's event loop: signals are not its business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _start(hub: Hub, listener: socket.socket) -> _Server:
    def abort(websocket: WebSocket) -> None:
        # ASGI cannot cut a connection, only close it politely, which needs a client that reads.
        client = None if websocket.client is None else tuple(websocket.client)
        for protocol in list(server.server_state.connections):
            if getattr(protocol, "client", None) == client:
                _abort(protocol)

    config = uvicorn.Config(
        make_app(hub, abort),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=hub.limits.ping_interval_s,
        ws_ping_timeout=hub.limits.ping_timeout_s,
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = _Server(config)
    return server


def _abort(protocol: object) -> None:
    transport = getattr(protocol, "transport", None)
    if isinstance(transport, asyncio.Transport):
        transport.abort()


def _host(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket on loopback: this is a toy without any protection, and not to be reached from outside."""
    try:
        address = ipaddress.ip_address(_host(host))
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ValueError(f"expected a loopback address such as 127.0.0.1, got {host!r}: nobody else is served")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return socket.create_server((str(address), port), family=family)
