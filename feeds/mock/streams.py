"""Names of streams: `<symbol>@depth[@100ms]`, `@depth<5|10|20>[@100ms]`, `@trade`, `@aggTrade`, `@bookTicker`.

`@depth@1000ms` is taken for `@depth` (and so for the partial ones): the documentation does not have it, but many public
programs subscribe to it on the venue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Stream", "parse_stream"]

_NAME = re.compile(r"([a-z0-9]+)@(?:(depth)(5|10|20)?(?:@(100|1000)ms)?|(trade|aggTrade|bookTicker))")


@dataclass(frozen=True)
class Stream:
    """`kind` is depth, partial, trade, aggTrade or bookTicker; `levels` is a partial's; `fast` is 100 ms, not 1 s."""

    name: str
    symbol: str
    kind: str
    levels: int = 0
    fast: bool = False


def parse_stream(name: str) -> Stream | None:
    """The stream of that name; None for a name that is none."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    symbol, depth, levels, speed, other = match.groups()
    if depth is None:
        return Stream(name, symbol.upper(), other)
    return Stream(name, symbol.upper(), "partial" if levels else "depth", int(levels or 0), speed == "100")
