"""The client against a small exchange on loopback: sockets that drop, stall and talk nonsense, requests that fail."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from feeds.binance import BinanceSpot, Limits
from feeds.client import ClientOptions, FeedClient, full_jitter
from feeds.counters import Counters
from feeds.errors import Disconnected, UnknownSymbol
from feeds.faults import REASONS
from feeds.fetching import Fetcher, retry_after_seconds
from feeds.inputs import Input, InputKind
from feeds.queues import Overflow
from feeds.sync import SyncState
from feeds.venue import Output

LIMITS = Limits(refetch_after_s=0.05, first_event_s=0.2)


class Exchange:
    """One symbol, whose best bid's size says which update was last; connections run `script(connection, number)`."""

    def __init__(self) -> None:
        self.last_id = 100
        self.connections = 0
        self.requests: list[str] = []
        self.received: list[str] = []
        self.answers: list[tuple[int, str, dict[str, str]]] = []  # to be given before the true ones
        self.script: Callable[[ServerConnection, int], Any] = self.stream
        self.server: Server | None = None

    async def stream(self, connection: ServerConnection, number: int, updates: int = 10**9) -> None:
        for _ in range(updates):
            await self.send_update(connection)
            await asyncio.sleep(0.005)

    async def send_update(self, connection: ServerConnection) -> None:
        self.last_id += 1
        bids = [["10", str(self.last_id)]]
        event = {"e": "depthUpdate", "E": 1, "s": "AAA", "U": self.last_id, "u": self.last_id, "b": bids, "a": []}
        await connection.send(json.dumps({"stream": "aaa@depth@100ms", "data": event}))

    async def talk(self, connection: ServerConnection) -> None:
        self.connections += 1
        try:
            self.received.append(str(await connection.recv()))
            await connection.send('{"result":null,"id":1}')
            await self.script(connection, self.connections)
        except ConnectionClosed:
            pass

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path in ("/stream", "/ws"):
            return None
        self.requests.append(request.path)
        body = {"lastUpdateId": self.last_id, "bids": [["10", str(self.last_id)]], "asks": [["11", "1"]]}
        status, text, headers = 200, json.dumps(body if "/depth" in request.path else {"symbols": []}), {}
        if self.answers and "/depth" in request.path:
            status, text, headers = self.answers.pop(0)
        response = connection.respond(status, text)
        response.headers.update(headers)
        return response

    @property
    def address(self) -> str:
        assert self.server is not None
        return f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def venue(self, **options: Any) -> BinanceSpot:
        urls = {"rest_url": f"http://{self.address}", "stream_url": f"ws://{self.address}"}
        return BinanceSpot(["AAA"], **{"limits": LIMITS, **urls, **options})

    def client(self, venue: BinanceSpot | None = None, **options: Any) -> FeedClient:
        settings = {"timer_interval_s": 0.02, "backoff": lambda attempt: 0.01, **options}
        return FeedClient(venue or self.venue(), **settings)


@asynccontextmanager
async def exchange_on_loopback() -> AsyncIterator[Exchange]:
    exchange = Exchange()
    async with serve(exchange.talk, "127.0.0.1", 0, process_request=exchange.answer, close_timeout=0.2) as server:
        exchange.server = server
        yield exchange


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with exchange_on_loopback() as exchange:
        yield exchange


async def until(client: FeedClient, done: Callable[[Input, Output], bool], timeout_s: float = 30.0) -> list[Input]:
    """Run the client until `done`; every book in sync on the way is the true one."""
    inputs = []
    async with asyncio.timeout(timeout_s):
        async for item, output in client:
            inputs.append(item)
            for sync in client.venue.books.values():
                if sync.book is not None:
                    ((_, size),) = sync.book.top(1)[0]
                    assert size == sync.book.last_id * 10**8
            if done(item, output):
                return inputs
    raise AssertionError("the client ended by itself")


def synced(client: FeedClient) -> Callable[[Input, Output], bool]:
    return lambda item, output: client.venue.books["AAA"].state is SyncState.SYNCED


def fault(counter: str) -> Callable[[Input, Output], bool]:
    return lambda item, output: any(getattr(event, "counter", "") == counter for event in output.events)


