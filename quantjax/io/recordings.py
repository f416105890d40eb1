"""Raw recordings of `feeds.Recorder`: a directory of segments or one segment, through the machine that recorded it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from feeds.binance import venue_from_description
from feeds.counters import Counters
from feeds.errors import FeedError
from feeds.inputs import Input
from feeds.recording.playback import Replay
from feeds.recording.sampler import BookRow
from feeds.venue import Output, Venue
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.playback import Watch

__all__ = ["RecordingPlayback"]

_Played = TypeVar("_Played")

_RECORDER_ONLY = (
    "queue_dropped",
    "queue_disconnected",
    "connect_failed",
    "request_retried",
    "timer_skipped",
    "undrained",
)
"""What happens before an input is recorded: no replay can count it, only the recorder that wrote the manifest."""


class RecordingPlayback:
    """A raw recording, each session of it to the venue that its first input describes.

    `interval_s=None` gives a book after every change, "as recorded" what the recorder sampled. Damage (not the end that
    a crash leaves, which is counted) raises DataError, or is skipped and counted with `damaged="skip"`. What only the
    recorder could count is taken from the manifest, whose counters are `metadata["recorder_counts"]`.
    """

    def __init__(self, path: Path, options: ReadOptions, report: ReadReport) -> None:
        self._path = path
        self._report = report
        self._counters = Counters()
        self._watch: Watch | None = None
        try:
            self._replay = Replay(
                path,
                interval_s=options.interval_s,
                levels=options.levels,
                symbols=options.symbols,
                counters=self._counters,
                damaged=options.damaged,
                build_venue=self._build_venue,
            )
        except (FeedError, ValueError) as error:
            raise self._said(error) from None
        interval_ns, manifest = self._replay.interval_ns, self._replay.manifest
        report.metadata |= {
            "files": [str(path)],
            "clock": options.clock,
            "interval_s": None if interval_ns is None else interval_ns / 1e9,
        }
        if manifest is not None:
            recorder_counts = dict(manifest.counters)
            report.metadata["recorder_counts"] = recorder_counts
            if path.is_dir():  # they are of all segments together
                report.counts.update({name: recorder_counts.get(name, 0) for name in _RECORDER_ONLY})

    @property
    def levels(self) -> int:
        """As asked for: the messages hold all there are."""
        return self._replay.levels

    def rows(self, watch: Watch) -> Iterator[BookRow]:
        """Sampled books of the symbols asked for."""
        self._watch = watch
        return self._counted(self._replay.rows())

    def outputs(self, watch: Watch) -> Iterator[tuple[Input, Output]]:
        """Each input, and what the venue made of it."""
        self._watch = watch
        return self._counted(self._replay.outputs())

    def _build_venue(self, payload: bytes) -> Venue:
        venue = venue_from_description(payload)
        return venue if self._watch is None else self._watch(venue)

    def _counted(self, played: Iterator[_Played]) -> Iterator[_Played]:
        report, counters = self._report, self._counters
        try:
            yield from played
        except (FeedError, ValueError) as error:
            raise self._said(error) from None
        finally:
            report.symbols |= self._replay.seen
            # The venue counts the same jumps of the clock that the sampler does.
            counters.pop("sampler_clock_back", None)
            report.counts["rows_read"] += counters.pop("inputs", 0) + counters["inputs_before_session"]
            report.counts.update(counters.totals())
        if not self._replay.sessions:
            raise DataError(
                f"{self._path}: expected a recording with the beginning of a session, got none in "
                f"{report.counts['rows_read']} inputs; read the directory of the recording rather than one segment of "
                "it"
            )

    def _said(self, error: Exception) -> DataError:
        return DataError(str(error) if str(self._path) in str(error) else f"{self._path}: {error}")
