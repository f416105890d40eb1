"""What a reader of any format is told, and what it reports back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from feeds.recording.arrays import TradeArrays
from feeds.recording.playback import AS_RECORDED
from feeds.recording.reading import Damaged
from feeds.recording.sampler import to_interval_ns
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError

if TYPE_CHECKING:
    from quantjax.io.lobster_messages import LobsterMessages

__all__ = ["Clock", "Interval", "ReadOptions", "ReadReport"]

Clock = Literal["received", "exchange"]
"""Whose clock a series' `time_ns` is of: the recorder's, or the venue's."""

Interval = float | Literal["as recorded"] | None
"""Seconds between sampled books; None: every row or change; "as recorded" (raw recordings only): the recorder's."""


@dataclass(frozen=True)
class ReadOptions:
    """Checked arguments of `io.read_books`; `keep` says whether trades and messages are kept beside the books."""

    symbols: tuple[str, ...] | None = None
    levels: int = 20
    interval_s: Interval = None
    clock: Clock = "received"
    block_rows: int = 65_536
    damaged: Damaged = "raise"
    dtype: np.typing.DTypeLike = np.float64
    keep: bool = True

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ValueError(f"expected levels >= 1, got {self.levels}")
        if np.dtype(self.dtype) == np.float64 and not jax.config.read("jax_enable_x64"):
            raise ValueError(
                "expected JAX's x64 mode for prices in double precision; call "
                "jax.config.update('jax_enable_x64', True) at the start, or read with dtype=np.float32"
            )
        if self.block_rows < 1:
            raise ValueError(f"expected block_rows >= 1, got {self.block_rows}")
        if self.clock not in ("received", "exchange"):
            raise ValueError(f"expected clock 'received' or 'exchange', got {self.clock!r}")
        if self.damaged not in ("raise", "skip"):
            raise ValueError(f"expected damaged 'raise' or 'skip', got {self.damaged!r}")
        if self.interval_s != AS_RECORDED:
            if isinstance(self.interval_s, str):
                raise ValueError(f"expected interval_s in seconds, None or {AS_RECORDED!r}, got {self.interval_s!r}")
            to_interval_ns(self.interval_s)

    @property
    def interval_ns(self) -> int | None:
        """Nanoseconds between sampled books, None for all. Raises ValueError for "as recorded"."""
        if isinstance(self.interval_s, str):
            raise ValueError(
                f"expected interval_s in seconds or None, got {self.interval_s!r}, which only raw recordings know"
            )
        return to_interval_ns(self.interval_s)

    def wants(self, symbol: str) -> bool:
        """Whether the symbol was asked for."""
        return self.symbols is None or symbol in self.symbols

    def check_symbols(self, present: Collection[str], source: object) -> None:
        """Raise DataError where a symbol was asked for that the source does not have."""
        if unknown := [symbol for symbol in self.symbols or () if symbol not in present]:
            raise DataError(
                f"{source}: expected symbols that it has ({', '.join(present) or 'none'}), got {', '.join(unknown)}"
            )


def as_symbols(symbols: Iterable[str] | str | None) -> tuple[str, ...] | None:
    """One name or several as a tuple without repetitions; None stays None."""
    if symbols is None:
        return None
    return tuple(dict.fromkeys([symbols] if isinstance(symbols, str) else symbols))


@dataclass
class ReadReport:
    """What a reader finds out as it goes; complete once its blocks are exhausted.

    `symbols`: those seen and asked for, in order; `tick_sizes`: of those without books too, where known.
    """

    counts: Counts = field(default_factory=Counts)
    metadata: dict[str, Any] = field(default_factory=dict)
    symbols: dict[str, None] = field(default_factory=dict)
    tick_sizes: dict[str, float] = field(default_factory=dict)
    trades: dict[str, TradeArrays] = field(default_factory=dict)
    messages: list[LobsterMessages] = field(default_factory=list)
