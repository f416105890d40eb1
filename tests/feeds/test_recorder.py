"""The recorder: its run, its end, and what is left when it is killed."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from feeds.counters import Counters
from feeds.errors import Disconnected, RecordingError
from feeds.inputs import Input
from feeds.recording.manifest import read_manifest
from feeds.recording.reading import read_inputs
from feeds.recording.recorder import Progress, Recorder
from feeds.recording.replay import rebuild, replay_arrays
from feeds.recording.storage import Storage
from feeds.venue import Output, Venue
from tests.feeds.scripted import SYMBOLS, ScriptedClient, files_of, new_venue

ROOT = Path(__file__).parents[2]


def recorder(storage: Storage | Path, **options: Any) -> Recorder:
    options = {"venue": new_venue(), "connect": functools.partial(ScriptedClient, steps=60)} | options
    return Recorder(SYMBOLS, 5, 1.0, storage, **options)


async def test_a_run_records_all_and_closes(tmp_path: Path) -> None:
    ours = recorder(tmp_path)
    await ours.run()
    client = ours._client
    assert isinstance(client, ScriptedClient)
    assert client.closed
    assert client.session is not None
    assert list(read_inputs(tmp_path)) == client.session.fed
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.closed
    assert ours.counters["inputs"] == len(client.session.fed)
    assert ours.counters["before_snapshot"] > 0
    assert ours.counters["queue_dropped"] == 2
    assert manifest.counters == dict(ours.counters)
    rebuild(tmp_path, tmp_path / "made")
    assert files_of(tmp_path) == files_of(tmp_path / "made")
    with pytest.raises(RecordingError, match="make another"):
        await ours.run()


async def test_a_run_ends_by_time_and_by_stop(tmp_path: Path) -> None:
    endless = functools.partial(ScriptedClient, steps=10**9, pause_s=0.001)
    began = time.monotonic()
    await recorder(tmp_path / "time", connect=endless).run(duration_s=0.2)
    told: list[Progress] = []
    ours = recorder(tmp_path / "stop", connect=endless, on_progress=told.append)
    running = asyncio.create_task(ours.run())
    while not told:
        await asyncio.sleep(0.05)
    assert len(list(read_inputs(tmp_path / "stop"))) > 10, "what came is flushed while it runs"
    ours.stop()
    await running
    assert time.monotonic() - began < 5
    for name in ("time", "stop"):
        manifest = read_manifest(tmp_path / name)
        assert manifest is not None
        assert manifest.closed
    assert told[0].synced == told[0].symbols == 2
    assert told[0].inputs > 0
    assert told[0].rows > 0
    assert (told[0].segments, told[0].bytes > 0) == (1, True)


async def test_a_stop_before_the_run_ends_it_at_once(tmp_path: Path) -> None:
    ours = recorder(tmp_path, connect=functools.partial(ScriptedClient, steps=10**9, pause_s=0.01))
    ours.stop()
    await asyncio.wait_for(ours.run(), 5)


async def test_what_the_client_raises_is_raised_once_everything_is_closed(tmp_path: Path) -> None:
    class Failing(ScriptedClient):
        async def __aiter__(self) -> AsyncIterator[tuple[Input, Output]]:
            async for pair in super().__aiter__():
                yield pair
            raise Disconnected("the exchange is gone")

    ours = recorder(tmp_path, connect=Failing)
    with pytest.raises(Disconnected, match="gone"):
        await ours.run()
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.closed
    assert len(list(read_inputs(tmp_path))) == ours.counters["inputs"]


async def test_the_manifest_holds_what_the_client_counts_as_it_ends(tmp_path: Path) -> None:
    class Slow(ScriptedClient):
        async def __aexit__(self, *_: object) -> None:
            self.counters.count("undrained", by=3)

    await recorder(tmp_path, connect=Slow).run()
    await recorder(tmp_path, connect=Slow).run()
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert (manifest.counters["undrained"], manifest.counters["queue_dropped"]) == (6, 4)


async def test_a_run_that_is_cancelled_closes_too(tmp_path: Path) -> None:
    ours = recorder(tmp_path, connect=functools.partial(ScriptedClient, steps=10**9, pause_s=0.001))
    running = asyncio.create_task(ours.run())
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.closed


async def test_a_directory_that_is_taken_is_refused(tmp_path: Path) -> None:
    first = recorder(tmp_path, connect=functools.partial(ScriptedClient, steps=10**9, pause_s=0.001))
    running = asyncio.create_task(first.run())
    await asyncio.sleep(0.05)
    with pytest.raises(RecordingError, match="no other recorder"):
        await recorder(tmp_path).run()
    first.stop()
    await running
    await recorder(tmp_path).run()


async def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match="expected a disk that takes the recording"):
        await recorder(tmp_path / "file" / "recording").run()


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="symbol"):
        Recorder([], storage=tmp_path)
    with pytest.raises(ValueError, match="symbol"):
        Recorder("BTCUSDT", storage=tmp_path)
    with pytest.raises(ValueError, match="level"):
        Recorder(SYMBOLS, 0, storage=tmp_path)
    with pytest.raises(ValueError, match="interval"):
        Recorder(SYMBOLS, 5, 0.0, storage=tmp_path)
    with pytest.raises(ValueError, match="got XRPUSDT"):
        Recorder(["XRPUSDT"], storage=tmp_path, venue=new_venue())
    assert Recorder(SYMBOLS, storage=tmp_path).venue.name == "binance"
    assert Recorder(SYMBOLS).storage == Storage("recording")


CHILD = """
import asyncio, functools, sys, time
from feeds.recording.recorder import Recorder
from feeds.recording.storage import Storage
from tests.feeds.scripted import SYMBOLS, ScriptedClient, Session, new_venue