async def test_it_connects_subscribes_and_synchronises(exchange: Exchange) -> None:
    async with exchange.client() as client:
        inputs = await until(client, synced(client))
    others = [item.kind for item in inputs if item.kind is not InputKind.TIMER]
    assert others[:2] == [InputKind.SESSION, InputKind.CONNECTED]
    assert {InputKind.FRAME, InputKind.RESPONSE} <= {item.kind for item in inputs}
    assert inputs[0].payload == client.venue.describe()
    assert json.loads(exchange.received[0])["params"] == ["aaa@depth@100ms", "aaa@trade"]
    frame = next(item for item in inputs if item.kind is InputKind.FRAME)
    assert (frame.label, frame.payload) == ("1", b'{"result":null,"id":1}')  # as it came
    times = [item.received_ns for item in inputs]
    assert times == sorted(times)
    assert all(not any(letter.isspace() for letter in item.label) for item in inputs)


async def test_what_was_handed_out_replays_to_the_same_book(exchange: Exchange) -> None:
    venue, again = exchange.venue(), exchange.venue()
    async with exchange.client(venue) as client:
        inputs = await until(client, lambda item, output: exchange.last_id > 120)
    for item in inputs:
        again.process(item)
    live, replayed = venue.books["AAA"].book, again.books["AAA"].book
    assert live is not None
    assert replayed is not None
    assert live.digest() == replayed.digest()
    assert venue.counters == again.counters


