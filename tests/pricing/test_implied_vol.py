from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.option_quotes import extreme_quotes, regular_quotes
from quantjax.pricing import bachelier_implied_vol, bachelier_price, black_greeks, black_price, implied_vol
from quantjax.pricing.implied_vol import _solve, _start, _steps
from tests.reference.black import VOLS, exact_vols, relative_errors

SETS = {"regular": regular_quotes, "extreme": extreme_quotes}


@pytest.mark.parametrize("row", VOLS, ids=[f"strike {row[1]:g}, vol {row[5]:g}" for row in VOLS])
def test_reference_vols(row):
    forward, strike, maturity, call, price, vol, tolerance = row
    assert abs(float(implied_vol(price, forward, strike, maturity, call=call)) - vol) <= tolerance


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1.5e-15), (np.float32, 1e-6)])
@pytest.mark.parametrize("kind", SETS)
def test_every_digit_over_the_whole_domain(kind, dtype, bound):
    """Against the vol of the rounded price in 30 digits: the price's own rounding is no error of ours."""
    quotes = SETS[kind](500, seed=3, dtype=dtype)
    vol = implied_vol(quotes.price, quotes.forward, quotes.strike, quotes.maturity, call=quotes.call)
    assert vol.dtype == dtype
    kept = quotes.price > 1e3 * np.finfo(dtype).tiny
    assert kept.sum() > 480
    assert kind == "regular" or quotes.price.min() < (1e-140 if dtype == np.float64 else 1e-30)
    columns = (quotes.vol, quotes.price, quotes.forward, quotes.strike, quotes.maturity)
    exact = exact_vols(*(column[kept] for column in columns))
    assert relative_errors(np.asarray(vol)[kept], exact).max() < bound


def test_tiny_prices_and_tiny_vols():
    prices = np.array([1e-140, 1e-220, 1e-300])
    vols = implied_vol(prices, 100.0, 150.0, 0.5)
    exact = exact_vols(vols, prices, [100.0] * 3, [150.0] * 3, [0.5] * 3)
    assert relative_errors(vols, exact).max() < 1e-15
    vol, strike = np.array([1e-12, 1e-6, 1e-3]), 100 + np.array([0.0, 1e-5, -0.1])
    prices = np.asarray(black_price(100.0, strike, 1 / 365, vol, call=strike >= 100))
    found = implied_vol(prices, 100.0, strike, 1 / 365, call=strike >= 100)
    assert relative_errors(found, exact_vols(vol, prices, [100.0] * 3, strike, [1 / 365] * 3)).max() < 1.5e-15


def test_the_start_is_near_and_two_steps_are_enough():
    y = np.concatenate([[0], 10 ** np.linspace(-15, 3, 37)])
    target = np.concatenate([10 ** np.linspace(-305, -1, 60), np.linspace(0.15, 0.5, 8)])
    y, target, upper = (array.ravel() for array in np.meshgrid(y, target, [False, True]))
    start, solved = jax.jit(lambda *case: (_start(*case), _solve(*case)))(y, target, upper)
    assert np.abs(start / solved - 1).max() < 0.026
    again = jax.jit(lambda *case: _steps(_solve(*case), *case))(y, target, upper)
    assert np.abs(again / solved - 1).max() < 3e-15


def test_quotes_in_the_money_lose_what_the_price_lost():
    forward, strike, maturity = 100.0, jnp.linspace(60.0, 140.0, 33), 0.4
    call = strike < forward
    vol = jnp.linspace(0.2, 0.5, 33)
    greeks = black_greeks(forward, strike, maturity, vol, 0.95, call)
    found = implied_vol(greeks.price, forward, strike, maturity, 0.95, call)
    # A rounding of the price, and one of the discounted forward and strike each.
    attainable = 2.2e-16 * (greeks.price + 0.95 * (forward + strike)) / greeks.vega
    assert (jnp.abs(found - vol) < 2 * attainable).all()
    # A call and a put of the same strike have one vol.
    time_value = black_price(forward, strike, maturity, vol, 0.95, ~call)
    np.testing.assert_allclose(implied_vol(time_value, forward, strike, maturity, 0.95, ~call), vol, rtol=1e-14)


def test_bounds():
    # The third is 0.9e-308 of the bound.
    price = jnp.array([-1e-9, 0.0, 9e-307, 99.99999999999999, 100.0, 100.1, jnp.nan])
    call = implied_vol(price, 100.0, 110.0, 1.0)
    np.testing.assert_array_equal(jnp.isnan(call), [True, False, True, False, False, True, True])
    assert call[1] == 0
    assert call[4] == jnp.inf
    assert 15 < call[3] < 17
    # in the money: at intrinsic value, within rounding of it, below it
    price = 0.9 * 30.0 * jnp.array([1.0, 1 - 2e-16, 1 - 1e-14])
    np.testing.assert_array_equal(implied_vol(price, 110.0, 80.0, 1.0, 0.9), [0, 0, jnp.nan])
    for arguments in ((1.0, -1.0, 1.0, 1.0), (1.0, 1.0, 0.0, 1.0), (1.0, 1.0, 1.0, 0.0)):
        assert np.isnan(implied_vol(*map(jnp.float64, arguments)))
    assert np.isnan(implied_vol(0.1, 1.0, 1.0, 1.0, jnp.float64(0.0)))
    for position, name in enumerate(("price", "forward", "strike", "maturity", "discount")):
        arguments = [1.0, 10.0, 10.0, 1.0, 1.0]
        arguments[position] = -1.0
        with pytest.raises(ValueError, match=f"expected {name} >"):
            implied_vol(*arguments)


