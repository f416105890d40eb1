"""The order messages of LOBSTER files: what happened, beside the books that it led to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from feeds.recording.arrays import TradeArrays

__all__ = ["LOBSTER_EVENTS", "LobsterEvent", "LobsterMessages"]

PRICE_UNITS = 10_000  # LOBSTER's integer prices in one dollar


class LobsterEvent(IntEnum):
    """Type of a LOBSTER message."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    VISIBLE_EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS = 6
    HALT = 7


LOBSTER_EVENTS: dict[int, str] = {event.value: event.name.lower() for event in LobsterEvent}
"""Names of the message types: `{1: "new", 2: "partial_cancel", ...}`."""

_HALT_STATES = {-1: "halted", 0: "quoting resumed", 1: "trading resumed"}


@dataclass(frozen=True, eq=False)
class LobsterMessages:
    """One message a row, as numpy arrays `[message]`; the book in the same row of the file is the one after it.

    `time_ns`, int64 nanoseconds UTC; `type`, int64, see `LobsterEvent`; `order_id`; `size` in shares; `price` in
    dollars, NaN for halts; `side`, int64: of the resting order, +1 a buy order and -1 a sell order (an execution of a
    sell order is a purchase); `raw_price`: the integer of the file, dollars x 10,000, or the state of a halt.
    """

    time_ns: np.ndarray
    type: np.ndarray
    order_id: np.ndarray
    size: np.ndarray
    price: np.ndarray
    side: np.ndarray
    raw_price: np.ndarray
    symbol: str

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def halts(self) -> list[tuple[int, str]]:
        """(time_ns, "halted" | "quoting resumed" | "trading resumed") of each trading halt message."""
        rows = np.flatnonzero(self.type == LobsterEvent.HALT)
        return [
            (int(self.time_ns[row]), _HALT_STATES.get(int(self.raw_price[row]), f"state {self.raw_price[row]}"))
            for row in rows
        ]

    def counts(self) -> dict[str, int]:
        """Number of messages of each type, `messages_new` and so on; `messages_unknown` for types beyond 7."""
        found, numbers = np.unique(self.type, return_counts=True)
        counts: dict[str, int] = {}
        for kind, number in zip(found, numbers, strict=True):
            name = f"messages_{LOBSTER_EVENTS.get(int(kind), 'unknown')}"
            counts[name] = counts.get(name, 0) + int(number)
        return counts

    def trades(self) -> TradeArrays:
        """Visible and hidden executions (auctions, type 6, have no side and are left out); the side is the taker's."""
        rows = (self.type == LobsterEvent.VISIBLE_EXECUTION) | (self.type == LobsterEvent.HIDDEN_EXECUTION)
        time_ns = self.time_ns[rows]
        size = self.size[rows].astype(np.float64)
        return TradeArrays(time_ns, time_ns, self.price[rows], size, -self.side[rows], self.order_id[rows], self.symbol)

    @classmethod
    def join(cls, pieces: list[LobsterMessages]) -> LobsterMessages:
        """Consecutive pieces as one."""
        names = [field.name for field in fields(cls) if field.name != "symbol"]
        arrays = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in names}
        return cls(**arrays, symbol=pieces[0].symbol)
