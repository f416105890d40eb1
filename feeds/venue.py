"""What a venue is: a pure state machine from inputs to events (for the reader) and actions (for the client)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from feeds.counters import Counters
from feeds.faults import Fault
from feeds.inputs import Input
from feeds.messages import Message
from feeds.sync import BookSync, StateChange

__all__ = ["Action", "Connect", "Disconnect", "Event", "Fault", "Fetch", "Output", "Send", "Venue"]


class Connect(msgspec.Struct, frozen=True, tag=True):
    """Open WebSocket number `connection` to `url`, after the client's back-off where the last attempt failed."""

    connection: int
    url: str


class Disconnect(msgspec.Struct, frozen=True, tag=True):
    """Close WebSocket number `connection`; the client then reports it as disconnected."""

    connection: int
    reason: str


class Send(msgspec.Struct, frozen=True, tag=True):
    """Send `text` on WebSocket number `connection`."""

    connection: int
    text: str


class Fetch(msgspec.Struct, frozen=True, tag=True):
    """GET `url` and hand the answer back as a RESPONSE labelled `key`; `weight` is its share of 6,000 a minute."""

    key: str
    url: str
    weight: float = 1.0


Action = Connect | Disconnect | Send | Fetch


Event = Message | StateChange | Fault


class Output(msgspec.Struct):
    """What one input led to, in order."""

    events: list[Event] = msgspec.field(default_factory=list)
    actions: list[Action] = msgspec.field(default_factory=list)


class Venue(Protocol):
    """A pure state machine: no sockets, no clocks, no randomness; equal inputs give equal outputs and equal books."""

    name: str
    symbols: tuple[str, ...]
    counters: Counters

    @property
    def books(self) -> Mapping[str, BookSync]:
        """The book-sync machine of each symbol."""
        ...

    def process(self, item: Input) -> Output:
        """Take one input in; never raises for what came from outside (faults are counted and reported as events)."""
        ...

    def describe(self) -> bytes:
        """Configuration as JSON, the SESSION input's payload: enough for a replay to build an equal venue."""
        ...