async def test_a_dropped_connection_is_replaced(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await exchange.stream(connection, number, updates=20 if number < 3 else 10**9)

    exchange.script = script
    async with exchange.client() as client:
        await until(client, lambda item, output: exchange.connections == 3 and synced(client)(item, output))
    assert client.venue.counters["disconnected"] == 2


async def test_an_aborted_connection_is_replaced(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await exchange.stream(connection, number, updates=5)
        if number == 1:
            connection.transport.abort()
        await exchange.stream(connection, number)

    exchange.script = script
    async with exchange.client() as client:
        await until(client, fault("disconnected"))
        await until(client, synced(client))


async def test_nobody_listens() -> None:
    async with exchange_on_loopback() as exchange:
        venue = exchange.venue()
    attempts: list[int] = []

    def backoff(attempt: int) -> float:
        attempts.append(attempt)
        return 0.0

    async with exchange.client(venue, backoff=backoff, options=ClientOptions(give_up_after=3)) as client:
        with pytest.raises(Disconnected, match="gave up after 3 attempts"):
            await until(client, lambda item, output: False)
    assert attempts == [1, 2]
    assert client.counters["connect_failed"] == 3


async def test_back_off_ends_with_a_healthy_connection(exchange: Exchange) -> None:
    attempts: list[int] = []

    def backoff(attempt: int) -> float:
        attempts.append(attempt)
        return 0.0

    async def script(connection: ServerConnection, number: int) -> None:
        await asyncio.sleep(0.15 if number == 3 else 0)

    exchange.script = script
    options = ClientOptions(healthy_after_s=0.1)
    async with exchange.client(backoff=backoff, options=options) as client:
        await until(client, lambda item, output: exchange.connections == 6)
    assert attempts[:4] == [1, 2, 1, 2]


async def test_a_stalled_connection_is_replaced(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await exchange.stream(connection, number, updates=10)
        if number == 1:
            await connection.wait_closed()
        await exchange.stream(connection, number)

    exchange.script = script
    async with exchange.client(exchange.venue(stall_after_s=0.4)) as client:
        await until(client, fault("stalled"))
        assert client.venue.books["AAA"].book is None
        await until(client, synced(client))
    assert exchange.connections >= 2


async def test_garbage_does_no_harm(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        for nonsense in ("garbage", "", "[]", b"\xff\x00", '{"e":"depthUpdate","s":"AAA"}', "{" * 1000):
            await connection.send(nonsense)
            await exchange.stream(connection, number, updates=3)
        await exchange.stream(connection, number)

    exchange.script = script
    async with exchange.client() as client:
        await until(client, lambda item, output: client.venue.counters["malformed"] == 6)
        await until(client, synced(client))
    assert exchange.connections == 1


async def test_a_frame_that_is_too_long_ends_its_connection(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        if number == 1:
            await connection.send("x" * 10_000)
        await exchange.stream(connection, number)

    exchange.script = script
    async with exchange.client(options=ClientOptions(max_frame_bytes=5_000)) as client:
        await until(client, fault("disconnected"))
        await until(client, synced(client))


async def test_rotation_over_real_sockets(exchange: Exchange) -> None:
    """Two connections deliver the same updates for a while; the book never leaves sync and misses nothing."""
    listeners: list[ServerConnection] = []

    async def script(connection: ServerConnection, number: int) -> None:
        listeners.append(connection)
        await connection.wait_closed()
        listeners.remove(connection)

    async def publish() -> None:
        while True:
            await asyncio.sleep(0.005)
            first = exchange.last_id
            for connection in listeners:
                exchange.last_id = first
                await exchange.send_update(connection)

    exchange.script = script
    publisher = asyncio.create_task(publish())
    async with exchange.client(exchange.venue(rotate_after_s=0.2)) as client:
        await until(client, synced(client))
        changes: list[Any] = []
        await until(
            client,
            lambda item, output: (
                changes.extend(e for e in output.events if hasattr(e, "new")) or exchange.connections > 3
            ),
        )
    publisher.cancel()
    assert changes == []
    assert client.venue.counters["gap"] == 0
    assert client.venue.counters["repeated"] > 0


async def test_an_unknown_symbol_is_an_error(exchange: Exchange) -> None:
    exchange.answers = [(400, '{"code":-1121,"msg":"Invalid symbol."}', {})]
    async with exchange.client() as client:
        with pytest.raises(UnknownSymbol, match="AAA"):
            await until(client, lambda item, output: False)


async def test_or_only_a_fault(exchange: Exchange) -> None:
    exchange.answers = [(400, '{"code":-1121,"msg":"Invalid symbol."}', {})]
    async with exchange.client(strict=False) as client:
        await until(client, fault("unknown_symbol"))
        await until(client, fault("other_symbol"))
    assert client.venue.books["AAA"].state is SyncState.DISCONNECTED


async def test_a_symbol_that_was_listed_and_is_no_longer_ends_nothing(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await exchange.stream(connection, number, updates=20 if number == 1 else 10**9)

    exchange.script = script
    async with exchange.client() as client:
        await until(client, synced(client))
        exchange.answers = [(400, '{"code":-1121,"msg":"Invalid symbol."}', {})] * 10
        await until(client, fault("unknown_symbol"))
        await until(client, fault("other_symbol"))
    assert client.venue.counters["unknown_symbol"] == 1


@pytest.mark.parametrize("failure", [(500, "oops", {}), (429, "too many", {"Retry-After": "0"}), (200, "{", {})])
async def test_a_failed_request_is_repeated(exchange: Exchange, failure: tuple[int, str, dict[str, str]]) -> None:
    exchange.answers = [failure]
    async with exchange.client() as client:
        await until(client, synced(client))
    assert len([path for path in exchange.requests if "/depth" in path]) == 2
    assert client.counters["request_retried"] + client.venue.counters["malformed"] == 1


async def test_requests_wait_as_long_as_they_are_told(exchange: Exchange) -> None:
    exchange.answers = [(429, "too many", {"Retry-After": "1"})]
    fetcher = Fetcher(Counters())
    began = asyncio.get_running_loop().time()
    status, body = await fetcher.get(f"http://{exchange.address}/api/v3/depth")
    assert (status, b"lastUpdateId" in body) == (200, True)
    assert asyncio.get_running_loop().time() - began >= 0.99
    await fetcher.close()


async def test_requests_of_a_minute_stay_within_the_allowance(exchange: Exchange) -> None:
    """What goes out at once and what follows at the limiter's rate: no 60 seconds hold more than the allowance."""
    fetcher = Fetcher(Counters(), weight_per_minute=6000.0)
    limiter, sent = fetcher._limiter, 0
    assert limiter.max_rate + 60 * limiter.max_rate / limiter.time_period == pytest.approx(6000.0)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                await fetcher.get(f"http://{exchange.address}/api/v3/depth", 250.0)
                sent += 1
    assert sent == 4
    await fetcher.close()


async def test_requests_that_cannot_be_made() -> None:
    counters = Counters()
    fetcher = Fetcher(counters, attempts=2)
    async with exchange_on_loopback() as exchange:
        address = exchange.address
    for url in (f"http://{address}/x", "http://[", "nonsense", ""):
        status, body = await fetcher.get(url)
        assert status == 0
        assert body
    assert counters["request_retried"] >= 1
    await fetcher.close()


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-5", 0.0), ("9" * 400, 259200.0)]
)
def test_retry_after(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, 0.0) == seconds


def test_retry_after_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    header = format_datetime(now + timedelta(seconds=30), usegmt=True)
    assert retry_after_seconds(header, now.timestamp()) == 30.0


async def flooded(exchange: Exchange, overflow: Overflow) -> FeedClient:
    """A client whose reader pauses while 500 frames come for a queue of 20; then it reads on until in sync."""

    async def script(connection: ServerConnection, number: int) -> None:
        if number == 1:
            await asyncio.sleep(0.1)
            for _ in range(500):
                await exchange.send_update(connection)
        await exchange.stream(connection, number)

    exchange.script = script
    options = ClientOptions(close_timeout_s=0.2)  # who does not read does not see the other side's farewell
    async with exchange.client(queue_size=20, overflow=overflow, options=options) as client:
        await until(client, lambda item, output: item.kind is InputKind.FRAME)
        await asyncio.sleep(0.4)
        assert sum(item.kind is InputKind.FRAME for item, _ in client.queue._items) <= 20
        if overflow is Overflow.DISCONNECT:
            await until(client, fault("disconnected"))
        await until(client, lambda item, output: exchange.last_id > 620 and synced(client)(item, output))
    return client


async def test_inputs_come_in_the_order_of_their_times_however_slow_the_reader(exchange: Exchange) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        while True:
            await exchange.send_update(connection)

    exchange.script = script
    times: list[int] = []
    async with exchange.client(queue_size=2, timer_interval_s=0.001) as client:
        async for item, _ in client:
            times.append(item.received_ns)
            await asyncio.sleep(0.002)
            if len(times) == 200:
                break
    assert times == sorted(times)
    assert len(set(times)) > 100


async def test_overflow_block_loses_nothing(exchange: Exchange) -> None:
    client = await flooded(exchange, Overflow.BLOCK)
    assert (client.counters["queue_dropped"], client.venue.counters["gap"]) == (0, 0)
    assert client.counters["timer_skipped"] > 0


@pytest.mark.parametrize("overflow", [Overflow.DROP_OLDEST, Overflow.DROP_NEWEST])
async def test_overflow_drops_and_counts(exchange: Exchange, overflow: Overflow) -> None:
    client = await flooded(exchange, overflow)
    assert client.counters["queue_dropped"] == client.queue.dropped > 100
    assert exchange.connections == 1
    assert set(client.counters) <= set(REASONS)


async def test_overflow_disconnects(exchange: Exchange) -> None:
    client = await flooded(exchange, Overflow.DISCONNECT)
    assert client.counters["queue_disconnected"] == 1
    assert exchange.connections == 2


async def test_stop_hands_out_what_came_and_ends(exchange: Exchange) -> None:
    async with exchange.client() as client:
        await until(client, synced(client))
        await asyncio.sleep(0.05)
        waiting = len(client.queue)
        assert waiting > 0
        client.stop()
        rest = [item async for item, _ in client]
    assert len(rest) == waiting
    assert not client._tasks
    assert client.counters["undrained"] == 0


async def test_what_is_left_in_the_queue_is_counted(exchange: Exchange) -> None:
    async with exchange.client() as client:
        await until(client, synced(client))
        await asyncio.sleep(0.05)
        client.stop()
        waiting = len(client.queue)
        await anext(client)
    assert client.counters["undrained"] == waiting - 1 > 0


async def test_leaving_early_leaves_nothing_behind(exchange: Exchange) -> None:
    async with exchange.client():
        await asyncio.sleep(0)
    client = exchange.client()
    async with client:
        await until(client, synced(client))
    assert not client._tasks
    assert not client._sockets


async def test_cancelling_the_reader_cleans_up(exchange: Exchange) -> None:
    async def read() -> None:
        async with exchange.client() as client:
            async for _ in client:
                pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_mistake_in_the_client_is_raised_not_swallowed(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Fetcher, url: str, weight: float) -> tuple[int, bytes]:
        raise ZeroDivisionError("mistake")

    monkeypatch.setattr(Fetcher, "get", broken)
    async with exchange.client() as client:
        with pytest.raises(ZeroDivisionError, match="mistake"):
            await until(client, lambda item, output: False)


def test_back_off_is_capped_and_jittered() -> None:
    for attempt, most in ((1, 0.5), (2, 1.0), (5, 8.0), (8, 60.0), (10_000, 60.0)):
        waits = [full_jitter(attempt) for _ in range(200)]
        assert 0 <= min(waits) < 0.2 * most
        assert 0.8 * most < max(waits) <= most


def test_arguments() -> None:
    with pytest.raises(ValueError, match="timer_interval_s"):
        FeedClient(BinanceSpot(["AAA"]), timer_interval_s=0)
