from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mpf

from benchmarks.option_quotes import extreme_quotes, regular_quotes
from quantjax import pricing
from quantjax.pricing import black_greeks, black_price
from tests.reference import black as reference

ARGUMENTS = (100.0, 110.0, 0.7, 0.25, 0.97)  # forward, strike, maturity, vol, discount


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_out_of_the_money_prices_keep_their_digits(dtype):
    for quotes in (regular_quotes(150, dtype=dtype), extreme_quotes(150, dtype=dtype)):
        vol = quotes.vol.astype(dtype)
        price = np.asarray(black_price(quotes.forward, quotes.strike, quotes.maturity, vol, dtype(1), quotes.call))
        assert price.dtype == dtype
        deviation = quotes.vol * np.sqrt(quotes.maturity)
        distance = np.log(quotes.strike.astype(float) / quotes.forward) / deviation
        # One rounding of vol sqrt T moves the price by the square of the distance in standard deviations.
        rounding = np.finfo(dtype).eps * (8 + 4 * (np.abs(distance) + deviation) ** 2)
        for i, number in enumerate(price):
            if number > np.finfo(dtype).tiny:
                exact = reference.black_price(
                    quotes.forward[i], quotes.strike[i], quotes.maturity[i], vol[i], quotes.call[i]
                )
                assert abs(mpf(float(number)) / exact - 1) < rounding[i], (dtype, i)


def test_parity_is_exact_to_rounding():
    forward, _, maturity, vol, discount = ARGUMENTS
    strikes = jnp.array([20.0, 90.0, 100.0, 110.0, 400.0])
    call = black_price(forward, strikes, maturity, vol, discount, call=True)
    put = black_price(forward, strikes, maturity, vol, discount, call=False)
    np.testing.assert_allclose(call - put, discount * (forward - strikes), rtol=0, atol=1e-13)
    mixed = black_price(forward, strikes, maturity, vol, discount, call=strikes > 100)
    np.testing.assert_array_equal(mixed, jnp.where(strikes > 100, call, put))


def test_limits_and_their_gradients():
    # vol 0, maturity 0, strike 0, everything 0, infinite vol
    forward = jnp.array([100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0])
    strike = jnp.array([90.0, 110.0, 100.0, 90.0, 0.0, 0.0, 110.0])
    maturity = jnp.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    vol = jnp.array([0.0, 0.0, 0.0, 0.2, 0.2, 0.0, jnp.inf])
    call = black_price(forward, strike, maturity, vol, 0.9)
    np.testing.assert_allclose(call, 0.9 * np.array([10, 0, 0, 10, 100, 100, 100.0]), rtol=1e-15)
    put = black_price(forward, strike, maturity, vol, 0.9, call=False)
    np.testing.assert_allclose(put, 0.9 * np.array([0, 10, 0, 0, 0, 0, 110.0]), rtol=1e-15)
    finite = slice(0, 6)
    total = lambda *x: black_price(*x, 0.9).sum()  # noqa: E731
    slopes = jax.jit(jax.grad(total, argnums=(0, 1, 2, 3)))(*(x[finite] for x in (forward, strike, maturity, vol)))
    np.testing.assert_allclose(slopes[0], 0.9 * np.array([1, 0, 0.5, 1, 1, 1]), rtol=1e-15)
    np.testing.assert_allclose(slopes[1], -0.9 * np.array([1, 0, 0.5, 1, 1, 1]), rtol=1e-15)
    np.testing.assert_array_equal(slopes[2], 0)
    np.testing.assert_allclose(slopes[3], 0.9 * 100 * np.array([0, 0, 0.3989422804014327, 0, 0, 0]), rtol=1e-15)


