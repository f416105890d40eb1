"""Sizes as whole lots and prices as whole ticks: integers, or an error where they are no multiples."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

__all__ = ["to_lots"]

# Chunks that stay in the cache: each is passed over several times.
_CHUNK = 1 << 15
_MOST_IN_ALL = 2.0**62


def to_lots(
    size: np.ndarray, lot_size: float | Decimal, *, name: str = "size", unit_name: str = "lot_size"
) -> np.ndarray:
    """Sizes in whole lots, int64, of the shape of the sizes: n = round(q / lot), where |n lot - q| <= 4 eps q. Driver.

    Arguments: `size` q, floating, of any shape; `lot_size`, in the same unit; `name` and `unit_name`: what errors call
    them, so that prices in ticks are turned to integers by the same rule. eps is that of the dtype of the sizes: more
    than 1 / (8 eps) lots (1,048,576 in float32, 5.6e14 in float64) are refused, for beyond them the rounding of the
    size itself is as large as half a lot, and every number would look like a multiple.

    Raises ValueError that names the row for a size that is negative, NaN or infinite, and for one that is no multiple
    or of too many lots; ValueError for a lot that is not positive, and for 2^62 lots or more in all.

    >>> to_lots(np.array([0.1, 0.00012]), 1e-5)
    array([10000,    12])
    """
    unit = float(lot_size)
    if not 0 < unit < np.inf:
        raise ValueError(f"expected {unit_name} > 0 and finite, got {lot_size}")
    size = np.asarray(size)
    if not np.issubdtype(size.dtype, np.floating):
        size = size.astype(np.float64)
    flat, lots = size.reshape(-1), np.empty(size.size, np.int64)
    eps = float(np.finfo(size.dtype).eps)
    total = 0.0
    for start in range(0, len(flat), _CHUNK):
        value = flat[start : start + _CHUNK].astype(np.float64, copy=False)
        if not (value.min() >= 0 and value.max() < np.inf):
            row = int(np.argmin((value >= 0) & (value < np.inf)))
            raise ValueError(
                f"expected every {name} finite and >= 0, got {flat[start + row]} in row {start + row}; "
                "lob.clean_trades drops such rows and counts them"
            )
        count = value / unit
        np.rint(count, out=count)
        error = count * unit
        error -= value
        np.abs(error, out=error)
        bad = error > 4 * eps * value
        if count.max() > 0.125 / eps or bad.any():
            row = int(np.argmax(bad | (count > 0.125 / eps)))
            raise ValueError(
                f"expected every {name} as a multiple of {unit_name} {lot_size} that {size.dtype} can tell, got "
                f"{flat[start + row]} in row {start + row}; give the {unit_name} of the market"
            )
        total += float(count.sum())
        lots[start : start + len(count)] = count
    if total >= _MOST_IN_ALL:
        raise ValueError(
            f"expected every {name} to sum to less than 2^62 of {unit_name} {lot_size}, got {total:.3g}; give a larger "
            f"{unit_name}"
        )
    return lots.reshape(size.shape)
