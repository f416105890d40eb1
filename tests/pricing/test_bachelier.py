from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mpf

from quantjax.pricing import bachelier_greeks, bachelier_implied_vol, bachelier_price
from tests.reference import black as reference

RNG = np.random.default_rng(5)
# forwards and strikes of any sign, up to 30 standard deviations apart, and at the money
VOL = np.exp(RNG.uniform(-7, 3, 200))
MATURITY = np.exp(RNG.uniform(-6, 3, 200))
FORWARD = RNG.uniform(-1, 1, 200) * VOL
STRIKE = FORWARD + VOL * np.sqrt(MATURITY) * np.where(np.arange(200) % 20 == 0, 0.0, RNG.uniform(-30, 30, 200))
CALL = STRIKE >= FORWARD


def test_prices_and_their_vols_keep_their_digits():
    price = np.asarray(bachelier_price(FORWARD, STRIKE, MATURITY, VOL, 1.0, CALL))
    rounding = 4e-16 * (8 + 2 * ((STRIKE - FORWARD) / VOL) ** 2 / MATURITY)
    quotes = zip(FORWARD, STRIKE, MATURITY, VOL, CALL, strict=True)
    exact = [reference.bachelier_price(*quote) for quote in quotes]
    error = [float(abs(mpf(float(value)) / truth - 1)) for value, truth in zip(price, exact, strict=True)]
    assert (error < rounding).all()
    # The price of the found vol is the price again: to the rounding that the vol itself has.
    found = np.asarray(bachelier_implied_vol(price, FORWARD, STRIKE, MATURITY, 1.0, CALL))
    quotes = zip(FORWARD, STRIKE, MATURITY, found, CALL, strict=True)
    again = [reference.bachelier_price(*quote) for quote in quotes]
    error = [float(abs(truth / mpf(float(value)) - 1)) for value, truth in zip(price, again, strict=True)]
    assert (error < rounding).all()


def test_in_the_money_and_bounds():
    strike = jnp.array([90.0, 100.0, 110.0])
    call = bachelier_price(100.0, strike, 0.5, 12.0, 0.9)
    np.testing.assert_allclose(call - bachelier_price(100.0, strike, 0.5, 12.0, 0.9, False), 0.9 * (100 - strike))
    np.testing.assert_allclose(bachelier_implied_vol(call, 100.0, strike, 0.5, 0.9), 12, rtol=1e-14)
    price = jnp.array([-1.0, 0.0, 1e-305, jnp.nan, 1e6])
    found = bachelier_implied_vol(price, 100.0, 110.0, 0.5)
    np.testing.assert_array_equal(jnp.isnan(found), [True, False, True, True, False])
    assert found[1] == 0
    np.testing.assert_array_equal(bachelier_implied_vol(jnp.array([9.0, 8.9]), 100.0, 90.0, 0.5, 0.9), [0, jnp.nan])
    with pytest.raises(ValueError, match="expected maturity > 0, got 0"):
        bachelier_implied_vol(1.0, -1.0, 2.0, 0)


def test_limits_and_their_gradients():
    strike = jnp.array([90.0, 110.0, 100.0, 90.0, -5.0])
    maturity, vol = jnp.array([1.0, 1.0, 1.0, 0.0, 1.0]), jnp.array([0.0, 0.0, 0.0, 12.0, -1.0])
    price = bachelier_price(100.0, strike, maturity, vol, 0.9)
    np.testing.assert_allclose(price, [9, 0, 0, 9, jnp.nan])
    slope = jax.jit(jax.vmap(jax.grad(bachelier_price, argnums=(0, 1, 2, 3)), in_axes=(None, 0, 0, 0, None)))
    slopes = slope(100.0, strike, maturity, vol, 0.9)
    np.testing.assert_allclose(slopes[0], 0.9 * np.array([1, 0, 0.5, 1, 0]))
    np.testing.assert_allclose(slopes[1], -0.9 * np.array([1, 0, 0.5, 1, 0]))
    np.testing.assert_array_equal(slopes[2], 0)
    np.testing.assert_allclose(slopes[3], 0.9 * np.array([0, 0, 0.3989422804014327, 0, 0]))


def test_greeks_and_implied_slopes_are_the_derivatives():
    maturity, vol, discount = 0.7, 15.0, 0.97
    rate = -np.log(discount) / maturity
    strike, call = jnp.array([110.0, 100.0, 60.0]), jnp.array([True, False, False])
    greeks = bachelier_greeks(100.0, strike, maturity, vol, discount, call)

    def value(forward, vol, maturity, rate, strike, call):
        return bachelier_price(forward, strike, maturity, vol, jnp.exp(-rate * maturity), call)

    over_places = (None, None, None, None, 0, 0)
    at = tuple(map(jnp.float64, (100.0, vol, maturity, rate)))
    first = jax.jit(jax.vmap(jax.grad(value, argnums=(0, 1, 2, 3)), over_places))(*at, strike, call)
    second = jax.jit(jax.vmap(jax.hessian(value, argnums=(0, 1, 2)), over_places))(*at, strike, call)
    expected = (first[0], first[1], -first[2], first[3], second[0][0], second[0][1], second[1][1], -second[0][2])
    found = (greeks.delta, greeks.vega, greeks.theta, greeks.rho)
    found += (greeks.gamma, greeks.vanna, greeks.volga, greeks.charm)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    step = 1e-4
    up, down = (bachelier_greeks(100.0, strike, maturity, vol + move, discount, call) for move in (step, -step))
    np.testing.assert_allclose((up.price - down.price) / (2 * step), greeks.vega, rtol=1e-7, atol=1e-10)

    def implied(price, forward, strike, call):
        return bachelier_implied_vol(price, forward, strike, maturity, discount, call)

    quotes = (greeks.price, jnp.full(3, 100.0), strike, call)
    slopes = jax.jit(jax.vmap(jax.grad(implied, argnums=(0, 1))))(*quotes)
    np.testing.assert_allclose(slopes, (1 / greeks.vega, -greeks.delta / greeks.vega), rtol=1e-12)
    second = jax.jit(jax.vmap(jax.grad(jax.grad(implied))))(*quotes)
    np.testing.assert_allclose(second, -greeks.volga / greeks.vega**3, rtol=1e-9, atol=1e-12)
