"""Times as text turned into int64 nanoseconds UTC exactly: floats cannot hold them (1e18 ns has 60 bits)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = ["iso_to_ns", "midnight_ns", "ns_to_iso", "seconds_to_ns"]

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)
_SECONDS = re.compile(r"(\d{1,10})(?:\.(\d{1,9})\d*)?", re.ASCII)


def iso_to_ns(text: str) -> int:
    """`"2026-07-21T12:00:01.5Z"` as nanoseconds; without an offset it is UTC. Raises ValueError for what is no time."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"expected an ISO 8601 time such as 2026-07-21T12:00:01.5Z, got {text[:60]!r}")
    day, clock, fraction, offset = match.groups()
    return _in_range(_whole_seconds(f"{day}T{clock}", offset or "Z"), fraction, text)


def ns_to_iso(time_ns: int) -> str:
    """The inverse, with all nine decimals: `2026-07-21T12:00:01.500000000Z`."""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def seconds_to_ns(text: str) -> int:
    """Decimal seconds, such as `"1633998512.0633569"`, as nanoseconds. Raises ValueError."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError(f"expected seconds as a plain decimal, got {text[:60]!r}")
    return _in_range(int(match[1]), match[2], text)


def midnight_ns(day: str, zone: str = "America/New_York") -> int:
    """Midnight of a day such as `"2012-06-21"` in `zone`, as nanoseconds UTC. Raises ValueError for what is no day."""
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo(zone))
    return int(midnight.timestamp()) * 10**9


def _in_range(seconds: int, fraction: str | None, text: str) -> int:
    time_ns = seconds * 10**9 + int((fraction or "").ljust(9, "0"))
    if not 0 <= time_ns < 2**63:
        raise ValueError(f"expected a time between 1970 and 2262, got {text[:60]!r}")
    return time_ns


@lru_cache(maxsize=64)  # rows of one second follow one another
def _whole_seconds(text: str, offset: str) -> int:
    return int(datetime.fromisoformat(text + ("+00:00" if offset in "Zz" else offset)).timestamp())
