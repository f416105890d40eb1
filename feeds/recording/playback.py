"""A recording goes back through the machine that first read it, session by session.

The venue of each session is built from the description that the session's first input carries, so nothing depends on
the time, the network or the machine on which this runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal, TypedDict

import msgspec

from feeds.counters import Counters
from feeds.inputs import Input, InputKind
from feeds.recording.reading import Damaged, read_recorded, recording_manifest
from feeds.recording.sampler import BookRow, BookSampler, to_interval_ns
from feeds.venue import Output, Venue

__all__ = ["AS_RECORDED", "BuildVenue", "Interval", "Replay", "ReplayOptions", "tick_size_text"]

AS_RECORDED: Literal["as recorded"] = "as recorded"
Interval = float | Literal["as recorded"] | None
"""Seconds between sampled books; None: a book after every change."""

BuildVenue = Callable[[bytes], Venue]
"""Builds a venue from the payload of a SESSION input, which is what `Venue.describe()` gave."""

DEFAULT_LEVELS = 20
DEFAULT_INTERVAL_S = 1.0


class ReplayOptions(TypedDict, total=False):
    """Keyword arguments of `Replay`, which the functions of `feeds.recording.replay` pass on."""

    interval_s: Interval
    levels: int | None
    symbols: Collection[str] | None
    counters: Counters | None
    damaged: Damaged
    build_venue: BuildVenue | None


class Replay:
    """One pass over a recording: go through `rows()` or through `outputs()`, once.

    Args:
        path: directory of the recording, or one raw segment. interval_s: seconds between sampled books; `AS_RECORDED`,
        what the manifest says (1 s without one); None, every change. levels: of each side; None: as recorded (20
        without a manifest). More than that is possible: the inputs hold all levels. symbols: those to give; None: all.
        counters: filled with the venue's counts and with those of `feeds.recording.session.RECORDING_REASONS`. damaged:
        see `feeds.recording.reading.read_inputs`. build_venue: for venues of one's own; None:
        `feeds.binance.venue_from_description`.

    Raises RecordingError as `read_inputs` does, ValueError for a symbol that the recording does not have.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        interval_s: Interval = AS_RECORDED,
        levels: int | None = None,
        symbols: Collection[str] | None = None,
        counters: Counters | None = None,
        damaged: Damaged = "raise",
        build_venue: BuildVenue | None = None,
    ) -> None:
        self.path = Path(path)
        self.counters = counters if counters is not None else Counters()
        self.manifest = recording_manifest(self.path)
        if interval_s == AS_RECORDED:
            interval_s = self.manifest.snapshot_interval if self.manifest else DEFAULT_INTERVAL_S
        self.interval_ns = to_interval_ns(interval_s)
        self.levels = levels if levels is not None else self.manifest.max_levels if self.manifest else DEFAULT_LEVELS
        self.venue: Venue | None = None
        """The venue of the session at hand, its books as of the last input given out; None before the first."""
        self.sessions = 0
        """Sessions begun so far."""
        self.seen: dict[str, None] = {}
        """Symbols of the manifest and of the sessions begun so far, in order; those asked for only."""
        self._symbols = None if symbols is None else tuple(dict.fromkeys(symbols))
        self._damaged: Damaged = damaged
        self._build_venue = build_venue if build_venue is not None else _build_binance
        if self.manifest is not None:
            self._check_symbols(self.manifest.symbols)
            self.seen |= dict.fromkeys(self._of_interest(self.manifest.symbols))

    def rows(self) -> Iterator[BookRow]:
        """Sampled books of all symbols; times never decrease."""
        session, sampler = 0, None
        for item, venue in self._inputs():
            if sampler is None or session != self.sessions:
                after_ns = 0 if sampler is None else sampler.latest_ns
                session = self.sessions
                sampler = BookSampler(
                    self._of_interest(venue.symbols),
                    self.levels,
                    self.interval_ns,
                    counters=self.counters,
                    after_ns=after_ns,
                )
            yield from sampler.before(item, venue.books)
            output = venue.process(item)
            yield from sampler.after(item, output, venue.books)

    def outputs(self) -> Iterator[tuple[Input, Output]]:
        """Each input, and what the venue made of it."""
        for item, venue in self._inputs():
            yield item, venue.process(item)

    def tick_size(self, symbol: str) -> str:
        """The tick of a symbol as the venue at hand states it, a decimal string; empty where it does not."""
        return tick_size_text(self.venue, symbol)

    def _inputs(self) -> Iterator[tuple[Input, Venue]]:
        """Each input and the venue that is to process it."""
        try:
            for item in read_recorded(self.path, self.manifest, self.counters, self._damaged):
                if item.kind is InputKind.SESSION:
                    self._begin(self._build_venue(item.payload))
                elif self.venue is None:
                    # The segment with the session's beginning is lost, or this is one segment by itself.
                    if self.manifest is None:
                        self.counters.count("inputs_before_session")
                        continue
                    self._begin(self._build_venue(msgspec.json.encode(self.manifest.venue)))
                assert self.venue is not None
                self.counters.count("inputs")
                yield item, self.venue
        finally:
            self._count_venue()

    def _begin(self, venue: Venue) -> None:
        self._count_venue()
        if self.manifest is None and not self.sessions:
            self._check_symbols(venue.symbols)
        self.venue = venue
        self.sessions += 1
        self.seen |= dict.fromkeys(self._of_interest(venue.symbols))

    def _count_venue(self) -> None:
        if self.venue is not None:
            self.counters.update(self.venue.counters)

    def _of_interest(self, symbols: Collection[str]) -> tuple[str, ...]:
        return tuple(symbol for symbol in symbols if self._symbols is None or symbol in self._symbols)

    def _check_symbols(self, known: Collection[str]) -> None:
        unknown = [symbol for symbol in self._symbols or () if symbol not in known]
        if unknown:
            raise ValueError(f"expected symbols of the recording, {', '.join(known)}, got {', '.join(unknown)}")


def tick_size_text(venue: Venue | None, symbol: str) -> str:
    """The tick of a symbol as a venue states it, a decimal string; empty where it does not, or not yet."""
    return getattr(venue, "tick_sizes", {}).get(symbol) or ""


def _build_binance(description: bytes) -> Venue:
    from feeds.binance import venue_from_description

    return venue_from_description(description)
