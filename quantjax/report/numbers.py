"""Numbers as people read them: significant digits, thin spaces between thousands, a true minus sign."""

from __future__ import annotations

import math

__all__ = ["compact", "duration", "grouped", "percent", "plain", "significant"]

_SPACE, _MINUS = "\u202f", "\u2212"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float, digits: int = 4) -> str:
    """`value` to `digits` significant digits; whole parts are never cut, trailing zeros are kept out.

    >>> significant(64123.4), significant(0.000123456), significant(-2.5), significant(float("nan"))
    ('64\\u202f123', '0.0001235', '−2.5', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -5 or exponent >= 15:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{_signed(_trim(mantissa))}×10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return _signed(_trim(f"{value:,.{max(0, digits - 1 - exponent)}f}"))


def plain(value: float) -> str:
    """A tick label: as many digits as the tick needs, no more than ten."""
    return significant(value, 10 if abs(value) < 1e9 else 4)


def grouped(count: int) -> str:
    """A whole number with thin spaces between thousands.

    >>> grouped(155935), grouped(-3)
    ('155\\u202f935', '−3')
    """
    return _signed(f"{count:,}")


def compact(value: float, digits: int = 3) -> str:
    """`value` to `digits` significant digits with k, M, bn or tn: for headlines and axes.

    >>> compact(1234567.0), compact(950.0), compact(0.0421)
    ('1.23M', '950', '0.0421')
    """
    if not math.isfinite(value):
        return significant(value)
    # Rounded first, so that 999 999 is 1M and not 1000k.
    rounded = float(f"{value:.{digits - 1}e}")
    for unit, name in ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(rounded) >= unit:
            return significant(rounded / unit, digits) + name
    return significant(rounded, digits)


def percent(share: float) -> str:
    """A share in [0, 1] in percent; what is not quite none or all of it does not read as 0 % or 100 %.

    >>> percent(0.5), percent(0.00001), percent(1.0), percent(0.99999)
    ('50\\u202f%', '<\\u202f0.01\\u202f%', '100\\u202f%', '>\\u202f99.99\\u202f%')
    """
    if math.isnan(share):
        return "–"
    if 0 < share < 1e-4:
        return f"<{_SPACE}0.01{_SPACE}%"
    if 1 - 1e-4 < share < 1:
        return f">{_SPACE}99.99{_SPACE}%"
    digits = 2 if share < 0.01 or share > 0.99 else 1
    return f"{_trim(f'{100 * share:.{digits}f}')}{_SPACE}%"


def duration(seconds: float) -> str:
    """A length of time in the two largest units that matter.

    >>> duration(23400.0), duration(61.5), duration(0.25)
    ('6 h 30 min', '1 min 1.5 s', '0.25 s')
    """
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{int(days)} d {int(hours)} h"
    if hours:
        return f"{int(hours)} h {int(minutes)} min"
    if minutes:
        return f"{int(minutes)} min {significant(rest, 2)} s"
    return f"{significant(rest, 3)} s"


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(text: str) -> str:
    return text.replace(",", _SPACE).replace("-", _MINUS)
