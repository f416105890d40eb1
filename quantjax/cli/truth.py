"""A recording's books against the mock exchange's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feeds.recording.replay import Replay

__all__ = ["compare_with_truth"]


def compare_with_truth(source: Replay, truth_path: Path) -> tuple[int, int]:
    """(books compared, books equal): after every update of a book in sync, all its levels against the exchange's.

    The exchange publishes a digest of its whole book for every update id, computed by its own code.
    """
    from feeds.messages import DepthUpdate
    from feeds.mock import read_truth

    truth = {(entry.symbol, entry.u): entry.digest for entry in read_truth(truth_path)}
    compared = equal = 0
    for _, output in source.outputs():
        for symbol in {event.symbol for event in output.events if isinstance(event, DepthUpdate)}:
            book = source.venue.books[symbol].book if source.venue is not None else None
            expected = truth.get((symbol, book.last_id)) if book is not None else None
            if book is not None and expected is not None:
                compared += 1
                equal += book.digest() == expected
    return compared, equal
