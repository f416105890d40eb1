"""The Fourier engines: printed prices, brute force, each other, limits, no arbitrage, gradients, bad input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import pricing
from quantjax.pricing import Black, Cos, Heston, Lewis
from tests.assertions import assert_close
from tests.reference.heston import PRICES, otm_prices

MODEL = Heston(0.04, 1.5, 0.04, 0.5, -0.7)
STRIKES, MATURITIES = jnp.array([80.0, 90.0, 100.0, 110.0, 125.0]), jnp.array([0.1, 1.0])
# Feller ratios from 5 down to 0.006, correlations from -0.99 to 0.5, vol of vol from 0.05 to 2.
HARD = (
    (0.04, 2.0, 0.04, 0.3, -0.7),
    (0.04, 1.5, 0.04, 1.0, -0.9),
    (0.01, 0.5, 0.04, 1.0, -0.99),
    (0.09, 1.0, 0.09, 1.0, -0.3),
    (0.04, 4.0, 0.25, 1.0, -0.5),
    (0.02, 3.0, 0.05, 0.05, 0.5),
    (0.04, 0.3, 0.04, 2.0, -0.95),
    (0.16, 5.0, 0.16, 2.0, 0.0),
)
SPANS = (1 / 365, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0)
WINGS = np.linspace(-5, 5, 11)  # standard deviations


@pytest.fixture(scope="module")
def surface():
    """`price` compiled once for an engine: (model, strikes, maturities, forward, call) to prices."""
    compiled = {}

    def evaluate(engine, model, strikes, maturities, forward, call=True):
        run = compiled.setdefault(
            engine,
            jax.jit(lambda m, k, t, f, c: pricing.price(m, k, t, forward=f, call=c, engine=engine)),
        )
        return np.asarray(run(model, strikes, maturities, forward, call))

    return evaluate


@pytest.mark.parametrize("row", PRICES, ids=lambda row: row[0])
def test_printed_prices(row, surface):
    name, spot, strike, t, rate, dividend, parameters, call, expected, tolerance = row
    forward = float(pricing.forward_curve(spot, rate, dividend, t))
    strikes, maturities, model = np.full((1, 2), float(strike)), np.array([float(t)]), Heston(*parameters)
    calls, discount, cos = np.full((1, 2), call), np.exp(-rate * t), Cos(terms=2048)
    price = discount * surface(Lewis(), model, strikes, maturities, forward, calls)[0, 0]
    assert abs(price - expected) < tolerance, (name, price, expected)
    # COS needs more terms than this where the Feller ratio is near 0 (Andersen's cases), and says so.
    price = discount * surface(cos, model, strikes, maturities, forward, calls)[0, 0]
    bound = discount * forward * cos.normalised_error(model, np.log(strikes / forward), maturities, calls)[0, 0]
    assert bound < (1e-7 if name.startswith(("Lewis", "Cui", "BK2", "Fang", "Smith")) else 0.05) * spot
    assert abs(price - expected) < bound + tolerance, (name, price, expected)


@pytest.mark.parametrize("t", SPANS)
def test_the_hard_grid_to_1e_10_of_the_forward(t):
    """Against the real line with 30,000 nodes: a day to 30 years, 5 standard deviations to either side."""
    shared = jax.jit(lambda m, k, c: pricing.price(m, k, jnp.array([t]), forward=1.0, call=c)[0])
    own = jax.jit(lambda m, k, c: pricing.price(m, k[:, None], jnp.full(11, t), forward=1.0, call=c[:, None])[:, 0])
    cos = jax.jit(
        lambda m, k, c: (
            Cos(terms=2048).normalised_price(m, jnp.log(k)[None], jnp.array([t]), c[None])[0],
            Cos(terms=2048).normalised_error(m, jnp.log(k)[None], jnp.array([t]), c[None])[0],
        )
    )
    for parameters in HARD:
        model = Heston(*parameters)
        log_moneyness = WINGS * np.sqrt(float(model.total_variance(t)))
        expected, calls = otm_prices(log_moneyness, t, *parameters), log_moneyness >= 0
        assert np.abs(shared(model, np.exp(log_moneyness), calls) - expected).max() < 1e-10, parameters
        assert np.abs(own(model, np.exp(log_moneyness), calls) - expected).max() < 1e-11, parameters
        price, bound = cos(model, np.exp(log_moneyness), calls)
        assert (np.abs(price - expected) <= bound + 1e-12).all(), parameters


@pytest.mark.parametrize("t", [1 / 365, 0.1, 1.0])
def test_far_wings_have_the_intrinsic_value_and_no_noise(t):
    """Hundreds of deviations out: what the nodes do not resolve is bounded by what they do."""
    k = np.array([-14, -8, -5, -3, -2, -1, -0.5, -0.2, 0.2, 0.5, 1, 2, 3, 5, 8, 14])
    calls = k >= 0
    expected = Cos(terms=4096, tolerance=1e-14).normalised_price(MODEL, k[None], jnp.array([t]), calls[None])[0]
    shared = pricing.price(MODEL, np.exp(k), [t], forward=1.0, call=calls[None])[0]
    own = pricing.price(MODEL, np.exp(k)[:, None], np.full(k.shape, t), forward=1.0, call=calls[:, None])[:, 0]
    np.testing.assert_allclose(shared, expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(own, expected, rtol=0, atol=1e-11)


def test_strikes_beyond_all_measure_have_no_time_value():
    """Where e^(k/2) would make prices of roundings."""
    k = np.array([-120.0, -60.0, 20.0, 40.0, 60.0, 80.0, 120.0])
    calls, own, at = k >= 0, (np.exp(k)[:, None], np.full(7, 30.0)), {"forward": 1.0}
    for model in (Heston(1.0, 1.0, 1.0, 0.5, -0.5), MODEL):
        exact = pricing.price(model, *own, call=calls[:, None], engine=Lewis(200), **at).ravel()
        found = [
            pricing.price(model, *own, call=calls[:, None], **at).ravel(),
            *(pricing.price(model, np.exp(k), [30.0], call=calls, engine=Lewis(n), **at)[0] for n in (48, 400)),
        ]
        for prices in found:
            np.testing.assert_allclose(prices[:3], exact[:3], atol=2e-10)
            # Of e^20 forwards and more no more than of e^20, and no less than nothing.
            assert (np.diff(prices[2:]) <= 1e-10).all()
            assert (prices[2:] > -1e-10).all()
        told = pricing.price_error(model, *own, call=calls[:, None], **at).ravel()
        assert (told[3:] >= found[0][3:]).all()


def test_parameters_out_of_their_domain_give_nan_where_only_computing_knows():
    run = jax.jit(lambda *parameters: pricing.price(Heston(*parameters), STRIKES, MATURITIES, forward=100.0))
    good = (0.04, 1.5, 0.04, 0.5, -0.7)
    assert np.isfinite(run(*good)).all()
    bad = ((0, -0.01), (1, -1.0), (2, -0.01), (3, -0.5), (4, 1.0), (4, -2.0))
    for index, value in bad:
        assert np.isnan(run(*(*good[:index], value, *good[index + 1 :]))).all(), (index, value)
    assert np.isnan(jax.jit(lambda vol: pricing.price(Black(vol), 100.0, 1.0, forward=100.0))(-0.2))
    # One bad model of a batch spoils itself alone.
    prices = jax.vmap(lambda rho: run(*good[:4], rho))(jnp.array([-0.7, 1.5]))
    np.testing.assert_array_equal(np.isnan(prices).all((1, 2)), [False, True])


def test_models_without_variance_have_the_intrinsic_value():
    for model in (Black(0.0), Heston(0.0, 1.0, 0.0, 0.5, -0.7)):
        prices = pricing.price(model, [90.0, 100.0, 110.0], [1.0, 2.0], forward=100.0)
        assert_close(prices, [[10.0, 0.0, 0.0]] * 2)


@pytest.mark.parametrize("engine", [Lewis(nodes=24), Cos(terms=192)])
def test_price_error_is_no_less_than_the_error(engine):
    arguments = (MODEL, STRIKES, MATURITIES)
    exact = pricing.price(*arguments, forward=100.0, engine=Lewis(nodes=96))
    error = pricing.price_error(*arguments, forward=100.0, engine=engine)
    found = pricing.price(*arguments, forward=100.0, engine=engine)
    assert (np.abs(found - exact) <= 1.01 * error + 1e-11).all()
    assert (error < 0.1).all()
    with pytest.raises(TypeError, match="normalised_error"):
        pricing.price_error(*arguments, forward=100.0, engine=pricing.MonteCarlo())


def test_engines_agree_where_the_bound_of_cos_says_so(surface):
    rng = np.random.default_rng(4)
    for _ in range(20):
        parameters = rng.uniform([0.01, 0.5, 0.01, 0.1, -0.9], [0.1, 4, 0.1, 0.9, 0.3])
        model = Heston(*parameters)
        prices = [surface(engine, model, STRIKES, MATURITIES, 100.0) for engine in (Lewis(), Cos(terms=2048))]
        error = Cos(terms=2048).normalised_error(
            model, jnp.log(STRIKES / 100) + 0 * MATURITIES[:, None], MATURITIES, True
        )
        assert (np.abs(prices[0] - prices[1]) <= 100 * (np.asarray(error) + 1e-12)).all(), parameters


def test_parity_and_no_arbitrage(surface):
    strikes = jnp.linspace(20, 300, 141)
    calls = surface(Lewis(), MODEL, strikes, MATURITIES, 100.0, True)
    puts = surface(Lewis(), MODEL, strikes, MATURITIES, 100.0, False)
    np.testing.assert_allclose(calls - puts, np.broadcast_to(100 - strikes, calls.shape), atol=1e-11)
    assert (np.diff(calls) <= 1e-11).all()
    assert (np.diff(calls, 2) >= -1e-11).all()
    assert (calls >= np.maximum(100 - strikes, 0) - 1e-11).all()
    assert (calls[1] >= calls[0] - 1e-11).all()


def test_limits_are_black():
    strikes = STRIKES[None] * jnp.ones((2, 1))
    expected = pricing.black_price(100.0, strikes, MATURITIES[:, None], 0.2)
    for model in (Black(0.2), Heston(0.04, 1.5, 0.04, 0.0, -0.7), Heston(0.04, 0.0, 0.04, 1e-9, 0.5)):
        for engine, tolerance in ((Lewis(), 1e-9), (Cos(), 2e-8)):
            found = pricing.price(model, STRIKES, MATURITIES, forward=100.0, engine=engine)
            np.testing.assert_allclose(found, expected, atol=tolerance)


def test_any_model_with_a_characteristic_function():
    """One that knows nothing of its moments, in JAX's own complex numbers: Black with two equally likely vols."""

    class TwoVols:
        def log_cf(self, u, t):
            q = u * u + 1j * u
            return jnp.log(0.5 * jnp.exp(-0.5 * 0.01 * t * q) + 0.5 * jnp.exp(-0.5 * 0.09 * t * q))

    jax.tree_util.register_static(TwoVols)
    strikes = STRIKES[None] * jnp.ones((2, 1))
    expected = sum(0.5 * pricing.black_price(100.0, strikes, MATURITIES[:, None], vol) for vol in (0.1, 0.3))
    for engine, tolerance in ((Lewis(), 1e-9), (Cos(terms=8192, tolerance=1e-8), 1e-5)):
        found = pricing.price(TwoVols(), STRIKES, MATURITIES, forward=100.0, engine=engine)
        np.testing.assert_allclose(found, expected, atol=tolerance)


