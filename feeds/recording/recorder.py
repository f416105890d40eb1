"""Records a venue: an asyncio client feeds it, and every input and the sampled books go to disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from feeds.counters import Counters
from feeds.errors import RecordingError
from feeds.inputs import Input
from feeds.recording.sampler import to_interval_ns
from feeds.recording.session import Recording
from feeds.recording.storage import Storage
from feeds.sync import BookSync
from feeds.venue import Output, Venue

__all__ = ["Client", "Connect", "Progress", "Recorder"]

DRAIN_SECONDS = 5.0  # at the end, for what had come and was not yet recorded
FLUSH_SECONDS = 0.4  # half of what a crash may take, less what the flush itself may take


class Client(Protocol):
    """What the recorder needs of a client, which `feeds.client.FeedClient` has."""

    counters: Counters

    def stop(self) -> None:
        """End the iteration once everything that has come so far is handed out."""
        ...

    def __aiter__(self) -> AsyncIterator[tuple[Input, Output]]: ...


Connect = Callable[[Venue], AbstractAsyncContextManager[Client]]
"""Makes the client that runs a venue."""


@dataclass(frozen=True)
class Progress:
    """How far a recording has come: counts of this session, `segments` and raw compressed `bytes` of all of it."""

    seconds: float
    inputs: int
    rows: int
    segments: int
    bytes: int
    synced: int  # symbols whose book is in sync
    symbols: int


class Recorder:
    """Records the books of `symbols` until it is stopped.

    Args:
        symbols: as the venue writes them.
        max_levels: of each side of a sampled book; the raw segments hold all that the venue sent.
        snapshot_interval: seconds between sampled books; None: a book after every change.
        storage: directory, or a `Storage`. One that holds a recording is continued in new segments.
        venue: a fresh venue; None: Binance spot with its public addresses.
        connect: makes the client from the venue; None: `feeds.client.FeedClient`.
        on_progress: told a `Progress` about every second.

    Memory is bounded, whatever the length: unwritten lines, one unfinished part a symbol, the books.

    Example:
        recorder = Recorder(["BTCUSDT"], storage="recording")
        asyncio.run(recorder.run(duration_s=3600))
    """

    def __init__(
        self,
        symbols: Sequence[str],
        max_levels: int = 20,
        snapshot_interval: float | None = 1.0,
        storage: Storage | str | Path = "recording",
        *,
        venue: Venue | None = None,
        connect: Connect | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.symbols = tuple(dict.fromkeys(symbols))
        if not self.symbols or isinstance(symbols, str):
            raise ValueError(f"expected a list of at least one symbol, got {symbols!r}")
        if max_levels < 1:
            raise ValueError(f"expected at least one level, got {max_levels}")
        to_interval_ns(snapshot_interval)
        self.max_levels = max_levels
        self.snapshot_interval = snapshot_interval
        self.storage = storage if isinstance(storage, Storage) else Storage(storage)
        self.venue = venue if venue is not None else _binance(self.symbols)
        if missing := [symbol for symbol in self.symbols if symbol not in self.venue.symbols]:
            raise ValueError(
                f"expected symbols of the venue, {', '.join(self.venue.symbols)}, got {', '.join(missing)}"
            )
        self._connect = connect if connect is not None else _client
        self._on_progress = on_progress
        self._counters = Counters()
        self._client: Client | None = None
        self._stop = asyncio.Event()
        self._error: BaseException | None = None
        self._ran = False

    @property
    def counters(self) -> Counters:
        """Counts of recorder, venue and client together."""
        counters = Counters(self._counters)
        counters.update(self.venue.counters)
        counters.update(self._count_client())
        return counters

    def _count_client(self) -> Counters:
        return Counters() if self._client is None else self._client.counters

    def stop(self) -> None:
        """End `run` cleanly: every file closed, the manifest written. Call it from the event loop's thread."""
        self._stop.set()

    async def run(self, duration_s: float | None = None) -> None:
        """Record until `stop()`, or for `duration_s` seconds; once for each Recorder, since a venue has a past.

        Raises RecordingError where the directory cannot be had (another recorder, other settings) or the disk refuses a
        write (full): then all that was written before can be read; and what the client raises, once everything is
        closed.
        """
        if self._ran:
            raise RecordingError("expected a Recorder that has not run yet; make another to go on recording")
        self._ran = True
        try:
            recording = Recording(
                self.storage,
                self.venue,
                symbols=self.symbols,
                max_levels=self.max_levels,
                snapshot_interval=self.snapshot_interval,
                counters=self._counters,
                client_counters=self._count_client,
            )
        except OSError as error:
            raise self._refused(error) from error
        try:
            await self._record(recording, duration_s)
        finally:
            try:
                recording.close()
            except OSError as error:
                self._fail(error)
        if isinstance(self._error, OSError):
            raise self._refused(self._error) from self._error
        if self._error is not None:
            raise self._error

    async def _record(self, recording: Recording, duration_s: float | None) -> None:
        async with self._connect(_RecordedVenue(self.venue, recording, self._fail)) as client:
            self._client = client
            drain = asyncio.create_task(self._drain(client))
            tasks = [drain, *map(asyncio.create_task, (self._flush_regularly(recording), self._wait_for_stop()))]
            try:
                await asyncio.wait(tasks, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
                # What has come so far is recorded, too.
                client.stop()
                await asyncio.wait([drain], timeout=DRAIN_SECONDS)
            finally:
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(result, Exception):
                        self._fail(result)

    async def _drain(self, client: Client) -> None:
        # All work is done where the venue is fed; this only keeps the client going.
        async for _ in client:
            pass

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    async def _flush_regularly(self, recording: Recording) -> None:
        began = told = time.monotonic()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            recording.flush()
            now = time.monotonic()
            if self._on_progress is not None and now - told >= 1.0:
                told = now
                self._on_progress(self._progress(recording, now - began))

    def _progress(self, recording: Recording, seconds: float) -> Progress:
        return Progress(
            seconds=seconds,
            inputs=self._counters["inputs"],
            rows=self._counters["rows"],
            segments=recording.num_segments,
            bytes=recording.num_bytes,
            synced=sum(self.venue.books[symbol].book is not None for symbol in self.symbols),
            symbols=len(self.symbols),
        )

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._stop.set()

    def _refused(self, error: OSError) -> RecordingError:
        return RecordingError(
            f"expected a disk that takes the recording in {self.storage.directory}, got: {error.strerror or error}; "
            "what was written before can be read; make room and record again, into the same directory if you like"
        )


class _RecordedVenue:
    """A venue whose every input is recorded before it is processed, in the order of processing."""

    def __init__(self, venue: Venue, recording: Recording, on_error: Callable[[BaseException], None]) -> None:

        self.name = venue.name
        self.symbols = venue.symbols
        self.counters = venue.counters
        self._venue = venue
        self._recording = recording

        self._on_error = on_error

    @property
    def books(self) -> Mapping[str, BookSync]:
        return self._venue.books

    def describe(self) -> bytes:
        return self._venue.describe()

    def process(self, item: Input) -> Output:
        # A failure of the disk ends the recording; it must not look to the client like a failure of the venue.
        try:
            self._recording.before(item)
        except Exception as error:
            self._on_error(error)
        output = self._venue.process(item)
        try:
            self._recording.after(item, output)
        except Exception as error:
            self._on_error(error)
        return output


def _binance(symbols: tuple[str, ...]) -> Venue:
    from feeds.binance import BinanceSpot

    return BinanceSpot(symbols)


def _client(venue: Venue) -> AbstractAsyncContextManager[Client]:
    from feeds.client import FeedClient

    return FeedClient(venue)
