"""Intervals, lengths to pad to, whole numbers: what the drivers take and refuse."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from quantjax.lob.intervals import interval_ns
from quantjax.lob.padding import padded_length
from quantjax.lob.trades import BulkVolume, illiquidity, sample_prices
from quantjax.numerics.arguments import whole_number
from tests.lob.trades.inputs import random_trades


def test_intervals_are_read_as_decimals():
    expected = {"100ms": 10**8, "1s": 10**9, "5min": 3 * 10**11, "1.5us": 1500, "7ns": 7, "1d": 86_400 * 10**9}
    assert {text: interval_ns(text) for text in expected} == expected
    for seconds in (0.1, np.float64(0.1), np.float32(0.1), Decimal("0.1")):
        assert interval_ns(seconds) == 10**8
    assert interval_ns(60) == interval_ns(np.int32(60)) == 60 * 10**9
    assert interval_ns(0.0, zero=True) == 0


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf, True, None, 1e-10, 1 / 3, "", "s", "1 parsec", "-1s", 1e10])
def test_what_is_no_interval_is_refused(bad):
    with pytest.raises(ValueError, match=r"expected step .*got .*give a number of seconds"):
        interval_ns(bad, "step")


def test_padded_lengths_are_few_and_close():
    lengths = np.array([padded_length(length, 16) for length in range(5_000)])
    assert (lengths >= np.maximum(np.arange(5_000), 16)).all()
    assert (lengths[16:] <= 1.125 * np.arange(16, 5_000) + 1).all()
    assert len(np.unique(lengths)) < 80


def test_whole_numbers():
    for good in (3, np.int64(3), np.uint8(3)):
        assert type(whole_number(good, "window")) is int
    for bad in (0, -1, 2.0, np.float64(2), True, np.True_, "3", None):
        with pytest.raises(ValueError, match="expected window as an integer >= 1, got"):
            whole_number(bad, "window")


def test_numpy_scalars_are_no_static_arrays():
    rule = BulkVolume(np.float64(60.0), sigma_window=np.int64(5))
    assert rule == BulkVolume(60.0, sigma_window=5)
    assert type(rule.interval) is float
    assert type(illiquidity(random_trades(1), np.float64(1e-7)).interval_s) is float


def test_too_many_points_are_refused():
    with pytest.raises(ValueError, match="at most 10,000,000 intervals, got"):
        sample_prices(np.array([0, 10**18]), np.ones(2), "1s")
