"""Sizes as whole lots: exact where they are multiples, an error where they are not or nobody can tell."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from quantjax.lob.lots import to_lots


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("lot", [1e-4, 0.01, 0.5, 3, Decimal("0.001")])
def test_lots_of_multiples(dtype, lot):
    lots = np.random.default_rng(0).integers(0, 1 << 20, 100_000)
    size = np.array([float(Decimal(int(n)) * Decimal(str(lot))) for n in lots[:1000]], dtype)
    np.testing.assert_array_equal(to_lots(size, lot), lots[:1000])
    # More than one chunk, and any shape.
    np.testing.assert_array_equal(to_lots((lots / 8).reshape(100, -1), 0.125), lots.reshape(100, -1))


def test_what_no_lot_can_tell():
    with pytest.raises(ValueError, match=r"every size as a multiple of lot_size 0.01 .* got 0.123 in row 1"):
        to_lots(np.array([0.5, 0.123, 0.127]), 0.01)
    # Every float32 is a multiple of 1e-8, in the rounding of float32.
    with pytest.raises(ValueError, match=r"lot_size 1e-08 that float32 can tell, got 0.123\d* in row 0"):
        to_lots(np.array([0.123], np.float32), 1e-8)
    assert to_lots(np.array([2.0**20], np.float32), 1).item() == 1 << 20
    with pytest.raises(ValueError, match="that float32 can tell"):
        to_lots(np.array([2.0**20 + 1], np.float32), 1)
    # Less than half a lot is not nothing.
    with pytest.raises(ValueError, match=r"got 1e-09 in row 40000"):
        to_lots(np.r_[np.ones(40_000), 1e-9], 1e-8)
    with pytest.raises(ValueError, match=r"less than 2\^62"):
        to_lots(np.full(10_000, 5e14), 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, -1e-300])
def test_what_is_no_size(bad):
    with pytest.raises(ValueError, match=rf"every price finite and >= 0, got {bad} in row 2"):
        to_lots(np.array([1.0, 2.0, bad]), 1.0, name="price", unit_name="tick_size")


@pytest.mark.parametrize("lot", [0, -1.0, np.nan, np.inf])
def test_what_is_no_lot(lot):
    with pytest.raises(ValueError, match="expected tick_size > 0 and finite"):
        to_lots(np.ones(2), lot, unit_name="tick_size")


def test_no_sizes_and_one():
    assert to_lots(np.zeros(0), 0.1).shape == (0,)
    assert to_lots(np.asarray(1.5), 0.5).item() == 3
