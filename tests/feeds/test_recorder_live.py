"""The recorder against the mock exchange over a real socket: what is recorded is what the exchange's books were."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from feeds.counters import Counters
from feeds.decimals import to_units
from feeds.inputs import InputKind
from feeds.messages import DepthUpdate
from feeds.recording.manifest import read_manifest
from feeds.recording.reading import read_inputs
from feeds.recording.recorder import Recorder
from feeds.recording.replay import Replay, rebuild, replay, replay_trades
from feeds.recording.storage import Storage
from tests.feeds.live import SYMBOLS, recorder
from tests.feeds.scripted import files_of

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from feeds.mock import MockExchange, serve

ROOT = Path(__file__).parents[2]


async def record_until(ours: Recorder, inputs: int) -> None:
    """Record until so many inputs have come: how long that takes depends on the machine."""
    running = asyncio.create_task(ours.run())
    async with asyncio.timeout(20.0):
        while ours.counters["inputs"] < inputs and not running.done():
            await asyncio.sleep(0.02)
    ours.stop()
    await running


def assert_true(directory: Path, exchange: MockExchange, *, at_least: int) -> Counters:
    """Every book of the recording is the exchange's own: all levels by digest, the sampled ones level by level."""
    source, compared = Replay(directory), 0
    for _, output in source.outputs():
        assert source.venue is not None
        for symbol in {event.symbol for event in output.events if isinstance(event, DepthUpdate)}:
            book = source.venue.books[symbol].book
            if book is not None:
                truth = exchange.truth(symbol, book.last_id)
                assert truth is not None
                assert book.digest() == truth.digest
                compared += 1
    assert compared >= at_least

    rows, seen = 0, set()
    for row in replay(directory):
        truth = exchange.truth(row.symbol, row.last_update_id)
        if truth is None:
            continue  # a snapshot between two diffs, before the first of them was applied
        assert list(row.bids) == [(to_units(price), to_units(size)) for price, size in truth.bids]
        assert list(row.asks) == [(to_units(price), to_units(size)) for price, size in truth.asks]
        rows += 1
        seen.add(row.symbol)
    assert seen == set(SYMBOLS)
    assert rows > 10
    return source.counters


async def test_a_recording_with_a_lost_connection_and_a_restart_is_true(tmp_path: Path) -> None:
    live = tmp_path / "live"
    storage = Storage(live, max_segment_bytes=50_000, rows_per_part=7)
    async with serve(MockExchange(seed=21), speed=30.0, hold=True) as server:
        first = recorder(server, storage)
        running = asyncio.create_task(record_until(first, 1500))
        async with asyncio.timeout(20.0):
            while first.counters["inputs"] < 700:
                await asyncio.sleep(0.02)
        server.fault("disconnect")
        await running
        assert first.counters["disconnected"] == 1
        assert all(sync.book is not None for sync in first.venue.books.values())
        second = recorder(server, storage)
        await record_until(second, 700)

        counters = assert_true(live, server.exchange, at_least=150)
        assert counters["disconnected"] == 1
        inputs = list(read_inputs(live))
        assert [item.kind for item in inputs].count(InputKind.SESSION) == 2
        assert len(inputs) == first.counters["inputs"] + second.counters["inputs"]
        assert {symbol for symbol, trades in replay_trades(live).items() if len(trades) > 10} == set(SYMBOLS)

    manifest = read_manifest(live)
    assert manifest is not None
    assert manifest.closed
    assert manifest.counters["inputs"] == len(inputs)
    assert len(manifest.segments) > 2
    rebuild(live, tmp_path / "made")
    assert files_of(tmp_path / "made") == files_of(live)


async def test_a_feed_full_of_faults_gives_no_wrong_book(tmp_path: Path) -> None:
    from feeds.mock import Faults

    faults = Faults(drop=0.02, repeat=0.05, reorder=0.02, garbage=0.02, disconnect_every_s=20.0, seed=3)
    async with serve(MockExchange(seed=22), speed=30.0, faults=faults, hold=True) as server:
        ours = recorder(server, Storage(tmp_path / "live"))
        await record_until(ours, 2000)
        counters = assert_true(tmp_path / "live", server.exchange, at_least=100)
    assert counters["gap"] > 0
    assert counters["malformed"] > 0
    assert {name: counters[name] for name in ours.venue.counters} == ours.venue.counters
    rebuild(tmp_path / "live", tmp_path / "made")
    assert files_of(tmp_path / "made") == files_of(tmp_path / "live")


CHILD = """
import asyncio, sys
from types import SimpleNamespace
from feeds.recording.storage import Storage
from tests.feeds.live import recorder
server = SimpleNamespace(rest_url=sys.argv[1], stream_url=sys.argv[2])
asyncio.run(recorder(server, Storage(sys.argv[3], max_segment_bytes=30_000)).run())
"""


async def test_kill_9_in_the_middle_leaves_a_true_recording(tmp_path: Path) -> None:
    async with serve(MockExchange(seed=23), speed=20.0, hold=True) as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, server.rest_url, server.stream_url, str(tmp_path), cwd=ROOT
        )
        async with asyncio.timeout(20.0):
            while not (tmp_path / "raw-00001.gz").exists():
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        child.send_signal(signal.SIGKILL)
        killed_ns = time.time_ns()
        await child.wait()

        counters = Counters()
        inputs = list(read_inputs(tmp_path, counters=counters))
        assert counters["segments_unclosed"] <= 1
        assert killed_ns - inputs[-1].received_ns < 10**9
        assert_true(tmp_path, server.exchange, at_least=50)

        await record_until(recorder(server, Storage(tmp_path, max_segment_bytes=50_000)), 500)
        assert_true(tmp_path, server.exchange, at_least=80)
        again = list(read_inputs(tmp_path))
    assert again[: len(inputs)] == inputs
    assert again[len(inputs)].kind is InputKind.SESSION
