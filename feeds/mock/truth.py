"""What the books really were: the exchange's own record, written from the simulation and never from a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from feeds.mock.simulation import MarketSimulation

__all__ = ["Truth", "TruthLog", "read_truth"]

TOP_LEVELS = 20


class Truth(NamedTuple):
    """The book of `symbol` after update `u`.

    `digest` is over all levels (see `MarketSimulation.digest`); `bids` and `asks` are the best 20 levels, best first,
    as (price, size), decimal strings of eight decimals.
    """

    symbol: str
    u: int
    time_ns: int
    digest: str
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]


class TruthLog:
    """The last `limit` truths of each symbol as JSON lines, all of them in the file where there is one.

    Args:
        limit: truths kept in memory for each symbol; one is about 2 kB.
        path: JSON lines of all of them (`symbol`, `u`, `time_ns`, `digest`, `bids`, `asks`); a new file, flushed by
            `close`.
    """

    def __init__(self, limit: int = 10_000, path: Path | str | None = None) -> None:
        if limit < 1:
            raise ValueError(f"expected limit >= 1, got {limit}")
        self._limit = limit
        self._lines: dict[str, dict[int, str]] = {}
        self._file: IO[str] | None = None if path is None else open(path, "w", encoding="ascii")  # noqa: SIM115

    def record(self, market: MarketSimulation, time_ns: int) -> None:
        """Write down the book as it is."""
        symbol = market.config.symbol
        line = (
            f'{{"symbol":"{symbol}","u":{market.update_id},"time_ns":{time_ns},"digest":"{market.digest()}",'
            f'"bids":[{",".join(market.bids.rows(TOP_LEVELS))}],"asks":[{",".join(market.asks.rows(TOP_LEVELS))}]}}'
        )
        lines = self._lines.setdefault(symbol, {})
        lines[market.update_id] = line
        if len(lines) > self._limit:
            del lines[next(iter(lines))]
        if self._file is not None:
            self._file.write(line + "\n")

    def line(self, symbol: str, u: int) -> str | None:
        """The JSON of the truth after update u; None where no diff ended there or it is no longer held."""
        return self._lines.get(symbol, {}).get(u)

    def lines_from(self, symbol: str, u: int, limit: int) -> list[str]:
        """The JSON of the first `limit` truths held of updates `u` and later."""
        found = [line for update, line in self._lines.get(symbol, {}).items() if update >= u]
        return found[:limit]

    def get(self, symbol: str, u: int) -> Truth | None:
        """The truth after update u; None where no diff ended there or it is no longer held."""
        line = self.line(symbol, u)
        return None if line is None else _parse(line)

    def close(self) -> None:
        """Flush and close the file; more truths are then held in memory only."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_truth(path: Path | str) -> Iterator[Truth]:
    """The truths of a file, one at a time."""
    with open(path, encoding="ascii") as file:
        for line in file:
            yield _parse(line)


def _parse(line: str) -> Truth:
    fields = json.loads(line)
    bids, asks = (tuple((price, size) for price, size in fields[side]) for side in ("bids", "asks"))
    return Truth(fields["symbol"], fields["u"], fields["time_ns"], fields["digest"], bids, asks)
