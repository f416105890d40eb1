"""Binance as hftbacktest's collector records it: lines of `<receive time ns> <json>`, the REST snapshot among them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from feeds.inputs import Input, InputKind
from quantjax.io.binance import make_venue, play_binance, recognise, session_start
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.playback import VenuePlayback
from quantjax.io.text import lines

__all__ = ["open_hftbacktest"]


def open_hftbacktest(path: Path, options: ReadOptions, report: ReadReport) -> VenuePlayback:
    """Messages of one file, which holds one symbol of Binance spot, USD-M or COIN-M (told apart by the messages).

    Contracts become base currency. The book is out of sync, and gives no rows, until the snapshot that follows a gap.
    Raises DataError where no depth update can be read.
    """
    market, symbol = _recognise(path)
    options.check_symbols([symbol], path)
    report.metadata |= {"files": [str(path)], "clock": options.clock, "market": market}
    venue = make_venue(market, [symbol], path)

    def inputs() -> Iterator[Input]:
        started = False
        for item in _inputs(path, symbol, report.counts):
            if not started:
                yield from session_start(venue, item.received_ns)
                started = True
            yield item

    return play_binance(venue, inputs(), options, report)


def _recognise(path: Path) -> tuple[str, str]:
    for item in _inputs(path, "", Counts()):
        if (found := recognise(item.payload)) is not None:
            return found
    raise DataError(
        f"{path}: expected lines of `<receive time ns> <json>` with Binance depthUpdate messages, got none that can be "
        "read"
    )


def _inputs(path: Path, symbol: str, counts: Counts) -> Iterator[Input]:
    for line in lines(path, counts):
        stamp, _, payload = line.strip().partition(b" ")
        if not payload:
            # A line that is no message at all. If it was an update, the ids of the next say so.
            counts["malformed_lines"] += bool(stamp) and line.endswith(b"\n")
            counts["torn_lines"] += bool(stamp) and not line.endswith(b"\n")
            continue
        if not (stamp.isdigit() and len(stamp) <= 19 and int(stamp) < 2**63):
            counts["malformed_lines"] += 1
            continue
        if b'"lastUpdateId"' in payload[:200] and b'"stream"' not in payload[:20]:
            yield Input(int(stamp), InputKind.RESPONSE, f"depth:{symbol}", 200, payload)
        else:
            yield Input(int(stamp), InputKind.FRAME, "1", 0, payload)
