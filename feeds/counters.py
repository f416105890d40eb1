"""Counts of everything dropped, repeated, skipped or refused, by reason: nothing is lost silently."""

from __future__ import annotations

from collections import Counter

__all__ = ["Counters"]


class Counters(Counter[str]):
    """Counts by reason (`"gap"`; all are in `feeds.faults.REASONS`), and by reason and symbol (`"gap:BTCUSDT"`)."""

    def count(self, reason: str, symbol: str = "", by: int = 1) -> None:
        """Add to the reason's total and, given a symbol, to that symbol's share of it."""
        self[reason] += by
        if symbol:
            self[f"{reason}:{symbol}"] += by

    def totals(self) -> dict[str, int]:
        """Counts by reason alone, sorted by name."""
        return {reason: number for reason, number in sorted(self.items()) if ":" not in reason}
