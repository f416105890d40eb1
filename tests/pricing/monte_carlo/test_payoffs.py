"""Payoffs on paths written by hand, against closed forms, and against prices in the literature."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from quantjax.pricing import (
    Asian,
    Barrier,
    Digital,
    European,
    Heston,
    MonteCarlo,
    Paths,
    PseudoRandom,
    QuadraticExponential,
    Sobol,
    VarianceSwap,
    black_price,
    simulate_price,
)
from tests.assertions import assert_close

TIMES = np.array([0.5, 1.0, 2.0])
SPOT = np.array([[90.0, 120.0, 100.0, 80.0], [110.0, 130.0, 95.0, 85.0], [105.0, 90.0, 140.0, 100.0]])


@pytest.fixture(scope="module")
def paths() -> Paths:
    variance = np.full_like(SPOT, 0.04)
    integrated = np.cumsum(0.04 * np.diff(TIMES, prepend=0.0))[:, None] * np.ones(4)
    start, curve = jnp.log(100.0), jnp.log(jnp.full(3, 100.0))
    return Paths(*map(jnp.asarray, (TIMES, start, curve, np.log(SPOT), variance, integrated)))


def test_european(paths):
    assert_close(European(100.0)(paths), [5.0, 0.0, 40.0, 0.0])
    assert_close(European(100.0, call=False, at=1)(paths), [0.0, 0.0, 5.0, 15.0])
    both = European([100.0, 110.0], call=[True, False])(paths)
    assert_close(both, [[5.0, 0.0, 40.0, 0.0], [5.0, 20.0, 0.0, 10.0]])


def test_digital(paths):
    assert_close(Digital(100.0, at=0)(paths), [0.0, 1.0, 0.0, 0.0])
    assert_close(Digital(100.0, at=0, call=False)(paths), [1.0, 0.0, 1.0, 1.0])
    ramp = np.clip(np.log(SPOT[2] / 100) / 0.2 + 0.5, 0, 1)
    assert_close(Digital(100.0, smoothing=0.2)(paths), ramp)
    assert_close(Digital(100.0, [True, False], at=0)(paths), [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]])


def test_asian(paths):
    assert_close(Asian(100.0)(paths), np.maximum(SPOT.mean(0) - 100, 0))
    geometric = np.exp(np.log(SPOT[:2]).mean(0))
    assert_close(Asian(100.0, call=False, at=1, mean="geometric")(paths), np.maximum(100 - geometric, 0))
    gain = SPOT.mean(0) - 100
    assert_close(Asian(100.0, call=[True, False])(paths), [np.maximum(gain, 0), np.maximum(-gain, 0)])


def test_variance_swap(paths):
    steps = np.diff(np.log(np.vstack([np.full(4, 100.0), SPOT])), axis=0)
    assert_close(VarianceSwap(0.04)(paths), (steps**2).sum(0) / 2 - 0.04)
    assert_close(VarianceSwap(at=0)(paths), steps[0] ** 2 / 0.5)


def test_barrier(paths):
    watched = Barrier(100.0, [125.0, 150.0], "up", "out", continuous=False)(paths)
    assert_close(watched, [[5.0, 0.0, 0.0, 0.0], [5.0, 0.0, 40.0, 0.0]])
    smooth = Barrier(100.0, 125.0, "up", "out", continuous=False, smoothing=0.2)(paths)
    ramp = np.clip(np.log(125.0 / SPOT) / 0.2 + 0.5, 0, 1).prod(0)
    assert_close(smooth, np.maximum(SPOT[2] - 100, 0) * ramp)
    log = np.log(np.vstack([np.full(4, 100.0), SPOT]) / 125.0)
    variance = 0.04 * np.diff(TIMES, prepend=0.0)[:, None]
    stays = np.where((log < 0).all(0), np.prod(1 - np.exp(-2 * log[:-1] * log[1:] / variance), axis=0), 0.0)
    out = Barrier(100.0, 125.0, "up", "out")(paths)
    assert_close(out, np.array([5.0, 0.0, 40.0, 0.0]) * stays)
    assert_close(out + Barrier(100.0, 125.0, "up", "in")(paths), European(100.0)(paths))
    assert_close(Barrier(100.0, 100.5, "down", "out")(paths), np.zeros(4))  # touched at time 0


def test_continuous_barrier_is_that_of_black(key):
    # Almost constant variance: the bridge makes a continuous barrier of any steps. Reiner & Rubinstein (1991).
    model = Heston(0.04, 1.0, 0.04, 1e-3, 0.0, scheme=QuadraticExponential(substeps=1))
    times = np.arange(1, 5) / 4
    payoffs = {"in": Barrier(100.0, 90.0, "down", "in"), "out": Barrier(100.0, 90.0, "down", "out")}
    engine = MonteCarlo(1 << 17, draws=PseudoRandom(antithetic=True))
    found = simulate_price(model, payoffs, times, spot=100.0, engine=engine, key=key)
    vol = 0.2
    y = np.log(90.0**2 / (100 * 100)) / vol + vol / 2
    down_in = 90 * norm.cdf(y) - 100 / 0.9 * norm.cdf(y - vol)
    assert found.price["in"] == pytest.approx(down_in, abs=4 * float(found.std_error["in"]))
    whole = float(black_price(100.0, 100.0, 1.0, vol))
    assert found.price["out"] == pytest.approx(whole - down_in, abs=4 * float(found.std_error["out"]))


def test_heston_barrier_and_variance_swap(key):
    model = Heston(0.04, 2.5, 0.04, 0.66, -0.8, scheme=QuadraticExponential(substeps=1))
    times = np.arange(1, 65) / 64
    forward, discount = 100 * np.exp(0.05 * times), np.exp(-0.05 * times)
    payoffs = {"barrier": Barrier(100.0, 135.0, "up", "out"), "swap": VarianceSwap()}
    engine = MonteCarlo(1 << 17, draws=PseudoRandom(antithetic=True))
    how = {"spot": 100.0, "forward": forward, "discount": discount, "engine": engine, "key": key}
    found = simulate_price(model, payoffs, times, **how)
    # 9.16 to a cent by finite differences.
    assert abs(found.price["barrier"] - 9.16) < 4 * found.std_error["barrier"] + 0.01
    # The squares of the mean returns of the steps are in it too, some 0.0001.
    swap = float(discount[-1] * model.total_variance(1.0))
    assert abs(found.price["swap"] - swap) < 4 * found.std_error["swap"] + 2e-4


def test_geometric_asian(key):
    # Continuous average by an affine ODE; the midpoints of the gaps sum it to second order.
    model = Heston(0.09, 1.15, 0.348, 0.39, -0.64, scheme=QuadraticExponential(substeps=1))
    maturity = 73 / 365
    times = (np.arange(32) + 0.5) / 32 * maturity
    found = simulate_price(
        model,
        Asian(100.0, mean="geometric"),
        times,
        spot=100.0,
        forward=100 * np.exp(0.05 * times),
        discount=np.exp(-0.05 * maturity),
        engine=MonteCarlo(1 << 15, draws=Sobol()),
        key=key,
    )
    assert abs(found.price - 3.4477702221) < 4 * found.std_error + 5e-4
    assert found.std_error < 3e-3


def test_a_jump_has_no_pathwise_gradient(paths):
    def mean(strike, **how):
        return Digital(strike, **how)(paths).mean()

    assert np.isnan(jax.grad(mean)(100.0))
    assert np.isfinite(jax.grad(lambda strike: mean(strike, smoothing=0.1))(101.0))
    watched = jax.grad(lambda level: Barrier(100.0, level, "up", "out", continuous=False)(paths).mean())
    assert np.isnan(watched(125.0))


def test_smoothed_barrier_has_the_delta_of_black():
    # Watched at maturity alone, an up-and-out call is a spread of calls less digitals. The law of ln S by quantiles.
    z = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    one = jnp.ones((1, len(z)))
    paths = Paths(jnp.ones(1), jnp.array(0.0), jnp.zeros(1), jnp.asarray(0.2 * z - 0.02)[None], 0.04 * one, 0.04 * one)

    def smoothed(spot, smoothing):
        payoff = Barrier(100.0, 120.0, "up", "out", continuous=False, smoothing=smoothing)
        return payoff(paths.scaled(spot, spot * jnp.ones(1))).mean()

    def exact(spot):
        digital = norm.cdf(np.log(spot / 120) / 0.2 - 0.1)
        return float(black_price(spot, 100.0, 1.0, 0.2) - black_price(spot, 120.0, 1.0, 0.2)) - 20 * digital

    expected = exact(100.0), (exact(100.01) - exact(99.99)) / 0.02
    wide, narrow = (np.subtract(jax.value_and_grad(smoothed)(100.0, width), expected) for width in (0.1, 0.05))
    np.testing.assert_allclose(narrow, 0, atol=3e-3)
    np.testing.assert_allclose(wide / narrow, 4, rtol=0.1)  # second order


def test_bad_payoffs():
    with pytest.raises(ValueError, match="'up' or 'down'"):
        Barrier(100.0, 90.0, "below", "out")
    with pytest.raises(ValueError, match="'arithmetic' or 'geometric'"):
        Asian(100.0, mean="harmonic")
    with pytest.raises(ValueError, match="smoothing"):
        Digital(100.0, smoothing=-1.0)
    with pytest.raises(ValueError, match="continuous=False only"):
        Barrier(100.0, 90.0, "down", "out", smoothing=0.1)
