"""The level updates of a synchronised book, as the venue hands them out: a stream for each stretch in sync."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from feeds.decimals import UNIT, to_float, to_units
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate, Level, Snapshot
from feeds.sync import StateChange, SyncState
from feeds.venue import Output
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.venue_books import Observer, in_base_currency
from quantjax.lob import BookSeries, LevelUpdates, reconstruct
from quantjax.numerics.arguments import nanoseconds

__all__ = ["UpdateCollector", "UpdateStream"]


@dataclass(frozen=True, eq=False)
class UpdateStream:
    """All that one book took in while it was in sync: a snapshot, then every level update until the book was lost.

    `snapshot`: each level of the book that it began with, as deep as the venue gave it, bids first. `updates`: in the
    order in which the book took them in; within a message bids before asks, and as the message has them. For each of
    them, `[update]`: `update_id`, the venue's last id of its message (several updates have one; a message without
    levels has none); `received_ns`, when the book took it in by the recorder's clock (what waited for the snapshot:
    when that was joined; the clock never goes back); `exchange_ns`, the venue's time of the message. Both 0 where there
    is none.

    `snapshot_id`: the venue's id of the snapshot. The book is in sync from `start_ns`, when the snapshot was joined,
    until `end_ns`, when it was lost, both of the clock that `updates.time_ns` is of (on the venue's clock `end_ns` is
    the time of the last message). `ended_by`: why, in a word or two: "gap", "disconnected", ..., or "end of recording".
    """

    snapshot: LevelUpdates
    updates: LevelUpdates
    update_id: Int64[np.ndarray, " update"]
    received_ns: Int64[np.ndarray, " update"]
    exchange_ns: Int64[np.ndarray, " update"]
    snapshot_id: int
    start_ns: int
    end_ns: int
    ended_by: str

    @property
    def symbol(self) -> str:
        """As the venue writes it."""
        return self.updates.symbol

    def __len__(self) -> int:
        return len(self.updates)

    def books(self, at: np.ndarray | None = None, levels: int = 20) -> BookSeries:
        """The books of the stream at these times, or else the snapshot's and one after each message. Driver.

        `at` and `levels` as in `lob.reconstruct`. Messages that share a time are a book each where none are asked for.

        Raises ValueError for times at which the book was not in sync: before `start_ns` or after `end_ns`.
        """
        if at is None:
            return self.after_messages(np.arange(self.num_messages + 1), levels)
        times = nanoseconds(at, "at")
        outside = int(np.count_nonzero((times < self.start_ns) | (times > self.end_ns)))
        if outside:
            raise ValueError(
                f"expected times while the book was in sync, {self.start_ns} to {self.end_ns}, "
                f"got {outside} of {len(times)} outside; take the other streams of the recording for them"
            )
        return reconstruct(self.snapshot, self.updates, times, levels)

    @property
    def num_messages(self) -> int:
        """Messages that changed the book or could have."""
        return len(self.message_rows)

    @property
    def message_rows(self) -> np.ndarray:
        """The first row of each message, `[message]`."""
        return np.flatnonzero(self._is_first)

    def after_messages(self, number: np.ndarray, levels: int = 20) -> BookSeries:
        """The books after so many messages each, in order; 0 is the snapshot's. Driver."""
        # By the number of the message in place of the time, which several may share.
        snapshot = replace(self.snapshot, time_ns=np.zeros(len(self.snapshot), np.int64))
        updates = replace(self.updates, time_ns=np.cumsum(self._is_first))
        book = reconstruct(snapshot, updates, number.astype(np.int64), levels).book
        times = np.asarray(self.updates.time_ns)[self.message_rows]
        time_ns = np.concatenate([[self.start_ns], np.maximum(times, self.start_ns)]).astype(np.int64)
        return BookSeries(time_ns[number], book, self.symbol, self.updates.tick_size)

    @property
    def _is_first(self) -> np.ndarray:
        return np.diff(self.update_id, prepend=self.update_id[:1] - 1) != 0


