"""Counts of everything read, skipped, cut or kept in spite of a flaw: nothing is lost silently."""

from __future__ import annotations

from collections import Counter

__all__ = ["COUNT_NAMES", "Counts"]


class Counts(Counter[str]):
    """A `collections.Counter` by reason; `as_dict()` is what a result carries."""

    def as_dict(self) -> dict[str, int]:
        """Reasons that occurred, with `rows_read` and `rows` always first."""
        others = {name: number for name, number in sorted(self.items()) if number}
        return {"rows_read": self["rows_read"], "rows": self["rows"]} | others


COUNT_NAMES: dict[str, str] = {
    "rows_read": "lines, messages or inputs read",
    "rows": "books given; level updates by io.read_updates, quotes by io.read_quotes and io.load_chain",
    "streams": "stretches in sync that io.read_updates gave",
    "trades": "trades seen",
    # skipped or cut
    "malformed_lines": "lines that are not what the format says; skipped",
    "missing_key": "JSON lines without timestamp, symbol, bids or asks; skipped",
    "bad_timestamp": "JSON lines whose timestamp is not ISO 8601; skipped",
    "not_finite": "books with a size or price that is NaN or infinite; skipped",
    "negative": "books with a size below 0, or a price of 0 or below; skipped",
    "other_symbols": "rows of symbols that were not asked for",
    "zero_size_levels": "levels of size 0 in JSON lines, which are absent levels; left out of their book",
    "no_exchange_time": "books (quotes, messages of updates) that the venue gave no time for, where clock='exchange' "
    "was asked for; books and quotes are skipped, messages take the time of those beside them",
    "unsorted_dropped": "recorded books whose levels are out of order or repeated, where differences were asked for",
    "samples_missed": "boundaries of the interval that passed without a row of their own; no book",
    "files_truncated": "gzip files that end too early; read as far as they go",
    "torn_lines": "last lines without an end that are not whole; skipped",
    "bytes_cut": "bytes of such partial lines or records",
    "rows_without_partner": "LOBSTER rows that the other file, which was cut, has no row for; skipped",
    # kept
    "crossed_kept": "books with the best ask below the best bid; kept for lob.check and lob.clean",
    "unsorted_kept": "books whose levels are out of order; kept likewise",
    "empty_side_kept": "books with an empty side; kept likewise",
    "clock_went_back": "steps back in time: of the rows, of the recorder's clock (then taken to have stood still), or "
    "messages of updates before the latest exchange time (then given that)",
    "update_id_went_back": "JSON lines with a last_update_id below the one before it; quotes likewise",
    "executions_off_touch": "visible LOBSTER executions that are not at the best price of the book before",
    # synchronisation of Binance's and recorded books; the rest of these is in feeds.faults.REASONS
    "resyncs": "times a book was brought in sync again after it was lost",
    "out_of_sync_ms": "milliseconds in which a book was lost and gave no rows, all symbols together",
    "conversion_failed": "trades whose price or size is not a number; skipped",
}
"""What `counts` may hold beside `messages_<event>` (LOBSTER), `feeds.faults.REASONS` and
`feeds.recording.session.RECORDING_REASONS`. Names are stable."""
