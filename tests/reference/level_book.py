"""The slow, obvious reconstruction: a dict of levels a side, sorted whenever it is looked at."""

from __future__ import annotations

from quantjax.lob import LevelUpdates

__all__ = ["books_at"]

Side = list[tuple[int, float]]


def books_at(snapshot: LevelUpdates, updates: LevelUpdates, at, levels: int) -> list[tuple[Side, Side]]:
    """(tick, size) of the best `levels` bids and asks at each time, from the snapshot and all updates up to it."""
    bids: dict[int, float] = {}
    asks: dict[int, float] = {}

    def take(stream: LevelUpdates, row: int) -> None:
        side = {1: bids, -1: asks}.get(int(stream.side[row]))
        if side is None:
            return
        side.pop(int(stream.tick[row]), None)
        if stream.size[row] > 0:
            side[int(stream.tick[row])] = float(stream.size[row])

    for row in range(len(snapshot)):
        take(snapshot, row)
    books, row = [], 0
    for time_ns in at:
        while row < len(updates) and updates.time_ns[row] <= time_ns:
            take(updates, row)
            row += 1
        books.append((sorted(bids.items(), reverse=True)[:levels], sorted(asks.items())[:levels]))
    return books
