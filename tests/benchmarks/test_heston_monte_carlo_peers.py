"""The numpy peer of the Heston Monte Carlo benchmark prices what quantjax prices; the benchmark checks all of them."""

from __future__ import annotations

from benchmarks.heston_monte_carlo import SETTING
from benchmarks.peers import heston_monte_carlo as peers

EXACT = 16.07015491702883  # A. Lewis


def test_the_price_is_that_of_fourier():
    price, error = peers.numpy_price(SETTING, 1 << 13, 16, seed=1)
    assert abs(price - EXACT) < 4 * error + 0.01
    assert 0.2 < error < 0.5
