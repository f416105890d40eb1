"""The engine: the same numbers however they are chunked, honest errors, controls, Fourier's prices."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.pricing import (
    Asian,
    ControlVariate,
    Cos,
    Digital,
    European,
    Heston,
    MonteCarlo,
    PseudoRandom,
    QuadraticExponential,
    Sobol,
    SpotControl,
    price,
    simulate_price,
)
from quantjax.pricing.monte_carlo.moments import controlled_mean, merged, moments, no_moments
from tests.assertions import assert_close

MODEL = Heston(0.04, 2.0, 0.06, 0.6, -0.6, scheme=QuadraticExponential(substeps=8))
STRIKES = np.array([80.0, 100.0, 120.0])
FOURIER = jax.jit(lambda *arguments: price(MODEL, *arguments[:2], forward=arguments[2], discount=arguments[3]))
PLAIN = MonteCarlo(1 << 15)
CONDITIONAL = MonteCarlo(1 << 15, conditional=True, control_variates=(SpotControl(),))


def european(engine: MonteCarlo, key, model=MODEL, strikes=STRIKES):
    return simulate_price(
        model, European(strikes), [1.0], spot=100.0, forward=103.0, discount=0.95, engine=engine, key=key
    )


def fourier(strikes, maturity, *, forward, discount):
    """Prices by Lewis's integral, all in one compiled shape."""
    padded = np.full((1, 4), np.nan)
    padded[0, : np.size(strikes)] = strikes
    found = FOURIER(padded, np.array([maturity]), np.array([forward]), np.array([discount]))[0, : np.size(strikes)]
    return found if np.ndim(strikes) else found[0]


@pytest.fixture(scope="module")
def exact():
    return fourier(STRIKES, 1.0, forward=103.0, discount=0.95)


def test_european_is_that_of_fourier(key, exact):
    found = european(PLAIN, key)
    assert found.price.shape == found.std_error.shape == (3,)
    assert found.num_paths == 1 << 15
    # 8 steps: a bias below 0.01 (docs/heston_bias.md).
    assert (np.abs(found.price - exact) < 4 * found.std_error + 0.01).all()


def test_surface_by_price(key):
    strikes = np.array([[90.0, 100.0, np.nan], [80.0, 100.0, 120.0]])
    arguments = {"forward": np.array([101.0, 103.0]), "call": strikes > 95}
    maturities = np.array([1.0, 0.5])  # in any order
    engine = MonteCarlo(1 << 15, conditional=True, control_variates=(SpotControl(at=(0, 1)),))
    found = jax.jit(lambda key: price(MODEL, strikes, maturities, engine=engine, key=key, **arguments))(key)
    forward = arguments["forward"]
    expected = [
        fourier(row, t, forward=f, discount=1.0) for row, t, f in zip(strikes, maturities, forward, strict=True)
    ]
    expected = np.where(arguments["call"], expected, expected - forward[:, None] + strikes)  # parity
    np.testing.assert_allclose(found, expected, atol=0.03)
    # The same grid by a third engine.
    by_cosines = jax.jit(lambda: price(MODEL, strikes, maturities, engine=Cos(), **arguments))()
    np.testing.assert_allclose(by_cosines, expected, rtol=1e-8)
    # The default scheme chooses its steps by the times, which only code that is not traced knows.
    steps_by_time = Heston(0.04, 2.0, 0.06, 0.6, -0.6)
    found = price(steps_by_time, strikes, maturities, engine=engine, key=key, **arguments)
    np.testing.assert_allclose(found, expected, atol=0.03)
    with pytest.raises(ValueError, match="substeps"):
        jax.eval_shape(lambda key: price(steps_by_time, strikes, maturities, engine=engine, key=key, **arguments), key)
    with pytest.raises(ValueError, match="key"):
        price(MODEL, strikes, maturities, engine=engine, **arguments)


