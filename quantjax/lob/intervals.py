"""Intervals of time as whole nanoseconds."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["interval_ns"]

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3_600 * 10**9,
    "d": 86_400 * 10**9,
}
_ADVICE = "give a number of seconds, or digits and one of " + ", ".join(_UNITS)


def interval_ns(interval: str | float | Decimal, name: str = "interval", *, zero: bool = False) -> int:
    """An interval as nanoseconds, exactly: "100ms", "1s", "5min", "1h", or a number of seconds, as text too.

    The units are ns, us, ms, s, min, h and d (24 hours). Numbers are read as their decimal digits: 0.1 is 100,000,000
    ns. `name`: what errors call it; `zero`: 0 is taken too. Raises ValueError for what is not a whole, positive number
    of nanoseconds, and for 2^63 of them or more. Driver.

    >>> interval_ns("5min"), interval_ns("10"), interval_ns(0.1)
    (300000000000, 10000000000, 100000000)
    """
    if isinstance(interval, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", interval)
        if match is None or (match[2] or "s") not in _UNITS:
            raise ValueError(f"expected {name} as '1s' or '5min', got {interval!r}; {_ADVICE}")
        exact = Decimal(match[1]) * _UNITS[match[2] or "s"]
    else:
        try:
            exact = Decimal(str(interval)) * _UNITS["s"]
        except ArithmeticError:
            raise ValueError(f"expected {name} as '1s' or 0.1, got {interval!r}; {_ADVICE}") from None
    if not exact.is_finite() or exact < 0 or (exact == 0 and not zero) or exact != int(exact):
        above = ">= 0" if zero else "> 0"
        raise ValueError(f"expected {name} of whole nanoseconds {above}, got {interval!r}; {_ADVICE}")
    if exact >= 2**63:
        raise ValueError(f"expected {name} of less than 2^63 nanoseconds (292 years), got {interval!r}; {_ADVICE}")
    return int(exact)
