"""When options settle and when American markets close."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

__all__ = ["CLOSE", "INDEX_CLOSE", "NEW_YORK", "OPEN", "close_of", "new_york", "quotes_stand_at"]

NEW_YORK = ZoneInfo("America/New_York")
OPEN, CLOSE, INDEX_CLOSE = time(9, 30), time(16, 0), time(16, 15)
_EARLY = time(13, 0)


def new_york(day: date, clock: time) -> pd.Timestamp:
    """A wall-clock time in New York as UTC."""
    return pd.Timestamp(datetime.combine(day, clock, NEW_YORK)).tz_convert("UTC")


def close_of(day: date) -> time:
    """When trading in shares ends: 16:00, or 13:00 before Independence Day, after Thanksgiving and before Christmas.

    Those two eves are short where they and the holidays after them are Monday to Friday; full holidays are not known
    here, for no option expires on one.

    >>> close_of(date(2015, 12, 24)), close_of(date(2015, 12, 28))
    (datetime.time(13, 0), datetime.time(16, 0))
    """
    eve = (day.month, day.day) in ((7, 3), (12, 24)) and day.weekday() < 4
    after_thanksgiving = day.month == 11 and day.weekday() == 4 and 23 <= day.day <= 29
    return _EARLY if eve or after_thanksgiving else CLOSE


def quotes_stand_at(stamp: datetime, close: time) -> datetime:
    """The moment of trading that a table saved at `stamp` (New York) shows: itself, or the close before it.

    `close`: of the options on a full day. A table saved on a weekend, in the evening or before 9:30 holds the quotes
    of the last close. Holidays are not known here.
    """
    day = stamp.date()
    if stamp.weekday() < 5 and OPEN <= stamp.time() <= close:
        return stamp
    if stamp.time() < OPEN:
        day -= timedelta(days=1)
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return datetime.combine(day, close, stamp.tzinfo)
