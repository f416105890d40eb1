"""Static arbitrage: Black's prices have none, what is put in is found, and all triples are looked at."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.pricing.arbitrage import calendar_arbitrage, slice_arbitrage
from tests.assertions import assert_close
from tests.reference.parity import slice_gains

STRIKE = np.array([80.0, 85.0, 90.0, 97.0, 100.0, 102.0, 110.0, 125.0])
FORWARD, DISCOUNT = 101.0, 0.97


def black_call(strike, maturity, vol, forward=FORWARD, discount=DISCOUNT):
    cdf = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
    deviation = vol * math.sqrt(maturity)
    d1 = np.log(forward / strike) / deviation + deviation / 2
    return discount * (forward * cdf(d1) - strike * cdf(d1 - deviation))


def test_prices_of_a_model_have_none():
    price = black_call(STRIKE, 0.5, 0.2)
    assert not slice_arbitrage(STRIKE, price, price, DISCOUNT).violated.any()
    later = black_call(STRIKE, 0.6, 0.2, 102.0, 0.96)
    found = calendar_arbitrage(STRIKE, price, FORWARD, DISCOUNT, STRIKE, later, 102.0, 0.96)
    assert not np.nan_to_num(found.gain).any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gains_are_those_over_all_pairs_and_triples(seed):
    rng = np.random.default_rng(seed)
    bid = black_call(STRIKE, 0.5, 0.2) + rng.normal(size=len(STRIKE)) * 0.8
    ask = bid + rng.uniform(0.05, 0.5, len(STRIKE))
    found = slice_arbitrage(STRIKE, bid, ask, DISCOUNT)
    call_spread, wide, butterfly = slice_gains(STRIKE, bid, ask, DISCOUNT)
    assert_close(found.call_spread, call_spread)
    assert_close(found.wide_spread, wide)
    # The best butterfly of all is at least as good as the one of the greatest difference of slopes.
    np.testing.assert_array_equal(np.asarray(found.butterfly) > 0, butterfly > 1e-12)
    assert (np.asarray(found.butterfly) <= butterfly + 1e-12).all()
    assert found.violated.any()


def test_calendar_against_interpolation():
    later_strike = np.array([70.0, 88.0, 101.0, 104.0, 140.0])
    later_ask = black_call(later_strike, 0.6, 0.2, 102.0, 0.96)
    bid = black_call(STRIKE, 0.5, 0.24)
    found = np.asarray(calendar_arbitrage(STRIKE, bid, FORWARD, DISCOUNT, later_strike, later_ask, 102.0, 0.96).gain)
    hedge = np.interp(STRIKE / FORWARD, later_strike / 102.0, later_ask / (0.96 * 102.0))
    assert_close(found, np.maximum(bid - DISCOUNT * FORWARD * hedge, 0))
    assert found.any()
    outside = calendar_arbitrage(STRIKE, bid, FORWARD, DISCOUNT, later_strike[1:], later_ask[1:], 102.0, 0.96)
    np.testing.assert_array_equal(np.isnan(outside.gain), STRIKE / FORWARD < 88 / 102)


def test_padding_and_missing_sides_take_no_part():
    bid = black_call(STRIKE, 0.5, 0.2)
    bid[3] += 2.0
    ask = bid + 0.01
    ask[1], bid[5] = np.nan, np.nan
    short = slice_arbitrage(STRIKE, bid, ask, DISCOUNT)
    assert short.violated[3]
    assert np.isnan(short.butterfly[5])
    pad = np.full(3, np.nan)
    strike, bid, ask = (np.concatenate([x, pad]) for x in (STRIKE, bid, ask))
    padded = slice_arbitrage(strike, bid, ask, DISCOUNT)
    for name in ("call_spread", "wide_spread", "butterfly"):
        assert_close(getattr(padded, name)[: len(STRIKE)], getattr(short, name))
        assert np.isnan(getattr(padded, name)[len(STRIKE) :]).all()
    rows = slice_arbitrage(np.stack([strike, strike]), np.stack([bid, bid - 0.5]), ask, np.array([DISCOUNT, 0.9]))
    assert_close(rows.butterfly[0], padded.butterfly)
    mapped = jax.vmap(slice_arbitrage, (None, 0, None, 0))(
        strike, np.stack([bid, bid - 0.5]), ask, np.array([DISCOUNT, 0.9])
    )
    jax.tree.map(assert_close, mapped, rows)


def test_float32():
    price = black_call(STRIKE, 0.5, 0.2).astype(np.float32)
    found = slice_arbitrage(STRIKE.astype(np.float32), price - 0.05, price + 0.05, np.float32(DISCOUNT))
    assert found.butterfly.dtype == jnp.float32
    assert not found.violated.any()