def test_gradients_are_differences_and_padding_has_none():
    padded = jnp.stack([STRIKES, STRIKES.at[-1].set(jnp.nan)])

    @jax.jit
    def total(model, strikes, forward):
        prices = pricing.price(
            model, strikes, MATURITIES, forward=forward, call=jnp.array([True, False, True, False, True])
        )
        return jnp.nansum(prices), prices

    (_, prices), slopes = jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True)(MODEL, padded, 100.0)
    assert np.isnan(prices[1, -1])
    assert np.isfinite(np.asarray(slopes[1])).all()
    assert slopes[1][1, -1] == 0
    leaves, structure = jax.tree.flatten((MODEL, 100.0))
    for index, slope in enumerate(jax.tree.leaves((slopes[0], slopes[2]))):
        step = 1e-5 * abs(float(leaves[index]))
        up, down = ([*leaves[:index], leaves[index] + sign * step, *leaves[index + 1 :]] for sign in (1, -1))
        (model_up, forward_up), (model_down, forward_down) = structure.unflatten(up), structure.unflatten(down)
        difference = (total(model_up, padded, forward_up)[0] - total(model_down, padded, forward_down)[0]) / (2 * step)
        np.testing.assert_allclose(slope, difference, rtol=2e-7, err_msg=str(index))