class RealTime(Session):
    "As scripted, but received now; says when."
    def __init__(self, process, venue, exchange):
        super().__init__(process, venue, exchange, now_ns=time.time_ns())
    def step(self, **options):
        self.now_ns = time.time_ns()
        for symbol in self.exchange.symbols:
            self.feed("frame", self.connection, payload=self.exchange.depth(symbol, self.now_ns))
        print(self.now_ns, flush=True)

import tests.feeds.scripted
tests.feeds.scripted.Session = RealTime
client = functools.partial(ScriptedClient, steps=10**9, pause_s=0.005)
storage = Storage(sys.argv[1], max_segment_bytes=int(sys.argv[2]), rows_per_part=20)
asyncio.run(Recorder(SYMBOLS, 5, 0.05, storage, venue=new_venue(), connect=client).run())
"""


def start_child(directory: Path, *, max_segment_bytes: int = 20_000, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", before + CHILD, str(directory), str(max_segment_bytes)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("alive_s", [0.4, 2.3])
def test_kill_9_takes_at_most_the_last_second(tmp_path: Path, alive_s: float) -> None:
    child = start_child(tmp_path)
    assert child.stdout is not None
    first_ns = int(child.stdout.readline())
    time.sleep(alive_s)
    child.send_signal(signal.SIGKILL)
    said, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    last_ns = max(map(int, said.split()))

    counters = Counters()
    got = list(read_inputs(tmp_path, counters=counters))
    assert counters["segments_unclosed"] <= 1
    assert last_ns - max((item.received_ns for item in got), default=first_ns) <= 10**9
    if alive_s > 2:
        assert len(read_segments(tmp_path)) > 1
        assert len(replay_arrays(tmp_path)["BTCUSDT"]) > 10
        lines = (tmp_path / "books-BTCUSDT.jsonl").read_bytes().splitlines(keepends=True)
        rebuild(tmp_path, tmp_path / "made")
        made = (tmp_path / "made" / "books-BTCUSDT.jsonl").read_bytes().splitlines(keepends=True)
        assert lines == made[: len(lines)], "nothing derived that the raw segments do not explain"

    again = recorder(Storage(tmp_path, rows_per_part=20), connect=functools.partial(ScriptedClient, steps=3))
    again.snapshot_interval = 0.05
    asyncio.run(again.run())
    assert isinstance(again._client, ScriptedClient)
    assert again._client.session is not None
    assert list(read_inputs(tmp_path)) == got + again._client.session.fed


def read_segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("raw-*.gz"))


def test_a_disk_that_fills_up_ends_the_recording_with_a_clear_error(tmp_path: Path) -> None:
    # Files of this process cannot grow past 15 kB, which the system refuses as it refuses a write to a full disk.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))\n"
    child = start_child(tmp_path, max_segment_bytes=1 << 20, before=limit)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "RecordingError: expected a disk that takes the recording" in errors
    assert "File too large" in errors
    got = list(read_inputs(tmp_path))
    assert len(got) > 100
    assert len(replay_arrays(tmp_path)["ETHUSDT"]) > 3
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert not manifest.closed
    assert manifest.counters["storage_failed"] == 1
    assert os.path.getsize(tmp_path / "raw-00000.gz") <= 15_000


def test_recording_loads_neither_jax_nor_pandas(tmp_path: Path) -> None:
    program = (
        "import sys, asyncio, functools\n"
        "from tests.feeds.scripted import SYMBOLS, ScriptedClient, new_venue\n"
        "from feeds.recording.recorder import Recorder\n"
        f"asyncio.run(Recorder(SYMBOLS, storage={str(tmp_path)!r}, venue=new_venue(), connect=ScriptedClient).run())\n"
        "assert not {'pandas', 'jax', 'quantjax'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    assert list(tmp_path.glob("*.parquet"))


def test_the_venue_that_is_recorded_is_a_venue(tmp_path: Path) -> None:
    seen: list[Venue] = []

    def connect(venue: Venue) -> ScriptedClient:
        seen.append(venue)
        return ScriptedClient(venue, steps=1)

    ours = recorder(tmp_path, connect=connect)
    asyncio.run(ours.run())
    (venue,) = seen
    assert (venue.name, venue.symbols, venue.describe()) == ("binance", SYMBOLS, ours.venue.describe())
    assert venue.books is ours.venue.books
    assert venue.counters is ours.venue.counters
