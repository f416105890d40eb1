"""Raw recordings of `feeds.Recorder`: a directory of segments or one segment, through the machine that recorded it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from feeds.binance import venue_from_description
from feeds.counters import Counters
from feeds.errors import FeedError
from feeds.recording.playback import Replay
from feeds.recording.sampler import BookRow
from feeds.venue import Venue
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.venue_books import Observer, book_blocks
from quantjax.lob import BookSeries

__all__ = ["read_recording"]

_RECORDER_ONLY = (
    "queue_dropped",
    "queue_disconnected",
    "connect_failed",
    "request_retried",
    "timer_skipped",
    "undrained",
)
"""What happens before an input is recorded: no replay can count it, only the recorder that wrote the manifest."""


def read_recording(path: Path, options: ReadOptions, report: ReadReport) -> Iterator[BookSeries]:
    """Books of a raw recording in blocks of one symbol each, as they fill.

    `interval_s=None` gives a book after every change, "as recorded" what the recorder sampled. Damage (not the end that
    a crash leaves, which is counted) raises DataError, or is skipped and counted with `damaged="skip"`. What only the
    recorder could count is taken from the manifest, whose counters are `metadata["recorder_counts"]`.
    """
    observer = Observer(options, report)

    def build_venue(payload: bytes) -> Venue:
        return observer.watch(venue_from_description(payload))

    counters = Counters()
    try:
        replay = Replay(
            path,
            interval_s=options.interval_s,
            levels=options.levels,
            symbols=options.symbols,
            counters=counters,
            damaged=options.damaged,
            build_venue=build_venue,
        )
    except (FeedError, ValueError) as error:
        raise DataError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    report.metadata |= {
        "files": [str(path)],
        "clock": options.clock,
        "interval_s": None if replay.interval_ns is None else replay.interval_ns / 1e9,
    }
    if replay.manifest is not None:
        recorder_counts = dict(replay.manifest.counters)
        report.metadata["recorder_counts"] = recorder_counts
        if path.is_dir():  # they are of all segments together
            report.counts.update({name: recorder_counts.get(name, 0) for name in _RECORDER_ONLY})
    rows = _rows(replay, counters, report)
    yield from book_blocks(rows, observer, replay.levels, options, report)
    if not replay.sessions:
        raise DataError(
            f"{path}: expected a recording with the beginning of a session, got none in {report.counts['rows_read']} "
            "inputs; read the directory of the recording rather than one segment of it"
        )


def _rows(replay: Replay, counters: Counters, report: ReadReport) -> Iterator[BookRow]:
    try:
        yield from replay.rows()
    except (FeedError, ValueError) as error:
        raise DataError(str(error) if str(replay.path) in str(error) else f"{replay.path}: {error}") from None
    finally:
        report.symbols |= replay.seen
        # The venue counts the same jumps of the clock that the sampler does.
        counters.pop("sampler_clock_back", None)
        report.counts["rows_read"] += counters.pop("inputs", 0) + counters["inputs_before_session"]
        report.counts.update(counters.totals())
