"""Streams kept flowing over one connection after another, and handed over between two without a hole.

Binance ends every connection after 24 hours. Before it does, a lane opens a successor and both deliver the same updates
for a while: a symbol's updates are taken from the old connection, and those of the new one are held back, until the
first of the held ones leaves no hole after the book. From then on the symbol is taken from the new connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from feeds.messages import DepthUpdate

__all__ = ["Lane", "LanePlan", "Link"]


@dataclass(frozen=True, slots=True)
class LanePlan:
    """What one connection carries: its address, the streams to subscribe to, and the symbols whose books come by it."""

    url: str
    streams: tuple[str, ...]
    symbols: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Link:
    """One connection. Times are of the venue's own clock."""

    number: int
    lane: Lane
    up: bool = False
    opened_ns: int = 0
    heard_ns: int = 0
    held: dict[str, list[DepthUpdate]] = field(default_factory=dict)
    """As a successor: updates not yet taken, by symbol."""

    def open(self, now_ns: int) -> None:
        self.up, self.opened_ns, self.heard_ns = True, now_ns, now_ns


@dataclass(slots=True, eq=False)
class Lane:
    """A plan, the connection that carries it, the one that is to carry it next, and whose updates count, by symbol."""

    plan: LanePlan
    current: Link | None = None
    successor: Link | None = None
    source: dict[str, Link] = field(default_factory=dict)

    def adopt(self, link: Link) -> None:
        """`link` carries every symbol from here on."""
        self.current, self.successor = link, None
        self.source = dict.fromkeys(self.plan.symbols, link)

    def waiting(self) -> list[str]:
        """Symbols that are not yet taken from the successor."""
        return [symbol for symbol in self.plan.symbols if self.source.get(symbol) is not self.successor]
