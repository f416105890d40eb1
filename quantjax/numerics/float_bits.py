"""What kernels in float64 know of its bits: whole numbers out of the lowest, exponents, ln 2 in two parts."""

from __future__ import annotations

__all__ = ["LN2_HIGH", "LN2_LOW", "MANTISSA_BITS", "ONE_BITS", "TO_LOWEST_BITS"]

# Whole multiples up to 2^10 of the first part are exact.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# The bits of 1.0, and how many of them lie below the exponent.
ONE_BITS, MANTISSA_BITS = 0x3FF0000000000000, 52
# Added to a whole number below 2^51, it leaves that number in the lowest bits.
TO_LOWEST_BITS = 1.5 * 2.0**52
