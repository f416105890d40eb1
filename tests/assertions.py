"""One comparison for all tests, with tolerances by dtype."""

from __future__ import annotations

import numpy as np

__all__ = ["assert_close"]

_RELATIVE = {np.dtype(np.float64): 1e-11, np.dtype(np.float32): 2e-5}


def assert_close(actual, expected, *, scale: float = 1.0, what: str = "") -> None:
    """Equal up to rounding of the dtype of `actual` (times `scale`), NaN where and only where NaN is expected."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    tolerance = scale * _RELATIVE.get(actual.dtype, 0.0)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True, err_msg=what)
