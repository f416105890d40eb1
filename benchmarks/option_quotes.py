"""Option quotes made from a seed: an ordinary set and an extreme one, all out of the money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantjax.pricing import black_price

__all__ = ["OptionQuoteSet", "extreme_quotes", "regular_quotes"]


@dataclass(frozen=True)
class OptionQuoteSet:
    """Arrays `[quote]`; undiscounted prices, rounded to the dtype, so that `vol` is their vol but for that rounding."""

    price: np.ndarray
    forward: np.ndarray
    strike: np.ndarray
    maturity: np.ndarray
    call: np.ndarray
    vol: np.ndarray


def regular_quotes(count: int, *, seed: int = 1, dtype: type = np.float64) -> OptionQuoteSet:
    """A week to two years, vols of 10 % to 80 %, strikes within 3 standard deviations of the forward."""
    rng = np.random.default_rng(seed)
    maturity = np.exp(rng.uniform(np.log(7 / 365), np.log(2), count))
    vol = rng.uniform(0.1, 0.8, count)
    return _quotes(maturity, vol * np.sqrt(maturity), rng.uniform(-3, 3, count), rng, dtype)


def extreme_quotes(count: int, *, seed: int = 1, dtype: type = np.float64) -> OptionQuoteSet:
    """A day to 30 years, vol sqrt(maturity) from 0.001 to 8, strikes up to 25 standard deviations (float32: 12) away.

    Prices go down to 1e-140 and beyond (float32: 1e-33) on one side and to 3e-5 of their bound on the other.
    """
    rng = np.random.default_rng(seed)
    maturity = np.exp(rng.uniform(np.log(1 / 365), np.log(30), count))
    deviation = np.exp(rng.uniform(np.log(1e-3), np.log(8), count))
    # A float32 strike ends at 3e38 and a float32 price at 1e-38.
    reach, largest = (25, np.inf) if dtype == np.float64 else (12, 75)
    distance = rng.uniform(-reach, reach, count)
    return _quotes(maturity, deviation, np.clip(distance, -largest / deviation, largest / deviation), rng, dtype)


def _quotes(maturity, deviation, distance, rng, dtype) -> OptionQuoteSet:
    forward = rng.uniform(50, 150, len(maturity)).astype(dtype)
    strike = (forward * np.exp(deviation * distance)).astype(dtype)
    maturity = maturity.astype(dtype)
    vol = deviation / np.sqrt(maturity.astype(np.float64))
    call = strike >= forward
    exact = black_price(*(array.astype(np.float64) for array in (forward, strike, maturity, vol)), call=call)
    price = np.asarray(exact).astype(dtype)
    return OptionQuoteSet(price, forward, strike, maturity, call, vol)
