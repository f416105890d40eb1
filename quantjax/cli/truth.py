"""A recording's books against the mock exchange's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feeds.recording.replay import Replay

__all__ = ["compare_with_truth"]


def compare_with_truth(source: Replay, truth_path: Path) -> tuple[int, int, int]:
    """(books compared, equal, missing): after every update of a book in sync, all its levels against the exchange's.

    Missing are books of the exchange between the first and the last that were compared of a symbol, and were not.

    The exchange publishes a digest of its whole book for every update id, computed by its own code.
    """
    from feeds.messages import DepthUpdate
    from feeds.mock import read_truth

    truth = {(entry.symbol, entry.u): entry.digest for entry in read_truth(truth_path)}
    compared = equal = 0
    seen: dict[str, list[int]] = {}
    for _, output in source.outputs():
        for symbol in {event.symbol for event in output.events if isinstance(event, DepthUpdate)}:
            book = source.venue.books[symbol].book if source.venue is not None else None
            expected = truth.get((symbol, book.last_id)) if book is not None else None
            if book is not None and expected is not None:
                compared += 1
                seen.setdefault(symbol, []).append(book.last_id)
                equal += book.digest() == expected
    missing = 0
    for symbol, ids in seen.items():
        first, last = min(ids), max(ids)
        missing += sum(s == symbol and first <= u <= last for s, u in truth) - len(set(ids))
    return compared, equal, missing
