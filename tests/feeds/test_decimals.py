"""Decimal strings to integer units and back."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.decimals import UNIT, to_float, to_text, to_units
from feeds.errors import MalformedMessage

units = st.integers(min_value=0, max_value=10**20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("0.00000000", 0),
        ("1", UNIT),
        ("61837.63000000", 6183763000000),
        ("0.5", 50_000_000),
        ("007.10", 710_000_000),
        ("0.00000001", 1),
        ("1.000000000000", UNIT),  # zeros beyond the eighth decimal say nothing
        ("123456789012.12345678", 12345678901212345678),
    ],
)
def test_reads_exactly(text: str, expected: int) -> None:
    assert to_units(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "1.", ".5", "-1", "+1", "-0", "1e5", "1E-8", "NaN", "nan", "inf", "Infinity", "1_000", "1,5", " 1"),
        *("1 ", "0.000000001", "1.123456789", "0x10", "١", "²", "1.²", "1.5.5", "--1", "1\n", "9" * 5000, "null"),
    ],
)
def test_refuses_all_else(text: str) -> None:
    with pytest.raises(MalformedMessage, match="expected a plain non-negative decimal"):
        to_units(text)


@given(units)
def test_text_and_back(number: int) -> None:
    text = to_text(number)
    assert to_units(text) == number
    assert Decimal(text) == Decimal(number) / UNIT
    assert "e" not in text.lower()
    assert not (("." in text) and text.endswith(("0", ".")))  # the shortest


@given(units)
def test_float_is_correctly_rounded(number: int) -> None:
    assert to_float(number) == float(Fraction(number, UNIT))


@given(st.text(max_size=12))
def test_any_text_is_read_like_a_decimal_or_refused(text: str) -> None:
    try:
        number = to_units(text)
    except MalformedMessage:
        return
    assert Fraction(number, UNIT) == Fraction(text)


def test_negative_units_as_text() -> None:
    assert to_text(-150_000_000) == "-1.5"
