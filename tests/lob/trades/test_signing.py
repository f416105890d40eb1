"""Sides guessed from prices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import lob
from quantjax.lob.trades import TradeSeries, lee_ready, quote_test, sign_trades, tick_test
from quantjax.lob.trades.signing import _tick_associative
from tests.lob.trades.inputs import TICK, random_series, random_trades
from tests.reference import trade_metrics as oracle


def prices(seed: int, missing: float = 0.0) -> np.ndarray:
    price = np.array(random_trades(seed).price)
    price[np.random.default_rng(seed).random(len(price)) < missing] = np.nan
    return price


def half_ticks(price) -> list[float]:
    """Whole numbers, which compare as decimal prices would."""
    return list(np.rint(2 * np.asarray(price, float) / TICK))


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_tick_test_equals_the_oracle(missing):
    price = prices(4, missing)
    expected = oracle.tick_test(list(price))
    np.testing.assert_array_equal(tick_test(price), expected)
    np.testing.assert_array_equal(jax.jit(tick_test)(price), expected)
    # The form for GPUs.
    associative = np.where(np.isnan(price), 0, jax.jit(_tick_associative)(jnp.asarray(price)))
    np.testing.assert_array_equal(associative, expected)


def test_lee_ready_equals_the_oracle_and_vmap_equals_loop():
    price = np.stack([prices(seed) for seed in (5, 6)])
    mid = np.round(price + np.random.default_rng(0).integers(-1, 2, price.shape) * 0.01, 2)
    mid[0, ::7] = np.nan
    batched = jax.jit(jax.vmap(lee_ready))(price, mid)
    for row in range(2):
        np.testing.assert_array_equal(batched[row], oracle.lee_ready(half_ticks(price[row]), half_ticks(mid[row])))
        np.testing.assert_array_equal(batched[row], lee_ready(price[row], mid[row]))


def test_worked_example():
    # Lee & Ready's four cases: uptick, zero-uptick, downtick, zero-downtick.
    assert tick_test(jnp.array([10.0, 10.1, 10.1, 10.0, 10.0])).tolist() == [0, 1, 1, -1, -1]
    assert quote_test(jnp.array([10.0, 10.1, jnp.nan]), jnp.array([10.1, 10.0, 10.0])).tolist() == [-1, 1, 0]


def test_edges():
    assert tick_test(jnp.zeros(0)).shape == (0,)
    assert tick_test(jnp.full(3, 5.0)).tolist() == [0, 0, 0]
    assert tick_test(jnp.array([jnp.nan, jnp.nan])).tolist() == [0, 0]
    assert tick_test(jnp.array([1, 2], jnp.float32)).tolist() == [0, 1]
    with pytest.raises(ValueError, match="expected price as"):
        tick_test(jnp.zeros((2, 3)))


def test_driver_counts_and_accuracy():
    trades, series = random_trades(1), random_series(2)
    signs = sign_trades(trades, series)
    expected = oracle.lee_ready(half_ticks(trades.price), half_ticks(signs.joined.mid))
    np.testing.assert_array_equal(signs.lee_ready, expected)
    known = trades.side != 0
    assert signs.accuracy["lee_ready"] == np.mean(signs.lee_ready[known] == trades.side[known])
    assert signs.counts["unknown_side"] == np.count_nonzero(~known) > 0
    assert signs.counts["quote_test_undecided"] == np.count_nonzero(signs.quote_test == 0)
    assert list(signs.to_pandas().columns[-4:]) == ["side", "tick_test", "quote_test", "lee_ready"]
    nobody = sign_trades(random_trades(1, unknown=1.0), series)
    assert np.isnan(nobody.accuracy["tick_test"])


# Lowest price in ticks, and ticks a unit: 100-200 USD by cents, and bitcoin by cents and by tenths.
GRIDS = [(10_000, 100, np.float64), (10_000, 100, np.float32), (6_000_000, 100, np.float64), (600_000, 10, np.float32)]


@pytest.mark.parametrize(("low", "ticks_a_unit", "dtype"), GRIDS)
def test_trades_at_the_mid_of_decimal_prices(low, ticks_a_unit, dtype):
    rng = np.random.default_rng(0)
    bid = rng.integers(low, 2 * low, 4000)
    ask = bid + rng.integers(1, 9, 4000)
    trade = (bid + ask) // 2 + rng.integers(0, 2, 4000)
    bid_price, ask_price, price = ((ticks / ticks_a_unit).astype(dtype) for ticks in (bid, ask, trade))
    mid = (0.5 * (bid_price + ask_price)).astype(dtype)
    truth = np.sign(2 * trade - bid - ask)
    assert np.count_nonzero(truth == 0) > 900
    np.testing.assert_array_equal(jax.jit(quote_test)(price, mid), truth)
    # The coarser of two dtypes decides.
    np.testing.assert_array_equal(jax.jit(quote_test)(price, mid.astype(np.float64)), truth)


def test_float32_trades_beside_float64_books():
    ticks = np.arange(10_000, 10_200)
    price = np.stack([ticks, ticks + 2])[:, :, None] / 100
    size = np.ones_like(price)
    series = lob.BookSeries(10 * np.arange(len(ticks)), lob.Book(price[0], size[0], price[1], size[1]), "XYZ", TICK)
    at_mid = ((ticks + 1) / 100).astype(np.float32)
    trades = TradeSeries(series.time_ns + 5, at_mid, np.ones_like(at_mid), np.ones(len(ticks), int), "XYZ")
    signs = sign_trades(trades, series)
    assert signs.counts["quote_test_undecided"] == len(trades)
    for off, sign in ((0.005, 1), (-0.005, -1)):
        beside = TradeSeries(trades.time_ns, at_mid + np.float32(off), trades.size, trades.side, "XYZ")
        assert (sign_trades(beside, series).quote_test == sign).all()