FIRST = jax.jit(jax.vmap(jax.grad(implied_vol, argnums=(0, 1, 2, 3, 4))))
SECOND = jax.jit(jax.vmap(jax.grad(jax.grad(implied_vol), argnums=(0, 1))))


def test_derivatives_of_the_implicit_function():
    strike = jnp.array([110.0, 110.0, 100.0, 20.0, 100.0])
    call = jnp.array([True, False, True, False, True])
    vol = jnp.array([0.3, 0.3, 0.2, 0.4, 3.0])
    forward, maturity, discount = jnp.full((3, 5), jnp.array([[100.0], [0.7], [0.97]]))
    greeks = black_greeks(forward, strike, maturity, vol, discount, call)
    slopes = FIRST(greeks.price, forward, strike, maturity, discount, call)
    direct = jax.jit(jax.vmap(jax.grad(black_price, argnums=(0, 1, 2, 4))))(
        forward, strike, maturity, vol, discount, call
    )
    expected = (1 / greeks.vega, *(-slope / greeks.vega for slope in direct))
    for slope, truth in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(slope, truth, rtol=1e-11)
    # d2 vol / d price2 = -volga / vega^3, d2 vol / d price d forward = (delta volga / vega - vanna) / vega^2
    second = SECOND(greeks.price, forward, strike, maturity, discount, call)
    np.testing.assert_allclose(second[0], -greeks.volga / greeks.vega**3, rtol=1e-9, atol=1e-12)
    cross = (greeks.delta * greeks.volga / greeks.vega - greeks.vanna) / greeks.vega**2
    np.testing.assert_allclose(second[1], cross, rtol=1e-9, atol=1e-12)


def test_third_derivative():
    third = jax.jit(jax.vmap(jax.grad(jax.grad(jax.grad(implied_vol)))))
    at = jnp.array([3.0, 3.0 + 1e-4, 3.0 - 1e-4, 3.0, 3.0])
    rest = (*jnp.full((4, 5), jnp.array([[100.0], [110.0], [0.7], [1.0]])), jnp.full(5, True))
    second = SECOND(at, *rest)[0]
    np.testing.assert_allclose(third(at, *rest)[0], (second[1] - second[2]) / 2e-4, rtol=1e-6)


def test_gradients_survive_where_vega_does_not():
    price = jnp.array([1e-300, 0.0, 100.0, 200.0, jnp.nan])
    rest = (*jnp.full((4, 5), jnp.array([[100.0], [150.0], [0.5], [1.0]])), jnp.full(5, True))
    slopes = FIRST(price, *rest)
    assert np.isfinite(slopes).all()
    # vega is 1e-297: a derivative of 1e297, which times a thousandth of the price is a difference of vols
    moved = implied_vol(price.at[0].multiply(1.001), *rest) - implied_vol(price, *rest)
    np.testing.assert_allclose(slopes[0][0] * 1e-300 * 1e-3, moved[0], rtol=2e-3)
    for slope in slopes:
        assert slope[0] != 0
        np.testing.assert_array_equal(slope[1:], 0)


def test_transforms_and_one_trace():
    quotes = regular_quotes(5)
    traces = 0

    @jax.jit
    def found(price, discount):
        nonlocal traces
        traces += 1
        return implied_vol(price, quotes.forward, quotes.strike, quotes.maturity, discount, quotes.call)

    eager = implied_vol(quotes.price, quotes.forward, quotes.strike, quotes.maturity, 1.0, quotes.call)
    np.testing.assert_allclose(found(quotes.price, 1.0), eager, rtol=1e-15)
    np.testing.assert_allclose(found(0.9 * quotes.price, 0.9), eager, rtol=1e-14)
    assert traces == 1
    mapped = jax.vmap(implied_vol)(
        quotes.price, quotes.forward, quotes.strike, quotes.maturity, np.ones(5), quotes.call
    )
    np.testing.assert_allclose(mapped, eager, rtol=1e-15)
    assert implied_vol(10.0, 100.0, np.array([90.0, 100.0, 110.0]), np.ones((2, 1)), call=False).shape == (2, 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_at_the_money(dtype):
    one, vol = dtype(1), np.geomspace(1e-3, 3, 50).astype(dtype)
    tolerance = 8 * np.finfo(dtype).eps
    for forward in (dtype(0.013), dtype(100), dtype(65_432.1)):
        prices = black_price(forward, forward, one, vol)
        np.testing.assert_allclose(implied_vol(prices, forward, forward, one), vol, rtol=tolerance)
        prices = bachelier_price(forward, forward, one, vol * forward)
        np.testing.assert_allclose(bachelier_implied_vol(prices, forward, forward, one), vol * forward, rtol=tolerance)
