"""When a recording takes a picture of the books: at every multiple of an interval, or at every change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from feeds.counters import Counters
from feeds.inputs import Input

if TYPE_CHECKING:
    from feeds.sync import BookSync
    from feeds.venue import Output

__all__ = ["BookRow", "BookSampler", "to_interval_ns"]


class BookRow(msgspec.Struct, frozen=True):
    """The top of one book at one time; `bids` and `asks` are (price, size) in units of 1e-8, best first.

    `time_ns` is the boundary, or the received time of the change; `exchange_ns` the venue's time of the last
    change that the book took in (0: not stated).
    """

    symbol: str
    time_ns: int
    exchange_ns: int
    last_update_id: int
    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


def to_interval_ns(interval_s: float | None) -> int | None:
    """Interval in nanoseconds from one in seconds; None stays None. Raises ValueError where it is not positive."""
    if interval_s is None:
        return None
    if not interval_s * 1e9 >= 1.0:
        raise ValueError(f"expected an interval of at least a nanosecond, in seconds, or None, got {interval_s}")
    return round(interval_s * 1e9)


class BookSampler:
    """Rows of synchronised books, as a deterministic function of a session's inputs.

    With an interval: at each multiple of it on the received clock, the books as all inputs received before that
    boundary left them, given out when the first input at or past it comes. If several boundaries passed between two
    inputs, only the first is given (nothing is known of the others) and the rest are counted, `samples_missed`. With
    `interval_ns=None`: after every input that changed a book.

    A symbol that is not SYNCED at a boundary gives no row (`not_synced`); a row that reaches beyond the prices of the
    snapshot its book began with may miss levels (`beyond_snapshot`). Times never decrease: when the clock jumps
    back (`sampler_clock_back`), boundaries that come by again are `samples_missed`, and changes keep the latest time
    there was.

    Args: `after_ns`, the latest received time of the sessions before this one, if any: no row is stamped before it.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        max_levels: int,
        interval_ns: int | None,
        *,
        counters: Counters | None = None,
        after_ns: int = 0,
    ) -> None:
        if max_levels < 1:
            raise ValueError(f"expected at least one level, got {max_levels}")
        if interval_ns is not None and interval_ns < 1:
            raise ValueError(f"expected a positive interval in nanoseconds or None, got {interval_ns}")
        self.symbols = tuple(symbols)
        self.max_levels = max_levels
        self.interval_ns = interval_ns
        self.counters = counters if counters is not None else Counters()
        self.latest_ns = after_ns
        self._previous_ns: int | None = None
        self._sampled_id: dict[str, int | None] = dict.fromkeys(self.symbols)

    def before(self, item: Input, books: Mapping[str, BookSync]) -> list[BookRow]:
        """Rows of the boundary that `item` passes; to be called before the venue processes it."""
        previous, now = self._previous_ns, item.received_ns
        latest, self.latest_ns, self._previous_ns = self.latest_ns, max(self.latest_ns, now), now
        if previous is None:
            return []
        if now < previous:
            self.counters.count("sampler_clock_back")
            return []
        if self.interval_ns is None:
            return []
        crossed = now // self.interval_ns - previous // self.interval_ns
        if crossed == 0:
            return []
        # After a jump back the clock passes boundaries again whose rows may have been given.
        boundary = (max(previous, latest) // self.interval_ns + 1) * self.interval_ns
        given = boundary <= now
        if crossed > given:
            self.counters.count("samples_missed", by=crossed - given)
        if not given:
            return []
        rows = [self._row(symbol, boundary, books) for symbol in self.symbols]
        return [row for row in rows if row is not None]

    def after(self, item: Input, output: Output, books: Mapping[str, BookSync]) -> list[BookRow]:
        """Rows of the books that `item` changed, without an interval; to be called after the venue processed it."""
        if self.interval_ns is not None:
            return []
        rows = []
        for symbol in dict.fromkeys(event.symbol for event in output.events):
            if symbol not in self._sampled_id:
                continue
            book = books[symbol].book
            if book is None:
                self._sampled_id[symbol] = None
            elif book.last_id != self._sampled_id[symbol]:
                self._sampled_id[symbol] = book.last_id
                rows.append(self._row(symbol, self.latest_ns, books))
        return [row for row in rows if row is not None]

    def _row(self, symbol: str, time_ns: int, books: Mapping[str, BookSync]) -> BookRow | None:
        book = books[symbol].book
        if book is None:
            self.counters.count("not_synced", symbol)
            return None
        if book.beyond_snapshot(self.max_levels):
            self.counters.count("beyond_snapshot", symbol)
        bids, asks = book.top(self.max_levels)
        return BookRow(symbol, time_ns, books[symbol].exchange_ns, book.last_id, bids, asks)
