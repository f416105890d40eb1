"""One side of the simulated book: orders in queues by price, and every level's text kept ready."""

from __future__ import annotations

from bisect import bisect_left

from feeds.mock.wire import level_row

__all__ = ["BookSide"]


class BookSide:
    """Levels of integer ticks and lots; the best is the last of the sorted lists, where insertion is cheap.

    A key is the tick of a bid and minus the tick of an ask, so that a greater key is a better price on both sides.
    Each level's two texts (the wire's row and the digest's `price:size`) change with the level, so that a snapshot or
    a digest of hundreds of levels, taken after every diff, is one join.
    """

    def __init__(self, sign: int, tick_units: int, lot_units: int) -> None:
        self.sign = sign
        self.lots: dict[int, int] = {}
        self.queues: dict[int, dict[int, int]] = {}  # tick -> order id -> lots, first come first
        self.changed: set[int] = set()
        self._tick_units = tick_units
        self._lot_units = lot_units
        self._keys: list[int] = []
        self._rows: list[str] = []
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def best(self) -> int:
        """Tick of the best level."""
        return self.sign * self._keys[-1]

    def ticks(self) -> list[int]:
        """Ticks of all levels, best first."""
        return [self.sign * key for key in reversed(self._keys)]

    def rows(self, limit: int | None = None) -> list[str]:
        """The wire's `["price","size"]` of the best `limit` levels, best first."""
        return self._rows[::-1] if limit is None else self._rows[: -limit - 1 : -1]

    def digest_text(self) -> str:
        """`price:size` of all levels in units of 1e-8, best first, joined by semicolons."""
        return ";".join(self._texts[::-1])

    def changed_rows(self, ticks: set[int]) -> list[str]:
        """The wire's rows of these ticks, best first; a level that is gone has size zero."""
        return [self._row(tick, self.lots.get(tick, 0)) for tick in sorted(ticks, reverse=self.sign > 0)]

    def add(self, order: int, tick: int, lots: int) -> None:
        """A new order joins the end of its queue."""
        queue = self.queues.get(tick)
        if queue is None:
            queue = self.queues[tick] = {}
        queue[order] = lots
        self._set(tick, self.lots.get(tick, 0) + lots)

    def cancel(self, order: int, tick: int) -> None:
        """The order leaves its queue."""
        lots = self.queues[tick].pop(order)
        self._set(tick, self.lots[tick] - lots)

    def take(self, tick: int, lots: int) -> list[tuple[int, int, bool]]:
        """Execute up to `lots` at a level: (order, lots executed, whether the order is used up), first come first."""
        queue = self.queues[tick]
        left = min(lots, self.lots[tick])
        self_total = self.lots[tick] - left
        fills = []
        while left:
            order = next(iter(queue))
            resting = queue[order]
            if resting <= left:
                del queue[order]
                fills.append((order, resting, True))
                left -= resting
            else:
                queue[order] = resting - left
                fills.append((order, left, False))
                left = 0
        self._set(tick, self_total)
        return fills

    def _set(self, tick: int, lots: int) -> None:
        key = self.sign * tick
        at = bisect_left(self._keys, key)
        self.changed.add(tick)
        if lots == 0:
            del self._keys[at], self._rows[at], self._texts[at], self.lots[tick], self.queues[tick]
            return
        row = self._row(tick, lots)
        text = f"{tick * self._tick_units}:{lots * self._lot_units}"
        if tick in self.lots:
            self._rows[at], self._texts[at] = row, text
        else:
            self._keys.insert(at, key)
            self._rows.insert(at, row)
            self._texts.insert(at, text)
        self.lots[tick] = lots

    def _row(self, tick: int, lots: int) -> str:
        return level_row(tick * self._tick_units, lots * self._lot_units)
