"""Black's and Bachelier's formulas and their implied vols in 50 digits, and vols printed elsewhere."""

from __future__ import annotations

import math

import mpmath
import numpy as np
from mpmath import mpf

__all__ = ["VOLS", "bachelier_price", "black_price", "exact_vols", "mills_ratio", "relative_errors"]

DIGITS = 50

# forward, strike, maturity, call, price, vol, tolerance of the vol: computed with 60 digits (the last price is that of
# a strike which as a double is 3e-18 of vol away).
VOLS = (
    (100.0, 100.0, 0.0027397260273972603, True, 0.41762995960261798642, 0.2, 1.6e-15),
    (100.0, 150.0, 0.1, True, 4.1470972205342791077e-18, 0.15, 1.2e-15),
    (100.0, 50.0, 0.25, False, 2.0414833157939352073e-12, 0.2, 1.6e-15),
    (100.0, 1000.0, 5.0, True, 0.01540538093563971871, 0.3, 2.4e-15),
    (100.0, 105.0, 1.0, True, 86.309789349980013812, 3.0, 2.4e-14),
    (100.0, 100.00001, 1.0, True, 7.4745987276779997812e-31, 1e-8, 2e-17),
)


def mills_ratio(z) -> mpf:
    """N(-z) / n(z)."""
    z = mpf(z)
    return mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(z * z / 2) * mpmath.erfc(z / mpmath.sqrt(2))


def black_price(forward, strike, maturity, vol, call=True) -> mpf:
    """Undiscounted, to 50 digits of the numbers as they are."""
    with mpmath.workdps(DIGITS + 25):
        forward, strike, maturity, vol = (mpf(float(x)) for x in (forward, strike, maturity, vol))
        sign = 1 if call else -1
        s = vol * mpmath.sqrt(maturity)
        d1 = mpmath.log(forward / strike) / s + s / 2
        return sign * (forward * _cdf(sign * d1) - strike * _cdf(sign * (d1 - s)))


def bachelier_price(forward, strike, maturity, vol, call=True) -> mpf:
    """Undiscounted, to 50 digits of the numbers as they are."""
    with mpmath.workdps(DIGITS + 25):
        forward, strike, maturity, vol = (mpf(float(x)) for x in (forward, strike, maturity, vol))
        sign = 1 if call else -1
        s = vol * mpmath.sqrt(maturity)
        d = (forward - strike) / s
        return sign * (forward - strike) * _cdf(sign * d) + s * mpmath.npdf(d)


def exact_vols(near, price, forward, strike, maturity) -> list[mpf]:
    """Vols, to 30 digits, of undiscounted out-of-the-money prices as they are, from vols near them.

    Newton's method with Halley's correction on the price, or on what it lacks of its bound.
    """
    return [_exact_vol(*quote) for quote in zip(near, price, forward, strike, maturity, strict=True)]


def _exact_vol(near, price, forward, strike, maturity) -> mpf:
    with mpmath.workdps(DIGITS):
        near, price, forward, strike, maturity = (mpf(float(x)) for x in (near, price, forward, strike, maturity))
        y, bound = abs(mpmath.log(forward / strike)), min(forward, strike)
        s = near * mpmath.sqrt(maturity)
        for _ in range(50):
            a, t = y / s, s / 2
            value = _cdf(t - a) - mpmath.exp(y) * _cdf(-a - t)
            step = (price / bound - value) / mpmath.npdf(a - t)
            step /= 1 + step * (a * a / s - t / 2) / 2
            s += step
            if abs(step) < mpf(10) ** -10 * s:  # the next would be of the order of its cube
                return s / mpmath.sqrt(maturity)
    raise ArithmeticError(f"no vol found near {near} for {price}, {forward}, {strike}, {maturity}")


def relative_errors(values, exact) -> np.ndarray:
    """|value / exact - 1|, infinite where the value is no number."""
    with mpmath.workdps(DIGITS):
        pairs = [(float(value), truth) for value, truth in zip(np.asarray(values), exact, strict=True)]
        return np.array([float(abs(value / truth - 1)) if math.isfinite(value) else math.inf for value, truth in pairs])


def _cdf(z) -> mpf:
    return mpmath.erfc(-z / mpmath.sqrt(2)) / 2
