"""Numbers as people read them."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from quantjax.report import glossary, numbers
from quantjax.report.numbers import compact, duration, percent, significant
from quantjax.report.thinning import bin_times, every_nth, thin


@pytest.mark.parametrize("module", [numbers, glossary])
def test_examples_of_the_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (significant(0.0), "0"),
        (significant(1e-9), "1×10⁻⁹"),
        (significant(-1.5e20), "−1.5×10²⁰"),
        (significant(float("-inf")), "−∞"),
        (significant(99999.0, 3), "99\u202f999"),
        (compact(999_999.0), "1M"),
        (compact(-2500.0), "−2.5k"),
        (compact(float("nan")), "–"),
        (percent(0.0), "0\u202f%"),
        (percent(float("nan")), "–"),
        (duration(200_000.0), "2 d 7 h"),
        (duration(0.0), "0 s"),
    ],
)
def test_formats(text, expected):
    assert text == expected


def test_thinning_leaves_nan_out_and_keeps_extremes():
    values = np.array([1.0, np.nan, 5.0, 3.0, np.nan, np.nan, -2.0, 4.0, np.inf])
    series = thin(bin_times(np.arange(9) * 10, 3), values)
    np.testing.assert_array_equal(series.minimum, [1, 3, -2])
    np.testing.assert_array_equal(series.maximum, [5, 3, 4])
    np.testing.assert_array_equal(series.mean, [3, 3, 1])


def test_rows_taken_evenly():
    assert np.arange(10)[every_nth(10, 4)].tolist() == [0, 3, 6, 9]
    assert np.arange(10)[every_nth(10, 10)].tolist() == list(range(10))
    assert every_nth(0, 5).step == 1
    with pytest.raises(ValueError, match="bins >= 1"):
        bin_times(np.arange(3), 0)
