"""What reading gives: books and trades by symbol, and an account of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantjax.lob import BookSeries, TradeSeries

if TYPE_CHECKING:
    from quantjax.io.lobster_messages import LobsterMessages

__all__ = ["BookData"]


@dataclass(frozen=True, eq=False)
class BookData:
    """The contents of a recording.

    `series`: the books by symbol; `trades`: the trades by symbol, where the source has them (LOBSTER's
    `trade_id` is the resting order's number); `messages`: the order
    messages of a LOBSTER file, else None; `counts`: what was read, skipped, cut and kept in spite of a flaw, by the
    names of `io.COUNT_NAMES`; `source`: the path that was asked for; `format`: one of `io.FORMATS`; `metadata`: what
    else there is to know: `files`, `clock` (which clock `time_ns` is of), `tick_size` (by symbol, and where it is
    from), `source_unit` (of the sizes in the file), `contract_multiplier`, `exchange`, `levels`, `interval_s`,
    `recorder_counts` (what the recorder of a raw recording counted, over all its sessions).
    """

    series: Mapping[str, BookSeries]
    trades: Mapping[str, TradeSeries]
    messages: LobsterMessages | None
    counts: dict[str, int]
    source: Path
    format: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that there are books of."""
        return tuple(self.series)

    def only(self) -> BookSeries:
        """The one series there is. Raises ValueError, naming the symbols, where there are several or none."""
        if len(self.series) != 1:
            found = ", ".join(self.series) or "none"
            raise ValueError(
                f"{self.source}: expected books of one symbol, got {len(self.series)} ({found}); "
                "take one from .series, or pass symbols=[...]"
            )
        return next(iter(self.series.values()))
