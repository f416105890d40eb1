"""The real client follows the mock exchange over a real socket, and its books are the exchange's own."""

import asyncio
from collections import Counter

import pytest

from feeds.binance import BinanceSpot, Limits
from feeds.client import ClientOptions, FeedClient
from feeds.messages import DepthUpdate, Snapshot, Trade
from feeds.mock import Faults, MockExchange, serve
from feeds.sync import SyncState

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def make_venue(server, **options) -> BinanceSpot:
    # Resynchronise at once: the simulated market does not wait for a real second to pass.
    limits = Limits(refetch_after_s=0.02, refetch_at_most_s=0.1, first_event_s=0.5)
    urls = {"rest_url": server.rest_url, "stream_url": server.stream_url}
    return BinanceSpot(SYMBOLS, **urls, depth_limit=5_000, limits=limits, **options)


async def follow(server, venue: BinanceSpot, enough: int) -> Counter[str]:
    """Read until every symbol has had `enough` updates; every book in sync was compared with the truth after each."""
    # A reader that stops leaves frames behind, and the closing handshake would wait for their end.
    options = ClientOptions(weight_per_min=1e7, connects_per_5_min=1e5, close_timeout_s=0.1)
    seen: Counter[str] = Counter()
    client = FeedClient(venue, timer_interval_s=0.05, backoff=lambda failures: 0.01, options=options)
    async with client, asyncio.timeout(20.0):
        async for _, output in client:
            changed = {event.symbol for event in output.events if isinstance(event, DepthUpdate)}
            for event in output.events:
                seen[type(event).__name__] += 1
                if isinstance(event, DepthUpdate):
                    seen[event.symbol] += 1
            for symbol in changed:
                book = venue.books[symbol].book
                if venue.books[symbol].state is not SyncState.SYNCED:
                    assert book is None
                    continue
                assert book is not None
                truth = server.exchange.truth(symbol, book.last_id)
                assert truth is not None
                assert book.digest() == truth.digest
                seen["compared"] += 1
            if min(seen[symbol] for symbol in SYMBOLS) >= enough:
                break
    return seen


@pytest.mark.parametrize("options", [{}, {"combined": False}, {"update_speed": "1000ms", "trades": False}])
async def test_books_equal_the_truth_after_every_message(options):
    async with serve(MockExchange(seed=11), speed=30.0, hold=True) as server:
        venue = make_venue(server, **options)
        seen = await follow(server, venue, 25)
    assert seen["compared"] >= 75
    assert seen[Snapshot.__name__] == 3
    assert (seen[Trade.__name__] > 0) == options.get("trades", True)
    assert server.hub.counters["slow_client"] == 0


async def test_books_equal_the_truth_at_full_speed():
    async with serve(MockExchange(seed=12), speed="max") as server:
        seen = await follow(server, make_venue(server), 150)
    assert seen["compared"] >= 450
    assert seen[Snapshot.__name__] == 3


@pytest.mark.parametrize(
    "faults",
    [
        Faults(drop=0.02, seed=1),
        Faults(repeat=0.1, seed=2),
        Faults(reorder=0.02, seed=3),
        Faults(garbage=0.05, seed=4),
        Faults(disconnect_every_s=10.0, seed=5),
        Faults(stall_every_s=5.0, stall_s=1.0, seed=6),
        Faults(
            drop=0.01, repeat=0.02, reorder=0.01, garbage=0.02, disconnect_every_s=20.0, stall_every_s=10.0, stall_s=1.0
        ),
    ],
    ids=["drop", "repeat", "reorder", "garbage", "disconnect", "stall", "all"],
)
async def test_faults_cost_time_and_never_a_wrong_book(faults):
    async with serve(MockExchange(seed=13), speed=30.0, faults=faults, hold=True) as server:
        venue = make_venue(server)
        seen = await follow(server, venue, 100)
        done = {name: number for name, number in server.hub.counters.items() if name.startswith("fault_")}
    assert seen["compared"] >= 200
    assert sum(done.values()) > 0
    # A frame that cannot be read may have been one that counts: the books start again after it, too.
    lossy = faults.drop or faults.reorder or faults.garbage or faults.disconnect_every_s
    assert (seen[Snapshot.__name__] > 3) == bool(lossy)


async def test_a_shutdown_is_followed_by_a_new_connection():
    async with serve(MockExchange(seed=14), speed=30.0, hold=True) as server:
        venue = make_venue(server)
        await follow_until_shutdown(server, venue)
    assert server.hub.counters["connections"] >= 2


async def follow_until_shutdown(server, venue: BinanceSpot) -> None:
    task = asyncio.create_task(follow(server, venue, 100))
    async with asyncio.timeout(10.0):
        while not all(book.state is SyncState.SYNCED for book in venue.books.values()):
            await asyncio.sleep(0.01)
    server.fault("shutdown")
    seen = await task
    assert seen["compared"] >= 150