def test_moments_of_chunks_are_those_of_all(key):
    y, c = np.asarray(jax.random.normal(key, (2, 40))) + 1e3, np.asarray(jax.random.normal(key, (3, 40))) - 50
    parts = [moments(jnp.asarray(y[:, s]), jnp.asarray(c[:, s])) for s in np.split(np.arange(40), 5)]
    running = no_moments(parts[0])
    for number, part in enumerate(parts):
        running = merged(running, part, jnp.uint32(number))
    whole = np.cov(np.vstack([y, c]), bias=True)
    assert_close(running.mean, y.mean(1))
    assert_close(running.control_mean, c.mean(1))
    assert_close(running.variance, np.diag(whole)[:2])
    assert_close(running.cross, whole[:2, 2:])
    assert_close(running.covariance, whole[2:, 2:])


def test_coefficients_are_those_of_regression(key):
    c = np.asarray(jax.random.normal(key, (2, 200)))
    y = 3 + 2 * c[0] - c[1] + 0.1 * np.asarray(jax.random.normal(jax.random.key(1), (200,)))
    # The third control repeats the first and changes nothing.
    mean, variance, _ = controlled_mean(moments(jnp.asarray(y), jnp.asarray(np.vstack([c, 2 * c[0]]))))
    design = np.vstack([np.ones(200), c]).T
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose([mean, variance], [beta[0], ((y - design @ beta) ** 2).mean()], rtol=1e-9)


@pytest.mark.parametrize(
    ("engine", "gain"),
    [
        (MonteCarlo(256, conditional=True, control_variates=(SpotControl(),)), 8.0),
        (MonteCarlo(512, draws=PseudoRandom(antithetic=True), control_variates=(SpotControl(),)), 3.0),
        (MonteCarlo(256, draws=Sobol(8), control_variates=(SpotControl(),)), 3.0),
    ],
    ids=["conditional", "antithetic", "sobol"],
)
def test_standard_errors_are_honest_and_smaller_by_each_method(key, exact, engine, gain):
    keys = jax.random.split(jax.random.key(9), 1024)
    found = jax.jit(lambda keys: jax.lax.map(lambda key: european(engine, key), keys, batch_size=64))(keys)
    # Spread over keys and mean stated error: the root of a chi-squared of 1023 has a standard deviation of 2 %. The
    # coefficients, fitted to only 256 samples, add up to 5 % far out of the money.
    spread, stated = found.price.std(0), np.sqrt((found.std_error**2).mean(0))
    np.testing.assert_allclose(spread / stated, 1.0, atol=0.1)
    assert (np.abs(found.price.mean(0) - exact) < 4 * spread / np.sqrt(len(keys)) + 0.01).all()
    plain = european(PLAIN, key).std_error * np.sqrt(PLAIN.num_paths / engine.num_paths)
    assert plain[0] / stated[0] > gain, plain / stated


def test_chunks_bound_memory_and_keep_the_law(key, exact):
    many = european(MonteCarlo(1 << 15, chunk_paths=1 << 10), key)
    again = european(MonteCarlo(1 << 15, chunk_paths=1 << 10), key)
    np.testing.assert_array_equal(many.price, again.price)
    one = european(PLAIN, key)
    assert (many.price != one.price).all()
    assert (np.abs(many.price - exact) < 4 * many.std_error + 0.01).all()
    np.testing.assert_allclose(many.std_error, one.std_error, rtol=0.08)


def test_numbers_of_paths():
    uneven = MonteCarlo(100_001, chunk_paths=30_000, draws=PseudoRandom(antithetic=True))
    assert (uneven.num_chunks, uneven.paths_per_chunk, uneven.total_paths) == (4, 25_002, 100_008)
    many = MonteCarlo(10**12)
    assert many.total_paths >= 10**12
    traced = eqx.filter_eval_shape(european, many, jax.random.key(0))
    assert traced.num_paths == many.total_paths


def test_several_payoffs_from_the_same_paths(key):
    payoffs = {
        "call": European(100.0),
        "early": European(100.0, at=0),
        "table": (Asian([90.0, 110.0]), Digital(100.0)),
        "own": lambda paths: jnp.stack([paths.spot[-1], paths.spot.max(0)]),
    }
    times = [0.5, 1.0]
    how = {"spot": 100.0, "forward": np.array([101.0, 103.0]), "discount": np.array([0.97, 0.95])}
    engine = MonteCarlo(1 << 15, control_variates=(SpotControl(at=(0, 1)),))
    found = simulate_price(MODEL, payoffs, times, engine=engine, key=key, **how)
    assert found.price["table"][0].shape == found.price["own"].shape == (2,)
    # The spot is its own control: no noise is left, and the discount is that of the last time.
    assert_close(found.price["own"][0], 0.95 * 103.0)
    assert found.std_error["own"][0] < 1e-9
    early = fourier(100.0, 0.5, forward=101.0, discount=0.97)
    assert abs(found.price["early"] - early) < 4 * found.std_error["early"] + 0.01