def test_greeks_of_black_are_the_closed_form():
    discount = jnp.array([0.99, 0.96])
    found = pricing.greeks(Black(0.2), STRIKES, MATURITIES, forward=100.0, discount=discount, call=False)
    closed = pricing.black_greeks(100.0, STRIKES[None], MATURITIES[:, None], 0.2, discount[:, None], call=False)
    for name in ("price", "delta", "gamma", "theta", "rho", "charm"):
        np.testing.assert_allclose(getattr(found, name), getattr(closed, name), rtol=1e-8, atol=1e-9, err_msg=name)
    for name, expected in (("parameters", closed.vega), ("vannas", closed.vanna), ("volgas", closed.volga)):
        np.testing.assert_allclose(getattr(found, name).vol, expected, rtol=1e-8, atol=1e-8, err_msg=name)


def test_greeks_where_xi_and_kappa_are_0():
    strikes = jnp.array([90.0, 100.0, 110.0])
    near, at = (pricing.greeks(Heston(0.04, 1.5, 0.04, xi, -0.7), strikes, 1.0, forward=100.0) for xi in (1e-5, 0.0))
    np.testing.assert_allclose(at.volgas.xi, near.volgas.xi, rtol=1e-3)
    np.testing.assert_allclose(at.parameters.xi, near.parameters.xi, rtol=1e-3)
    at = pricing.greeks(Heston(0.04, 0.0, 0.04, 0.0, -0.7), strikes, 1.0, forward=100.0)
    expected = pricing.greeks(Black(0.2), strikes, 1.0, forward=100.0)
    np.testing.assert_allclose(at.delta, expected.delta, rtol=1e-9)
    np.testing.assert_allclose(at.gamma, expected.gamma, rtol=1e-9)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(at))


