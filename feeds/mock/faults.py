"""What can go wrong on the way to a client, on request or by chance: per connection, never in the exchange itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from feeds.counters import Counters

__all__ = ["FAULT_KINDS", "FaultInjector", "FaultKind", "Faults"]

FaultKind = Literal["drop", "repeat", "reorder", "garbage", "disconnect", "stall", "shutdown"]

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class Faults:
    """Chances of faults on the market data of every connection (acknowledgements are spared).

    `drop`, `repeat`, `reorder` and `garbage` are probabilities for each frame: it is left out, sent twice, sent after
    the next one of its stream, or preceded by a broken copy of itself. `disconnect_every_s` and `stall_every_s` are
    means of exponential times in simulated seconds: the connection is cut without a closing handshake; nothing is
    sent for `stall_s` simulated seconds and then everything at once. None: never. The draws are seeded by `seed` and
    the number of the connection.

    There is no "wrong checksum": Binance's protocol has none.
    """

    drop: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    garbage: float = 0.0
    disconnect_every_s: float | None = None
    stall_every_s: float | None = None
    stall_s: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        chances = (self.drop, self.repeat, self.reorder, self.garbage)
        times = (self.disconnect_every_s, self.stall_every_s, self.stall_s)
        if not all(0.0 <= chance <= 1.0 for chance in chances) or not all(t is None or t > 0.0 for t in times):
            raise ValueError(f"expected probabilities in [0, 1] and positive times, got {self}")


class FaultInjector:
    """The faults of one connection: frames in, what is really sent out.

    Args:
        faults: what happens by chance.
        connection: its number, a part of the seed.
        now_ns: simulated time.
        counters: every fault done is counted there as `fault:<kind>`.
        cut: called when the connection is to be cut.
    """

    def __init__(
        self, faults: Faults, connection: int, now_ns: int, counters: Counters, cut: Callable[[], None]
    ) -> None:
        self._faults = faults
        self._random = random.Random(f"{faults.seed}:{connection}")
        self._counters = counters
        self._cut = cut
        self._ordered: Counter[str] = Counter()  # kind -> frames still to be hit on request
        self._late: dict[str, str] = {}  # stream -> its frame that waits for the next one
        self._held: list[str] = []
        self._stalled_until_ns = now_ns
        self._disconnect_ns = self._draw(now_ns, faults.disconnect_every_s)
        self._stall_ns = self._draw(now_ns, faults.stall_every_s)

    def order(self, kind: FaultKind, count: int, seconds: float, now_ns: int) -> None:
        """Do it now: to the next `count` frames, or (a stall) for `seconds` simulated seconds."""
        if kind == "disconnect":
            self._count("disconnect")
            self._cut()
        elif kind == "stall":
            self._stall(now_ns, seconds)
        else:
            self._ordered[kind] += count

    def pass_on(self, stream: str, text: str, now_ns: int) -> list[str]:
        """What is sent in place of a frame, now."""
        sent: list[str] = []
        if self._happens("drop", self._faults.drop):
            return self.hold(sent, now_ns)
        if self._happens("garbage", self._faults.garbage):
            sent.append(text[: self._random.randrange(len(text))])
        late = self._late.pop(stream, None)
        if late is None and self._happens("reorder", self._faults.reorder):
            self._late[stream] = text
            return self.hold(sent, now_ns)
        sent.append(text)
        if self._happens("repeat", self._faults.repeat):
            sent.append(text)
        if late is not None:
            sent.append(late)
        return self.hold(sent, now_ns)

    def hold(self, sent: list[str], now_ns: int) -> list[str]:
        """Keep back what would be sent during a stall, give it all when the stall is over."""
        if self._stall_ns is not None and now_ns >= self._stall_ns:
            self._stall(now_ns, self._faults.stall_s)
            self._stall_ns = self._draw(self._stalled_until_ns, self._faults.stall_every_s)
        if self._disconnect_ns is not None and now_ns >= self._disconnect_ns:
            self._disconnect_ns = None
            self._count("disconnect")
            self._cut()
        if now_ns < self._stalled_until_ns:
            self._held += sent
            return []
        if self._held:
            sent, self._held = self._held + sent, []
        return sent

    def _stall(self, now_ns: int, seconds: float) -> None:
        self._count("stall")
        self._stalled_until_ns = max(self._stalled_until_ns, now_ns + round(seconds * 1e9))

    def _happens(self, kind: FaultKind, chance: float) -> bool:
        if self._ordered[kind] > 0:
            self._ordered[kind] -= 1
        elif chance == 0.0 or self._random.random() >= chance:
            return False
        self._count(kind)
        return True

    def _count(self, kind: FaultKind) -> None:
        self._counters.count(f"fault_{kind}")

    def _draw(self, now_ns: int, mean_s: float | None) -> int | None:
        return None if mean_s is None else now_ns + round(self._random.expovariate(1.0 / mean_s) * 1e9)
