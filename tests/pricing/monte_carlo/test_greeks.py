"""Greeks by differentiating the simulation, against those of Fourier prices and closed forms."""

from __future__ import annotations

import jax
import numpy as np
from scipy.stats import norm

from quantjax.pricing import (
    Barrier,
    Digital,
    European,
    Heston,
    MonteCarlo,
    PseudoRandom,
    QuadraticExponential,
    SpotControl,
    price,
    simulate_price,
)

MODEL = Heston(0.04, 2.0, 0.06, 0.6, -0.6, scheme=QuadraticExponential(substeps=32))
KEYS = jax.random.split(jax.random.key(3), 8)
CONDITIONAL = MonteCarlo(1 << 12, conditional=True, control_variates=(SpotControl(),))


def by_keys(function) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the keys and its standard error, of each leaf stacked."""
    found = jax.jit(lambda keys: jax.lax.map(function, keys))(KEYS)
    found = np.stack([np.asarray(leaf) for leaf in jax.tree.leaves(found)], axis=1)
    return found.mean(0), found.std(0, ddof=1) / np.sqrt(len(KEYS))


def agree(found: np.ndarray, error: np.ndarray, expected, *, relative: float) -> None:
    """Within 4 standard errors, and what 32 steps a year and the branch held fixed may do."""
    expected = np.stack([np.asarray(leaf) for leaf in jax.tree.leaves(expected)])
    assert (np.abs(found - expected) < 4 * error + relative * np.abs(expected)).all(), (found, expected, error)


FOURIER = jax.jit(lambda model, strike, spot: price(model, strike, 1.0, forward=spot))  # and differences of it


def slope(function, x: float, width: float) -> float:
    return float(function(x + width) - function(x - width)) / (2 * width)


def exact_slopes() -> tuple:
    """Of a call at 105 with respect to each of the model's parameters, and the spot."""
    leaves, structure = jax.tree.flatten(MODEL)

    def moved(number: int):
        return lambda x: FOURIER(structure.unflatten([*leaves[:number], x, *leaves[number + 1 :]]), 105.0, 100.0)

    parameters = [slope(moved(number), float(leaf), 1e-4) for number, leaf in enumerate(leaves)]
    return *parameters, slope(lambda spot: FOURIER(MODEL, 105.0, spot), 100.0, 1e-2)


def test_first_derivatives_are_those_of_fourier():
    engine = MonteCarlo(1 << 12, draws=PseudoRandom(antithetic=True))

    def simulated(model, spot, key):
        return simulate_price(model, European(105.0), [1.0], spot=spot, engine=engine, key=key).price

    found, error = by_keys(lambda key: jax.grad(simulated, (0, 1))(MODEL, 100.0, key))
    agree(found, error, exact_slopes(), relative=2e-3)


def test_first_derivatives_of_the_conditional_engine():
    # Forward mode, which compiles in a fraction of the time: along a direction in which every parameter moves.
    direction = jax.tree.map(lambda leaf: 0.5 * leaf, MODEL)

    def simulated(model, key):
        return simulate_price(model, European(105.0), [1.0], spot=100.0, engine=CONDITIONAL, key=key).price

    found, error = by_keys(lambda key: jax.jvp(lambda model: simulated(model, key), (MODEL,), (direction,))[1])
    expected = np.dot(exact_slopes()[:-1], jax.tree.leaves(direction))
    agree(found, error, (expected,), relative=2e-3)


def test_gamma_and_digital_of_the_conditional_engine():
    def simulated(spot, key):
        """Delta of a European, the price of a digital."""

        def both(spot):
            payoffs = (European(105.0), Digital(105.0))
            return simulate_price(MODEL, payoffs, [1.0], spot=spot, engine=CONDITIONAL, key=key).price

        (_, digital), (delta, _) = jax.jvp(both, (spot,), (1.0,))
        return delta, digital

    def delta(spot):
        return slope(lambda spot: FOURIER(MODEL, 105.0, spot), spot, 1e-2)

    def digital(spot):
        return -slope(lambda strike: FOURIER(MODEL, strike, spot), 105.0, 1e-2)

    exact = delta(100.0), digital(100.0), slope(delta, 100.0, 1e-1), slope(digital, 100.0, 1e-1)
    found, error = by_keys(lambda key: jax.jvp(lambda spot: simulated(spot, key), (100.0,), (1.0,)))
    agree(found, error, exact, relative=2e-3)


def test_barrier_delta_is_that_of_black():
    # Variance all but constant, a down-and-out call: Reiner & Rubinstein (1991), differentiated by differences.
    model = Heston(0.04, 1.0, 0.04, 1e-3, 0.0, scheme=QuadraticExponential(substeps=1))
    engine = MonteCarlo(1 << 13, draws=PseudoRandom(antithetic=True))

    def simulated(spot, key):
        payoff = Barrier(100.0, 90.0, "down", "out")
        return simulate_price(model, payoff, [0.25, 0.5, 0.75, 1.0], spot=spot, engine=engine, key=key).price

    def exact(spot):
        d, y = np.log(spot / 100) / 0.2 + 0.1, np.log(90**2 / (spot * 100)) / 0.2 + 0.1
        call = spot * norm.cdf(d) - 100 * norm.cdf(d - 0.2)
        return call - 90 * norm.cdf(y) + 100 * spot / 90 * norm.cdf(y - 0.2)

    found, error = by_keys(lambda key: jax.value_and_grad(simulated)(100.0, key))
    agree(found, error, (exact(100.0), (exact(100.001) - exact(99.999)) / 0.002), relative=1e-4)
    assert error[1] < 0.01