def test_greeks_are_nan_where_there_is_no_price():
    found = pricing.greeks(MODEL, jnp.array([100.0, jnp.nan]), 1.0, forward=100.0)
    for leaf in jax.tree.leaves(found):
        np.testing.assert_array_equal(np.isnan(leaf), [False, True])


def test_greeks_of_heston_are_differences():
    run = jax.jit(lambda m, f, t: pricing.price(m, STRIKES, t, forward=f))
    found = pricing.greeks(MODEL, STRIKES, MATURITIES, forward=100.0)
    base, step = run(MODEL, 100.0, MATURITIES), 0.005
    up, down = run(MODEL, 100.0 + step, MATURITIES), run(MODEL, 100.0 - step, MATURITIES)
    np.testing.assert_allclose(found.price, base, atol=1e-12)
    np.testing.assert_allclose(found.delta, (up - down) / (2 * step), atol=1e-6)
    np.testing.assert_allclose(found.gamma, (up - 2 * base + down) / step**2, atol=1e-6)
    later, earlier = run(MODEL, 100.0, MATURITIES + 1e-5), run(MODEL, 100.0, MATURITIES - 1e-5)
    # Prices are rounded to some 1e-14, which the difference divides by its step.
    np.testing.assert_allclose(found.theta, (earlier - later) / 2e-5, rtol=1e-6, atol=1e-9)
    moved = [run(Heston(0.04, 1.5, 0.04, 0.5 + sign * 1e-3, -0.7), 100.0, MATURITIES) for sign in (1, -1)]
    np.testing.assert_allclose(found.parameters.xi, (moved[0] - moved[1]) / 2e-3, atol=1e-4)
    np.testing.assert_allclose(found.volgas.xi, (moved[0] - 2 * base + moved[1]) / 1e-6, atol=1e-3)
    # Homogeneity: V = F dV/dF + K dV/dK, of which the strikes' slopes are AD's too.
    slopes = jax.grad(lambda k: pricing.price(MODEL, k, MATURITIES, forward=100.0)[1].sum())(STRIKES)
    np.testing.assert_allclose(base[1], 100 * found.delta[1] + STRIKES * slopes, atol=1e-10)


def test_shapes():
    one = pricing.price(MODEL, 100.0, 1.0, forward=100.0)
    assert one.shape == ()
    assert pricing.price(MODEL, STRIKES, 1.0, forward=100.0).shape == (5,)
    assert pricing.price(MODEL, 100.0, MATURITIES, forward=jnp.array([100.0, 101.0])).shape == (2,)
    table = pricing.price(MODEL, STRIKES, MATURITIES, forward=100.0)
    assert table.shape == (2, 5)
    # A strike of its own takes another contour.
    assert_close(one, table[1, 2], scale=10)
    mixed = pricing.price(MODEL, STRIKES, MATURITIES, forward=100.0, call=STRIKES > 95)
    assert_close(mixed[:, 2:], table[:, 2:])