class UpdateCollector:
    """Listens to what an `Observer` sees and keeps the updates, as integers and without an object for each."""

    def __init__(self, options: ReadOptions, report: ReadReport) -> None:
        self._options = options
        self._report = report
        self._open: dict[str, _Stretch] = {}
        self._ended: dict[str, list[_Stretch]] = {}
        self._now_ns = 0

    def take(self, item: Input, output: Output, now_ns: int) -> None:
        """One input, what the venue made of it, and the latest time that there was."""
        if item.kind is InputKind.SESSION:
            # The process before this one knew its books until its last input, and nobody says when it went.
            self._end_all("new session")
        self._now_ns = now_ns
        for event in output.events:
            match event:
                case DepthUpdate():
                    if (stretch := self._open.get(event.symbol)) is not None:
                        with _as_ticks(event.symbol, event.last_id):
                            stretch.append(event, now_ns)
                case Snapshot():
                    if self._options.wants(event.symbol):
                        with _as_ticks(event.symbol, event.last_update_id):
                            self._open[event.symbol] = _Stretch(event, now_ns)
                case StateChange():
                    if event.new is not SyncState.SYNCED:
                        self._end(event.symbol, now_ns, event.reason)

    def finish(self) -> None:
        """No more inputs."""
        self._end_all("end of recording")

    def build(self, symbol: str, observer: Observer) -> tuple[UpdateStream, ...]:
        """The streams of a symbol in order. The tick size that the report states divides all prices of the symbol."""
        units, tick_size = self._tick(symbol, observer)
        contract = observer.contract(symbol)
        streams = []
        for stretch in self._ended.get(symbol, ()):
            stream = self._stream(stretch, units, tick_size, contract)
            if stream is not None:
                streams.append(stream)
        return tuple(streams)

    def _end_all(self, reason: str) -> None:
        for symbol in list(self._open):
            self._end(symbol, self._now_ns, reason)

    def _end(self, symbol: str, now_ns: int, reason: str) -> None:
        if (stretch := self._open.pop(symbol, None)) is not None:
            stretch.end_ns, stretch.ended_by = now_ns, reason
            self._ended.setdefault(symbol, []).append(stretch)

    def _tick(self, symbol: str, observer: Observer) -> tuple[int, float]:
        """The price step in units of 1e-8 and as a number."""
        tick_size, _ = observer.tick_size(symbol)
        units = round(tick_size * UNIT)
        guess = observer.tick_guesses.get(symbol)
        seen = 0 if guess is None else guess.units
        if guess is None or (units and seen % units == 0):
            return max(units, 1), tick_size
        # Orders from before the venue made its step coarser may rest between the steps of today.
        self._report.tick_sizes[symbol] = guess.size
        self._report.metadata["tick_size"][symbol] = f"{guess.describe()}; not all are multiples of the stated one"
        return seen, guess.size

    def _stream(self, stretch: _Stretch, units: int, tick_size: float, contract: float | None) -> UpdateStream | None:
        """The stretch as arrays; None for one that the venue's clock cannot place."""
        symbol, dtype = stretch.symbol, self._options.dtype
        messages = np.array(stretch.messages, np.int64).reshape(-1, 5)
        update_id, received_ns, exchange_ns = messages[:, 0], messages[:, 1], messages[:, 2]
        start_ns, end_ns, time_ns = stretch.start_ns, stretch.end_ns, received_ns
        if self._options.clock == "exchange":
            found = self._by_the_venue(stretch.exchange_ns, exchange_ns)
            if found is None:
                return None
            start_ns, time_ns = found
            end_ns = int(time_ns[-1]) if len(time_ns) else start_ns
        levels = messages[:, 3:]

        def updates(time_ns: np.ndarray, levels: np.ndarray, price: array[int], size: array[float]) -> LevelUpdates:
            price_units, sizes = np.array(price, np.int64), np.array(size, np.float64)
            tick, rest = np.divmod(price_units, units)
            assert not rest.any()
            side = np.repeat(np.tile(np.array([1, -1], np.int64), len(levels)), levels.ravel())
            base = in_base_currency(sizes, price_units / UNIT, contract).astype(dtype, copy=False)
            return LevelUpdates(np.repeat(time_ns, levels.sum(axis=1)), side, tick, base, tick_size, symbol)

        snapshot_time = np.array([start_ns], np.int64)
        snapshot_levels = np.array([stretch.snapshot_levels], np.int64)
        of_message = np.repeat(np.arange(len(messages)), levels.sum(axis=1))
        return UpdateStream(
            updates(snapshot_time, snapshot_levels, stretch.snapshot_price, stretch.snapshot_size),
            updates(time_ns, levels, stretch.price, stretch.size),
            update_id[of_message],
            received_ns[of_message],
            exchange_ns[of_message],
            stretch.snapshot_id,
            start_ns,
            end_ns,
            stretch.ended_by,
        )

    def _by_the_venue(self, snapshot_ns: int, exchange_ns: np.ndarray) -> tuple[int, np.ndarray] | None:
        """Times of a snapshot and of the messages after it by the venue's clock, made never to decrease."""
        stated = exchange_ns[exchange_ns != 0]
        counts = self._report.counts
        counts["no_exchange_time"] += (not snapshot_ns) + len(exchange_ns) - len(stated)
        if not snapshot_ns and not len(stated):
            return None
        snapshot_ns = snapshot_ns or int(stated[0])
        time_ns = np.maximum.accumulate(np.concatenate([[snapshot_ns], exchange_ns]))[1:]
        counts["clock_went_back"] += int(np.count_nonzero((exchange_ns < time_ns) & (exchange_ns != 0)))
        return snapshot_ns, time_ns


class _Stretch:
    """One stretch in sync; five numbers a message: id, received, exchange, how many bids, how many asks."""

    def __init__(self, snapshot: Snapshot, now_ns: int) -> None:
        self.symbol = snapshot.symbol
        self.snapshot_id = snapshot.last_update_id
        self.exchange_ns = snapshot.exchange_ns
        self.start_ns = self.end_ns = now_ns
        self.ended_by = ""
        self.snapshot_price, self.snapshot_size = array("q"), array("d")
        self.price, self.size = array("q"), array("d")
        self.messages = array("q")
        self.snapshot_levels: list[int] = []
        for side in (snapshot.bids, snapshot.asks):
            # As the book reads it: of a price that stands there twice the last size, and no level of size 0.
            sizes = {to_units(price): to_units(size) for price, size in side}
            sizes = {price: size for price, size in sizes.items() if size}
            self.snapshot_levels.append(len(sizes))
            self.snapshot_price.extend(sizes)
            self.snapshot_size.extend(map(to_float, sizes.values()))

    def append(self, update: DepthUpdate, now_ns: int) -> None:
        _extend(self.price, self.size, update.bids)
        _extend(self.price, self.size, update.asks)
        self.messages.extend((update.last_id, now_ns, update.exchange_ns, len(update.bids), len(update.asks)))


@contextmanager
def _as_ticks(symbol: str, update_id: int) -> Iterator[None]:
    try:
        yield
    except OverflowError:
        raise DataError(
            f"expected prices of {symbol} below {2**63 / UNIT:.3g}, which integer ticks can hold, got a higher one in "
            f"update {update_id}"
        ) from None


def _extend(price: array[int], size: array[float], levels: tuple[Level, ...]) -> None:
    # What the book took in is known to be readable.
    price.extend([to_units(text) for text, _ in levels])
    size.extend([to_float(to_units(text)) for _, text in levels])
