"""The book-sync machine: one symbol's snapshot and updates joined into a book that is either right or not handed out.

    DISCONNECTED --start--> BUFFERING --snapshot and updates join--> SYNCED --gap, crossed, malformed, stop--> STALE
                                                                       ^-----------snapshot and updates join-----+

Updates are buffered until a snapshot can be joined to them by the venue's rules. STALE means: was in sync, is not now;
the last good book can be had as `stale_book` while the machine, if its stream flows, buffers again. One machine knows
one symbol, so that a gap disturbs no other.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import msgspec

from feeds.book import OrderBook
from feeds.counters import Counters
from feeds.errors import MalformedMessage
from feeds.faults import Fault
from feeds.messages import DepthUpdate, Snapshot
from feeds.rules import FuturesRules, SpotRules, SyncRules, Verdict

__all__ = ["BookSync", "FuturesRules", "SpotRules", "StateChange", "SyncEvent", "SyncRules", "SyncState"]


class SyncState(StrEnum):
    DISCONNECTED = "disconnected"  # no stream, and no book was ever in sync
    BUFFERING = "buffering"  # the stream flows, the first snapshot is awaited
    SYNCED = "synced"  # the book is right as of its last update
    STALE = "stale"  # was in sync and is not: the stream is lost, or the book resynchronises


class StateChange(msgspec.Struct, frozen=True, tag=True):
    """A symbol's book went from `old` to `new`; `reason` in a word or two."""

    symbol: str
    old: SyncState
    new: SyncState
    reason: str
    received_ns: int


SyncEvent = Snapshot | DepthUpdate | StateChange | Fault
"""What a machine reports. Snapshots and updates among them are those that its book took in, in that order."""