def test_edges_of_the_domain():
    prices = pricing.price(
        MODEL, jnp.array([0.0, 90.0, jnp.nan, 110.0]), jnp.array([0.0, 1.0]), forward=100.0, discount=0.9
    )
    assert_close(prices[0], [90.0, 9.0, np.nan, 0.0])
    assert prices[1, 0] == 90.0
    assert np.isnan(prices[1, 2])

    @jax.jit
    def known_late(strikes, maturities, forward):
        return pricing.price(MODEL, strikes, maturities, forward=forward)

    found = known_late(jnp.array([-1.0, 100.0]), jnp.array([-1.0, 1.0]), 100.0)
    assert np.isnan(found).tolist() == [[True, True], [True, False]]
    assert np.isnan(known_late(jnp.array([90.0, 100.0]), jnp.array([0.5, 1.0]), -100.0)).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((STRIKES, -1.0), {}, "maturities >= 0"),
        ((-STRIKES, 1.0), {}, "strikes >= 0"),
        ((STRIKES, 1.0), {"forward": 0.0}, "forward > 0"),
        ((jnp.ones((3, 5)), MATURITIES), {}, "maturity, strike"),
        ((STRIKES, MATURITIES), {"forward": jnp.ones(3)}, "forward as a number"),
        ((STRIKES, MATURITIES), {"call": jnp.ones(4, bool)}, "call as one truth value"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        pricing.price(MODEL, *arguments, **({"forward": 100.0} | options))


def test_bad_options():
    with pytest.raises(TypeError, match="truth values"):
        pricing.price(MODEL, STRIKES, 1.0, forward=100.0, call=1)
    with pytest.raises(ValueError, match="nodes"):
        Lewis(nodes=2)
    with pytest.raises(ValueError, match="tolerance"):
        Cos(tolerance=0.0)
    with pytest.raises(ValueError, match="vol >= 0"):
        Black(-0.1)
    with pytest.raises(ValueError, match="discount >= 0"):
        pricing.price(MODEL, STRIKES, 1.0, forward=100.0, discount=-1.0)
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        pricing.price(Heston(jnp.ones(2), 1.0, 0.1, 0.1, 0.0), STRIKES, 1.0, forward=100.0)
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        pricing.greeks(Heston(jnp.ones(2), 1.0, 0.1, 0.1, 0.0), STRIKES, 1.0, forward=100.0)


def test_transforms_and_one_trace():
    traces = []

    @jax.jit
    def run(model):
        traces.append(1)
        return pricing.price(model, STRIKES, MATURITIES, forward=100.0)

    others = [Heston(0.04 + 0.01 * i, 1.5, 0.04, 0.5, -0.7) for i in range(3)]
    loop = [run(model) for model in others]
    many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *others)
    batched = jax.vmap(lambda model: pricing.price(model, STRIKES, MATURITIES, forward=100.0))(many)
    assert_close(batched, jnp.stack(loop), scale=10)
    assert len(traces) == 1
    assert_close(pricing.price(others[0], STRIKES, MATURITIES, forward=100.0), loop[0], scale=10)


def test_float32():
    single = Heston(*(jnp.float32(leaf) for leaf in jax.tree.leaves(MODEL)))
    strikes, maturities = STRIKES.astype(jnp.float32), MATURITIES.astype(jnp.float32)
    exact = pricing.price(MODEL, STRIKES, MATURITIES, forward=100.0)
    for engine in (Lewis(), Cos(tolerance=1e-6)):
        found = pricing.price(single, strikes, maturities, forward=jnp.float32(100.0), engine=engine)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, exact, atol=5e-4)
    delta = pricing.greeks(single, strikes, maturities, forward=jnp.float32(100.0)).delta
    assert delta.dtype == jnp.float32
    still = Heston(*(jnp.float32(leaf) for leaf in (0.04, 0.0, 0.04, 1e-7, -0.7)))
    found = pricing.price(still, strikes, maturities, forward=jnp.float32(100.0))
    np.testing.assert_allclose(found, pricing.price(Black(0.2), STRIKES, MATURITIES, forward=100.0), atol=5e-4)