def test_known_prices_as_controls(key, exact):
    control = ControlVariate(European(STRIKES), exact / 0.95)
    engine = MonteCarlo(1 << 12, draws=PseudoRandom(antithetic=True), control_variates=(control,))
    found = european(engine, key, strikes=np.array([*STRIKES, 105.0]))
    assert_close(found.price[:3], exact)
    assert (found.std_error[:3] < 1e-7).all()
    assert found.std_error[3] < 0.02
    between = fourier(105.0, 1.0, forward=103.0, discount=0.95)
    assert abs(found.price[3] - between) < 4 * found.std_error[3] + 0.01


def test_float32(key, exact):
    # As a program that never turns x64 on: Python floats are single there.
    with jax.enable_x64(False):
        single = Heston(*(np.float32(x) for x in (0.04, 2.0, 0.06, 0.6, -0.6)), scheme=MODEL.scheme)
        found = european(CONDITIONAL, key, model=single, strikes=STRIKES.astype(np.float32))
        with pytest.raises(ValueError, match="jax_enable_x64"):
            European(STRIKES)
    assert found.price.dtype == found.std_error.dtype == jnp.float32
    assert (np.abs(found.price - exact) < 4 * found.std_error + 0.01).all()


def test_transforms(key):
    engine = MonteCarlo(1 << 10, conditional=True)
    traces = []

    @jax.jit
    def call(model, strike):
        traces.append(1)
        return simulate_price(model, European(strike), [1.0], spot=100.0, engine=engine, key=key).price

    models = jax.vmap(lambda xi: Heston(0.04, 2.0, 0.06, xi, -0.6, scheme=MODEL.scheme))(jnp.array([0.3, 0.6]))
    batch = jax.vmap(call, (0, None))(models, 100.0)
    one = [call(jax.tree.map(lambda leaf, i=i: leaf[i], models), 100.0) for i in range(2)]
    assert_close(batch, one)
    assert len(traces) == 1


def test_bad_arguments(key):
    with pytest.raises(ValueError, match="num_paths"):
        MonteCarlo(0)
    with pytest.raises(ValueError, match="power of two"):
        MonteCarlo(100_000, draws=Sobol())
    with pytest.raises(ValueError, match="scramblings"):
        Sobol(1)
    with pytest.raises(ValueError, match="even num_paths"):
        MODEL.simulate([1.0], 3, key=key, draws=PseudoRandom(antithetic=True))
    with pytest.raises(ValueError, match="21201 dimensions"):
        MODEL.simulate(np.arange(1, 20_001) / 252, 2, key=key, draws=Sobol())
    with pytest.raises(TypeError, match="given_variance"):
        simulate_price(MODEL, Asian(100.0), [1.0], engine=MonteCarlo(conditional=True), key=key)
    with pytest.raises(ValueError, match="forward as one number or"):
        simulate_price(MODEL, European(100.0), [1.0], forward=np.array([1.0, 2.0]), key=key)
    for bad in ({"spot": 0.0}, {"spot": -1.0}, {"forward": [1.0, -1.0]}, {"forward": np.nan}, {"discount": -0.9}):
        with pytest.raises(ValueError, match=f"expected {next(iter(bad))} >"):
            simulate_price(MODEL, European(100.0), [0.5, 1.0], **bad, key=key)
    with pytest.raises(ValueError, match="spot as one number"):
        simulate_price(MODEL, European(100.0), [1.0], spot=np.array([90.0, 100.0]), key=key)
    with pytest.raises(ValueError, match="increase from above 0"):
        simulate_price(MODEL, European(100.0), [1.0, 1.0], key=key)
    with pytest.raises(TypeError, match="key"):
        simulate_price(MODEL, European(100.0), [1.0])
