"""The slow, obvious order book (a dict a side, sorted when it is looked at), and a stream that tells the truth."""

from __future__ import annotations

import random
from decimal import Decimal

from feeds.messages import DepthUpdate, Level, Snapshot

__all__ = ["DictBook", "TrueStream"]


class DictBook:
    """Sizes by price, both as Decimals."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def set(self, side: str, price: str, size: str) -> None:
        levels = self.bids if side == "bids" else self.asks
        levels.pop(Decimal(price), None)
        if Decimal(size) != 0:
            levels[Decimal(price)] = Decimal(size)

    def apply(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
        for price, size in bids:
            self.set("bids", price, size)
        for price, size in asks:
            self.set("asks", price, size)

    def top(self, levels: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """As `OrderBook.top`: integer units of 1e-8, best first."""
        bids = sorted(self.bids.items(), reverse=True)[:levels]
        asks = sorted(self.asks.items())[:levels]
        return tuple(map(_units, bids)), tuple(map(_units, asks))


class TrueStream:
    """An exchange with one symbol: random updates without a hole, and every book that there was, by update.

    `chained` numbers the updates as Binance's futures do: with holes, and with the number of the update before.
    """

    def __init__(self, seed: int, num_updates: int, chained: bool = False) -> None:
        draw = random.Random(seed)
        book = DictBook()
        self.snapshots: list[Snapshot] = []
        self.updates: list[DepthUpdate] = []
        self.tops: dict[int, object] = {}
        last = 1000
        for number in range(num_updates + 1):
            first = last + (draw.randrange(1, 50) if chained else 1)
            previous, last = last, first + draw.randrange(0, 4)
            bids = tuple(_level(draw, 90, 99) for _ in range(draw.randrange(0 if number else 5, 6)))
            asks = tuple(_level(draw, 100, 110) for _ in range(draw.randrange(0 if number else 5, 6)))
            book.apply(bids, asks)
            if number:
                self.updates.append(
                    DepthUpdate("X", first, last, bids, asks, last * 1000, last, previous if chained else None)
                )
            self.tops[last] = book.top(1000)
            self.snapshots.append(
                Snapshot("X", last, _texts(book.bids), _texts(book.asks), exchange_ns=last * 1000, received_ns=last)
            )


def _level(draw: random.Random, lowest: int, highest: int) -> Level:
    size = draw.choice(("0", "0.00000000", "1.5", "0.00000001", "12.34000000"))
    return f"{draw.randrange(lowest * 10, highest * 10) / 10:.2f}", size


def _texts(levels: dict[Decimal, Decimal]) -> tuple[Level, ...]:
    return tuple((str(price), format(size, "f")) for price, size in levels.items())


def _units(level: tuple[Decimal, Decimal]) -> tuple[int, int]:
    return int(level[0] * 10**8), int(level[1] * 10**8)