def test_greeks_are_the_derivatives():
    forward, _, maturity, vol, discount = ARGUMENTS
    rate = -np.log(discount) / maturity
    strike, call = jnp.array([110.0, 110.0, 100.0, 60.0, 300.0]), jnp.array([True, False, True, True, False])

    def value(forward, vol, maturity, rate, strike, call):
        return black_price(forward, strike, maturity, vol, jnp.exp(-rate * maturity), call)

    over_places = (None, None, None, None, 0, 0)
    at = tuple(map(jnp.float64, (forward, vol, maturity, rate)))
    first = jax.jit(jax.vmap(jax.grad(value, argnums=(0, 1, 2, 3)), over_places))(*at, strike, call)
    second = jax.jit(jax.vmap(jax.hessian(value, argnums=(0, 1, 2)), over_places))(*at, strike, call)
    greeks = black_greeks(forward, strike, maturity, vol, discount, call)
    np.testing.assert_allclose(greeks.price, value(*at, strike, call), rtol=1e-14)
    expected = (first[0], first[1], -first[2], first[3], second[0][0], second[0][1], second[1][1], -second[0][2])
    found = (greeks.delta, greeks.vega, greeks.theta, greeks.rho)
    found += (greeks.gamma, greeks.vanna, greeks.volga, greeks.charm)
    np.testing.assert_allclose(found, expected, rtol=2e-12, atol=1e-14)
    # and the derivatives are differences
    step = 1e-5
    up, down = (black_greeks(forward + move, strike, maturity, vol, discount, call) for move in (step, -step))
    np.testing.assert_allclose((up.price - down.price) / (2 * step), greeks.delta, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose((up.delta - down.delta) / (2 * step), greeks.gamma, rtol=1e-6, atol=1e-10)
    up, down = (black_greeks(forward, strike, maturity, vol + move, discount, call) for move in (step, -step))
    np.testing.assert_allclose((up.vega - down.vega) / (2 * step), greeks.volga, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose((up.delta - down.delta) / (2 * step), greeks.vanna, rtol=1e-6, atol=1e-8)


def test_greeks_at_the_limits():
    # in the money, at the money, at maturity and strike 0, and two that are nothing
    strike, maturity = jnp.array([90.0, 100.0, 0.0, jnp.nan, -1.0]), jnp.array([1.0, 1.0, 0.0, 1.0, 1.0])
    forward, vol, discount = jnp.full((3, 5), jnp.array([[100.0], [0.0], [1.0]]))
    greeks = black_greeks(forward, strike, maturity, vol, discount, jnp.full(5, True))
    np.testing.assert_array_equal(greeks.price, [10, 0, 100, jnp.nan, jnp.nan])
    np.testing.assert_allclose(greeks.delta, [1, 0.5, 1, jnp.nan, jnp.nan], rtol=1e-15)
    np.testing.assert_array_equal(greeks.gamma, [0, jnp.inf, 0, jnp.nan, jnp.nan])
    np.testing.assert_allclose(greeks.vega, [0, 39.89422804014327, 0, jnp.nan, jnp.nan], rtol=1e-15)
    for greek in (greeks.theta, greeks.vanna, greeks.volga, greeks.charm):
        np.testing.assert_array_equal(greek, [0, 0, 0, jnp.nan, jnp.nan])


def test_transforms_and_one_trace():
    forward, _, maturity, vol, discount = ARGUMENTS
    strikes = jnp.array([20.0, 90.0, 100.0, 110.0, 400.0])
    traces = 0

    @jax.jit
    def price(strikes, vol):
        nonlocal traces
        traces += 1
        return black_price(forward, strikes, maturity, vol, discount)

    eager = black_price(forward, strikes, maturity, vol, discount)
    np.testing.assert_allclose(price(strikes, vol), eager, rtol=1e-15)
    np.testing.assert_allclose(price(strikes, 2 * vol), black_price(forward, strikes, maturity, 2 * vol, discount))
    assert traces == 1
    mapped = jax.vmap(lambda strike: black_price(forward, strike, maturity, vol, discount))(strikes)
    np.testing.assert_allclose(mapped, eager, rtol=1e-15)
    assert black_price(forward, strikes, jnp.ones((2, 1)), vol).shape == (2, 5)


def test_one_loop():
    """A thousand operations, and XLA's CPU backend makes one loop of them: nothing goes through memory in between."""
    shape = jax.ShapeDtypeStruct((10_000,), jnp.float64)
    quote = (shape,) * 5 + (jax.ShapeDtypeStruct((10_000,), bool),)
    for function in (black_price, pricing.implied_vol):
        compiled = jax.jit(function).lower(*quote).compile().as_text()
        assert compiled[compiled.index("ENTRY") :].count(" fusion(") == 1, function.__name__


def test_what_is_wrong_is_refused_or_nan():
    names = ("forward", "strike", "maturity", "vol", "discount")
    for position, name in enumerate(names):
        arguments = list(ARGUMENTS)
        arguments[position] = -1.0
        with pytest.raises(ValueError, match=f"expected {name} >"):
            black_price(*arguments)
    # Each argument negative in turn, then each NaN, then none.
    rows = np.tile(ARGUMENTS, (11, 1))
    rows[range(5), range(5)] = -1
    rows[range(5, 10), range(5)] = np.nan
    np.testing.assert_array_equal(np.isnan(black_price(*rows.T)), [True] * 10 + [False])
    slopes = jax.jit(jax.vmap(jax.grad(black_price, argnums=tuple(range(5)))))(*rows.T)
    for slope, name in zip(slopes, names, strict=True):
        np.testing.assert_array_equal(slope[:10], 0, name)
        assert slope[10] != 0
    with pytest.raises(ValueError, match="expected forward > 0, got 0"):
        black_price(0.0, 1.0, 1.0, 0.2)
    expected = float(black_price(*ARGUMENTS[:4]))
    assert black_price(Decimal("100"), 110, 0.7, 0.25) == expected
    single = black_price(np.float32(100), np.array(110), 0.7, 0.25)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5)


@pytest.mark.parametrize("call", [-1, 1.0, "put", np.array([1, 0])])
def test_calls_are_truth_values(call):
    quote = (100.0, 110.0, 0.5, 0.2)
    functions = (
        black_price,
        black_greeks,
        pricing.implied_vol,
        pricing.bachelier_price,
        pricing.bachelier_greeks,
        pricing.bachelier_implied_vol,
        lambda *quote, call: pricing.price(pricing.Black(0.2), 100.0, 1.0, forward=100.0, call=call),
        lambda *quote, call: pricing.OptionQuotes.from_prices([90.0], [1.0], [[11.0]], forward=100.0, call=call),
        lambda *quote, call: pricing.European(100.0, call),
        lambda *quote, call: pricing.Digital(100.0, call),
        lambda *quote, call: pricing.Asian(100.0, call),
        lambda *quote, call: pricing.Barrier(100.0, 120.0, "up", "out", call),
    )
    for function in functions:
        with pytest.raises(TypeError, match="expected call as True, False or an array of truth values"):
            function(*quote, call=call)


def test_float32_without_x64():
    code = """
import jax, numpy as np
from quantjax.pricing import bachelier_implied_vol, bachelier_price, black_greeks, black_price, implied_vol
assert not jax.config.read("jax_enable_x64")
F, K = np.float32(100), np.array([90, 110, 150], np.float32)
for price, implied, vol in ((black_price, implied_vol, 0.25), (bachelier_price, bachelier_implied_vol, 25.0)):
    quote = price(F, K, 0.7, vol, call=K > F)
    assert quote.dtype == np.float32
    np.testing.assert_allclose(implied(quote, F, K, 0.7, call=K > F), vol, rtol=1e-6)
    for bad in (F.item(), np.float64(100)):
        try: price(bad, 90.0, 0.7, vol)
        except ValueError as error: assert "jax_enable_x64" in str(error), error
        else: raise AssertionError("accepted")
assert black_greeks(F, K, 0.7, 0.25).gamma.dtype == np.float32
"""
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
