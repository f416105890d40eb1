"""A recording of a venue's messages as something that can be played once, whatever format it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from feeds.counters import Counters
from feeds.inputs import Input, InputKind
from feeds.recording.sampler import BookRow, BookSampler
from feeds.venue import Output, Venue
from quantjax.io.options import ReadOptions, ReadReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feeds.sync import BookSync

__all__ = ["OpenPlayback", "Playback", "VenuePlayback", "Watch", "Watched"]

Watch = Callable[[Venue], Venue]
"""Puts a venue that is watched in the place of the one that is to be played to."""


class Playback(Protocol):
    """Inputs and the venues that take them in; `levels` is the depth of the books of `rows`.

    Go through `rows` or through `outputs`, once. The report that it was opened with then has the counts.
    """

    @property
    def levels(self) -> int: ...

    def rows(self, watch: Watch) -> Iterator[BookRow]:
        """Sampled books of the symbols asked for."""
        ...

    def outputs(self, watch: Watch) -> Iterator[tuple[Input, Output]]:
        """Each input, and what the venue made of it."""
        ...


OpenPlayback = Callable[[Path, ReadOptions, ReadReport], Playback]
"""Opens a recording; what is wrong with it may be raised now or as it plays."""


@dataclass(frozen=True, eq=False)
class VenuePlayback:
    """One venue that is fed the messages of files; `rows_read` counts those inputs that came from them."""

    venue: Venue
    inputs: Iterator[Input]
    options: ReadOptions
    report: ReadReport

    @property
    def levels(self) -> int:
        """As asked for: the messages hold all there are."""
        return self.options.levels

    def rows(self, watch: Watch) -> Iterator[BookRow]:
        """Sampled books of the symbols asked for."""
        venue = watch(self.venue)
        symbols = [symbol for symbol in venue.symbols if self.options.wants(symbol)]
        counters = Counters()
        sampler = BookSampler(symbols, self.options.levels, self.options.interval_ns, counters=counters)
        try:
            for item in self._read():
                yield from sampler.before(item, venue.books)
                output = venue.process(item)
                yield from sampler.after(item, output, venue.books)
        finally:
            # The venue counts the same jumps of the clock that the sampler does.
            counters.pop("sampler_clock_back", None)
            self.report.counts.update(counters.totals())
            self.report.counts.update(venue.counters.totals())

    def outputs(self, watch: Watch) -> Iterator[tuple[Input, Output]]:
        """Each input, and what the venue made of it."""
        venue = watch(self.venue)
        try:
            for item in self._read():
                yield item, venue.process(item)
        finally:
            self.report.counts.update(venue.counters.totals())

    def _read(self) -> Iterator[Input]:
        for item in self.inputs:
            self.report.counts["rows_read"] += item.kind in (InputKind.FRAME, InputKind.RESPONSE)
            yield item


class Watched:
    """A venue whose inputs and outputs someone sees: `take(input, output)` is called for each.

    With `process=False` the venue itself never hears of the inputs, and its books stay empty.
    """

    def __init__(self, venue: Venue, take: Callable[[Input, Output], None], *, process: bool = True) -> None:
        self.name = venue.name
        self.symbols = venue.symbols
        self.counters: Counters = venue.counters
        self._venue = venue
        self._take = take
        self._process = process

    @property
    def books(self) -> Mapping[str, BookSync]:
        return self._venue.books

    @property
    def tick_sizes(self) -> Mapping[str, str]:
        """As the venue states them, where it does (`feeds.recording.playback.tick_size_text` asks for it)."""
        return getattr(self._venue, "tick_sizes", {})

    def process(self, item: Input) -> Output:
        output = self._venue.process(item) if self._process else Output()
        self._take(item, output)
        return output

    def describe(self) -> bytes:
        return self._venue.describe()
