"""A slow, obvious client of Binance's depth stream: a dict for each side, sorted when looked at."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal


def units(text: str) -> int:
    """Decimal string to an integer number of 1e-8."""
    return int(Decimal(text) * 10**8)


class Follower:
    """The documented rule: snapshot, drop what is older, the first diff must bridge, no gap after it."""

    def __init__(self, snapshot: str) -> None:
        body = json.loads(snapshot)
        self.last_id: int = body["lastUpdateId"]
        self.num_applied = 0
        self.bids = {units(price): units(size) for price, size in body["bids"]}
        self.asks = {units(price): units(size) for price, size in body["asks"]}

    def apply(self, diff: str) -> bool:
        """Take a depthUpdate; False for one that is older than the book."""
        body = json.loads(diff)
        assert body["e"] == "depthUpdate"
        if body["u"] <= self.last_id:
            return False
        if self.num_applied == 0:
            assert body["U"] <= self.last_id + 1 <= body["u"], "the first diff does not bridge"
        else:
            assert body["U"] == self.last_id + 1, "gap"
        for side, rows in ((self.bids, body["b"]), (self.asks, body["a"])):
            for price, size in rows:
                if units(size):
                    side[units(price)] = units(size)
                else:
                    side.pop(units(price), None)
        self.last_id = body["u"]
        self.num_applied += 1
        return True

    def digest(self) -> str:
        bids = ";".join(f"{price}:{self.bids[price]}" for price in sorted(self.bids, reverse=True))
        asks = ";".join(f"{price}:{self.asks[price]}" for price in sorted(self.asks))
        return hashlib.blake2b(f"B{bids}A{asks}".encode(), digest_size=8).hexdigest()

    def top(self, side: str, levels: int) -> list[tuple[int, int]]:
        rows = self.bids if side == "bids" else self.asks
        return [(price, rows[price]) for price in sorted(rows, reverse=side == "bids")[:levels]]
