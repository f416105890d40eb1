"""Reports of what was dropped, repeated, skipped or refused, and the list of the reasons there are.

A fault is counted and reported at once: the `Fault` event's `counter` names the count it went to.
"""

from __future__ import annotations

import msgspec

__all__ = ["REASONS", "Fault"]

REASONS: dict[str, str] = {
    # books
    "malformed": "a frame, body, price or size that is not what the venue documents; its symbol's book resynchronises",
    "gap": "an update is missing before this one; the book resynchronises",
    "crossed": "best bid at or above best ask; the book is thrown away and resynchronises",
    "repeated": "an update that says nothing new: repeated, late, or of the connection that is being replaced",
    "before_snapshot": "an update that the snapshot already contains; every synchronisation has some",
    "reordered": "a buffered update that came after a later one; it was put in its place",
    "buffer_overflow": "an update pushed out of the full buffer while the snapshot was awaited",
    "snapshot_too_old": "a snapshot from before the first buffered update; another is fetched",
    "unwanted_snapshot": "a snapshot that came while the book was in sync, or while nothing followed its stream",
    "unwanted_update": "an update for a book whose stream is not followed",
    # trades
    "repeated_trade": "a trade with an identifier not above the last one's",
    "missed_trades": "trades whose identifiers were skipped (counted one by one, reported together)",
    # frames
    "other_symbol": "a message of a symbol that was not asked for",
    "unused_event": "a documented event that nothing here uses (tickers, candles)",
    "unknown_event": "an event that is not known",
    "unknown_connection": "a frame or a loss of a connection that was not open",
    "after_close": "a frame of a connection that had been given up",
    # connections and requests
    "refused": "the venue answered a subscription with an error",
    "disconnected": "a connection that was lost, or could not be opened",
    "stalled": "a connection that went silent and was given up",
    "server_shutdown": "the venue announced that it would close the connection",
    "fetch_failed": "a request that failed; it is made again later",
    "fetch_lost": "a request that was never answered; it is made again",
    "unknown_symbol": "the venue does not list the symbol, or no longer; it is left alone from then on",
    "unknown_response": "an answer to a request that is not known",
    "clock_went_back": "this machine's clock jumped back; it is taken to have stood still",
    # the client, in its own counters
    "queue_dropped": "a frame dropped because the reader was too slow (overflow policies DROP_*, DISCONNECT)",
    "queue_disconnected": "a connection closed because the reader was too slow (overflow policy DISCONNECT)",
    "connect_failed": "an attempt to connect that failed",
    "request_retried": "a request repeated after a transport error or a refusal",
    "timer_skipped": "a tick of the timer left out because the reader had not taken the last one",
    "undrained": "an input that was still queued when the client was left: it was neither processed nor recorded",
}
"""Every reason that the venues and the client count, and what it means. Names are stable."""


class Fault(msgspec.Struct, frozen=True, tag=True):
    """Something was dropped, refused or not understood; `counter` is the count it went to (a key of `REASONS`)."""

    counter: str
    symbol: str
    detail: str
    received_ns: int