class BookSync:
    """The book of one symbol. Pure: the same calls give the same events; nothing raises for what the venue sent.

    Args:
        symbol: as the venue writes it.
        rules: how its updates follow one another.
        max_buffered: updates kept while a snapshot is awaited; the oldest give way, and are counted.
        counters: where faults are counted (by reason and symbol); its own where none is given.
        depth_limit: levels of a side that snapshots are asked for; None: all there are.
    """

    def __init__(
        self,
        symbol: str,
        rules: SyncRules,
        *,
        max_buffered: int = 2000,
        counters: Counters | None = None,
        depth_limit: int | None = None,
    ) -> None:
        if max_buffered < 1:
            raise ValueError(f"expected max_buffered of at least 1, got {max_buffered}")
        self.symbol = symbol
        self.rules = rules
        self.max_buffered = max_buffered
        self.depth_limit = depth_limit
        self.counters = Counters() if counters is None else counters
        self.state = SyncState.DISCONNECTED
        self.stale_book: OrderBook | None = None
        """The last good book while there is no better one; None when in sync, and after a crossed book."""
        self.last_change_ns = 0
        """When the last snapshot or update that the book took in was received."""
        self.exchange_ns = 0
        """The venue's time of that snapshot or update, 0 where it stated none."""
        self._book: OrderBook | None = None
        self._following = False
        self._buffer: deque[DepthUpdate] = deque()
        self._pending: Snapshot | None = None  # a snapshot that came before any update: it waits for the first
        self._snapshot_id = 0
        self._bridged = False  # an update was applied since the snapshot

    @property
    def book(self) -> OrderBook | None:
        """The book while SYNCED, else None."""
        return self._book

    @property
    def following(self) -> bool:
        """Whether the symbol's stream flows (between `start` and `stop`)."""
        return self._following

    @property
    def num_buffered(self) -> int:
        """Updates that wait for a snapshot."""
        return len(self._buffer)

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot is needed to go on."""
        return self._following and self._book is None and self._pending is None

    def bridges(self, update: DepthUpdate) -> bool:
        """Whether the book is in sync and `update` leaves no hole after it."""
        book = self._book
        return book is not None and self.rules.judge(update, book.last_id, self._bridged) is not Verdict.GAP

    def start(self, now_ns: int, reason: str = "connected") -> list[SyncEvent]:
        """The symbol's stream begins: buffer it. Call `stop` first where another stream was followed."""
        self._following = True
        self._buffer.clear()
        self._pending = None
        if self.state is SyncState.DISCONNECTED:
            return [self._turn(SyncState.BUFFERING, reason, now_ns)]
        return []

    def stop(self, now_ns: int, reason: str) -> list[SyncEvent]:
        """The stream is lost: SYNCED becomes STALE, BUFFERING becomes DISCONNECTED."""
        self._following = False
        self._buffer.clear()
        self._pending = None
        if self.state is SyncState.BUFFERING:
            return [self._turn(SyncState.DISCONNECTED, reason, now_ns)]
        return self._lose(reason, now_ns)

    def abandon(self, now_ns: int, reason: str) -> list[SyncEvent]:
        """`stop`, and forget the last good book too: DISCONNECTED from any state."""
        self.stop(now_ns, reason)
        self.stale_book = None
        self.last_change_ns = self.exchange_ns = 0
        if self.state is SyncState.DISCONNECTED:
            return []
        return [self._turn(SyncState.DISCONNECTED, reason, now_ns)]

    def skip(self, now_ns: int, reason: str) -> list[SyncEvent]:
        """An update came that could not be read (the caller counts why): the book cannot be right any more."""
        self._buffer.clear()  # what was buffered does not reach over the hole
        return self._lose(reason, now_ns)

    def update(self, update: DepthUpdate) -> list[SyncEvent]:
        """Take an update in: apply it, buffer it, or say why not."""
        now_ns = update.received_ns
        if not self._following:
            return [self._fault("unwanted_update", f"update {update.last_id}, no stream", now_ns)]
        if update.first_id > update.last_id:
            fault = self._fault("malformed", f"update from {update.first_id} to {update.last_id}", now_ns)
            return [fault, *self.skip(now_ns, "malformed")]
        book = self._book
        if book is None:
            return self._hold(update)
        verdict = self.rules.judge(update, book.last_id, self._bridged)
        if verdict is Verdict.OLD:
            return [self._old(update, book, now_ns)]
        if verdict is Verdict.GAP:
            fault = self._fault("gap", f"update {_span(update)} after {book.last_id}", now_ns)
            events: list[SyncEvent] = [fault, *self._lose("gap", now_ns)]
            self._buffer.append(update)
            return events
        try:
            book.apply(update)
        except MalformedMessage as error:
            return [self._fault("malformed", str(error), now_ns), *self.skip(now_ns, "malformed")]
        if book.crossed:
            self._book = None  # it was changed in place: there is no good book to keep
            return [self._fault("crossed", f"after update {_span(update)}", now_ns), *self._lose("crossed", now_ns)]
        self._bridged = True
        self.last_change_ns, self.exchange_ns = now_ns, update.exchange_ns
        return [update]

    def snapshot(self, snapshot: Snapshot) -> list[SyncEvent]:
        """Take a snapshot in: join it to the buffered updates, or keep it until the first one comes."""
        if not self.wants_snapshot and self._pending is None:
            detail = f"snapshot {snapshot.last_update_id}, {'in sync' if self._book else 'no stream'}"
            return [self._fault("unwanted_snapshot", detail, snapshot.received_ns)]
        self._pending = snapshot
        return self._join(snapshot, snapshot.received_ns) if self._buffer else []

    def _hold(self, update: DepthUpdate) -> list[SyncEvent]:
        events: list[SyncEvent] = []
        if len(self._buffer) >= self.max_buffered:
            oldest = self._buffer.popleft()
            events.append(self._fault("buffer_overflow", f"update {_span(oldest)} dropped", update.received_ns))
        if self._buffer and update.last_id < self._buffer[-1].last_id:
            events.append(self._fault("reordered", f"update {_span(update)}", update.received_ns))
            self._buffer = deque(sorted((*self._buffer, update), key=lambda held: held.last_id))
        else:
            self._buffer.append(update)
        if self._pending is not None:
            events += self._join(self._pending, update.received_ns)
        return events

    def _join(self, snapshot: Snapshot, now_ns: int) -> list[SyncEvent]:
        """Snapshot, then the buffered updates that follow it; SYNCED only if nothing is missing or wrong in between."""
        self._pending = None
        book = OrderBook()
        try:
            book.load(snapshot, self.depth_limit)
        except MalformedMessage as error:
            return [self._fault("malformed", f"snapshot: {error}", now_ns)]
        if book.crossed:
            return [self._fault("crossed", f"snapshot {snapshot.last_update_id}", now_ns)]
        self._snapshot_id = snapshot.last_update_id
        faults: list[SyncEvent] = []
        applied: list[DepthUpdate] = []
        for number, update in enumerate(self._buffer):
            verdict = self.rules.judge(update, book.last_id, bool(applied))
            if verdict is Verdict.OLD:
                faults.append(self._old(update, book, now_ns))
                continue
            if verdict is Verdict.GAP:
                # updates after the hole are kept: the next snapshot may join them
                counter = "gap" if number else "snapshot_too_old"
                faults.append(self._fault(counter, f"update {_span(update)} after {book.last_id}", now_ns))
                return self._keep_from(number, faults)
            try:
                book.apply(update)
            except MalformedMessage as error:
                faults.append(self._fault("malformed", str(error), now_ns))
                return self._keep_from(number + 1, faults)
            if book.crossed:
                faults.append(self._fault("crossed", f"after update {_span(update)}", now_ns))
                return self._keep_from(number + 1, faults)
            applied.append(update)
        self._buffer.clear()
        self._book, self._bridged, self.stale_book = book, bool(applied), None
        newest = applied[-1] if applied else snapshot
        self.last_change_ns, self.exchange_ns = now_ns, newest.exchange_ns
        return [*faults, snapshot, *applied, self._turn(SyncState.SYNCED, "snapshot", now_ns)]

    def _keep_from(self, number: int, faults: list[SyncEvent]) -> list[SyncEvent]:
        for _ in range(number):
            self._buffer.popleft()
        return faults

    def _lose(self, reason: str, now_ns: int) -> list[SyncEvent]:
        """SYNCED becomes STALE; the other states stay as they are."""
        if self.state is not SyncState.SYNCED:
            return []
        self.stale_book, self._book = self._book, None
        return [self._turn(SyncState.STALE, reason, now_ns)]

    def _old(self, update: DepthUpdate, book: OrderBook, now_ns: int) -> Fault:
        counter = "before_snapshot" if update.last_id <= self._snapshot_id else "repeated"
        return self._fault(counter, f"update {_span(update)} at {book.last_id}", now_ns)

    def _turn(self, new: SyncState, reason: str, now_ns: int) -> StateChange:
        old, self.state = self.state, new
        return StateChange(self.symbol, old, new, reason, now_ns)

    def _fault(self, counter: str, detail: str, now_ns: int) -> Fault:
        self.counters.count(counter, self.symbol)
        return Fault(counter, self.symbol, detail, now_ns)


def _span(update: DepthUpdate) -> str:
    return f"{update.first_id}-{update.last_id}"
