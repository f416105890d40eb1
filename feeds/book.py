"""One order book: all its levels, in integer units of 1e-8.

Each side is a dict from price to size and a plain list of the prices, ascending, with the best price last: bids by
price, asks by minus price. Nearly all changes happen next to the best price, so that an insertion moves few entries:
1.3 microseconds a level on recorded books of up to 5,000 levels a side, where a sorted container takes 2.0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b

from feeds.decimals import to_units
from feeds.errors import MalformedMessage
from feeds.messages import DepthUpdate, Level, Snapshot

__all__ = ["OrderBook", "UnitLevel"]

UnitLevel = tuple[int, int]
"""(price, size) in units of 1e-8."""


class OrderBook:
    """A book as of update `last_id`; empty, with `last_id` 0, until a snapshot is loaded.

    It checks the numbers it is given and nothing else: that updates follow one another is `feeds.sync`'s to see to.
    """

    __slots__ = ("_asks", "_bids", "_horizon", "last_id")

    def __init__(self) -> None:
        self._bids = _Side(1)
        self._asks = _Side(-1)
        self._horizon: tuple[int | None, int | None] = (None, None)
        self.last_id = 0

    def load(self, snapshot: Snapshot, depth_limit: int | None = None) -> None:
        """Replace the whole book. `depth_limit`: levels of a side that were asked for; None: all there are.

        A side with so many levels is known as far as its worst price only: the horizon, which stays until the next
        load, since levels beyond it that rest there unchanged are never heard of.

        Errors: MalformedMessage, and the book is as it was.
        """
        bids, asks = self._bids.parse(snapshot.bids), self._asks.parse(snapshot.asks)
        self._bids.replace(bids)
        self._asks.replace(asks)
        self._horizon = _horizon(bids, depth_limit), _horizon(asks, depth_limit)
        self.last_id = snapshot.last_update_id

    def apply(self, update: DepthUpdate) -> None:
        """Set the sizes that the update gives; 0 removes a level, and to remove one that is not there is normal.

        All or nothing: every number is read before any level changes.

        Errors: MalformedMessage, and the book is as it was.
        """
        bids, asks = self._bids.parse(update.bids), self._asks.parse(update.asks)
        self._bids.set(bids)
        self._asks.set(asks)
        self.last_id = update.last_id

    def top(self, levels: int) -> tuple[tuple[UnitLevel, ...], tuple[UnitLevel, ...]]:
        """`(bids, asks)`: up to `levels` of each side as (price, size) in units, best first."""
        return self._bids.top(levels), self._asks.top(levels)

    def beyond_snapshot(self, levels: int) -> bool:
        """Whether `top(levels)` reaches past the snapshot's horizon, on either side: levels may be missing there."""
        return any(
            horizon is not None and side.reaches_beyond(horizon, levels)
            for side, horizon in zip((self._bids, self._asks), self._horizon, strict=True)
        )

    @property
    def num_levels(self) -> tuple[int, int]:
        """Number of levels of each side, `(bids, asks)`."""
        return len(self._bids.keys), len(self._asks.keys)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask; no, where a side is empty."""
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids) and bool(asks) and bids[-1] >= -asks[-1]

    def digest(self) -> str:
        """16 hexadecimal digits that stand for all levels: 8-byte BLAKE2b of `B<price>:<size>;...A<price>:<size>;...`.

        Prices and sizes are integer units, each side best first, `;` between levels.
        """
        text = "B" + _canonical(self._bids.top(None)) + "A" + _canonical(self._asks.top(None))
        return blake2b(text.encode(), digest_size=8).hexdigest()


class _Side:
    """One side: `keys` is sign x price, ascending, so that the best is the last; `sizes` is by key and has no zeros."""

    __slots__ = ("keys", "sign", "sizes")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.sizes: dict[int, int] = {}

    def parse(self, levels: Iterable[Level]) -> list[UnitLevel]:
        sign = self.sign
        parsed = [(sign * to_units(price), to_units(size)) for price, size in levels]
        for key, _ in parsed:
            if not key:
                raise MalformedMessage("expected a positive price, got 0")
        return parsed

    def replace(self, levels: list[UnitLevel]) -> None:
        self.sizes = {key: size for key, size in dict(levels).items() if size}
        self.keys = sorted(self.sizes)

    def set(self, levels: list[UnitLevel]) -> None:
        keys, sizes = self.keys, self.sizes
        for key, size in levels:
            if size:
                if key not in sizes:
                    keys.insert(bisect_left(keys, key), key)
                sizes[key] = size
            elif sizes.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]

    def reaches_beyond(self, key: int, levels: int) -> bool:
        """Whether the best `levels` hold one worse than `key`, or would if all were known."""
        return levels > 0 and (len(self.keys) < levels or self.keys[-levels] < key)

    def top(self, levels: int | None) -> tuple[UnitLevel, ...]:
        sign, sizes = self.sign, self.sizes
        best_last = self.keys if levels is None else self.keys[-levels:] if levels > 0 else []
        return tuple((sign * key, sizes[key]) for key in reversed(best_last))


def _horizon(levels: list[UnitLevel], depth_limit: int | None) -> int | None:
    """Key of the worst level of a side that was cut off there, else None."""
    return min(key for key, _ in levels) if levels and depth_limit is not None and len(levels) >= depth_limit else None


def _canonical(levels: Iterable[UnitLevel]) -> str:
    return ";".join(f"{price}:{size}" for price, size in levels)
