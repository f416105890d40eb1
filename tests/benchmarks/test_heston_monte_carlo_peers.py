"""The peers of the Heston Monte Carlo benchmark price what quantjax prices."""

from __future__ import annotations

import pytest

from benchmarks.heston_monte_carlo import SETTING
from benchmarks.peers import heston_monte_carlo as peers

PATHS, STEPS = 1 << 13, 16
EXACT = 16.07015491702883


@pytest.mark.parametrize("peer", ["numpy", "numba"])
def test_the_price_is_that_of_fourier(peer):
    if peer == "numba":
        pytest.importorskip("numba")
        price, error = peers.numba_price(SETTING, PATHS, STEPS)()
    else:
        price, error = peers.numpy_price(SETTING, PATHS, STEPS, seed=1)
    assert abs(price - EXACT) < 5 * error + 0.01
    assert 0.2 < error < 0.5
