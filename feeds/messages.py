"""The messages of every venue in one shape: prices and sizes are still the venue's decimal strings.

Times are int64 nanoseconds since 1970 UTC: `exchange_ns` as the venue states it (0 where it states none), `received_ns`
as this machine's clock read when the frame came in (where that clock jumped back: the latest time that it had read).
"""

from __future__ import annotations

import msgspec

__all__ = ["DepthUpdate", "Level", "Message", "Snapshot", "Trade"]

Level = tuple[str, str]
"""(price, size), decimal strings as the venue sent them; in an update a size of zero removes the level."""


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """A whole book (as deep as the venue gives it) as of `last_update_id`."""

    symbol: str
    last_update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    exchange_ns: int = 0
    received_ns: int = 0


class DepthUpdate(msgspec.Struct, frozen=True, tag=True):
    """New absolute sizes of some levels: what changed in updates `first_id` to `last_id`, both included.

    `previous_last_id` is the `last_id` of the update before where the venue says it (Binance futures: `pu`), else None.
    """

    symbol: str
    first_id: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    exchange_ns: int = 0
    received_ns: int = 0
    previous_last_id: int | None = None


class Trade(msgspec.Struct, frozen=True, tag=True):
    """One execution; `side` is the taker's: +1 bought, -1 sold."""

    symbol: str
    trade_id: int
    price: str
    size: str
    side: int
    exchange_ns: int = 0
    received_ns: int = 0


Message = Snapshot | DepthUpdate | Trade
