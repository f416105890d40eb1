"""Calibration: Heston's parameters found again, and all options on a model whose answers are regressions."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix
import pytest

from quantjax.pricing import (
    CalibrationReason,
    Heston,
    LevenbergMarquardt,
    Lewis,
    MonteCarlo,
    Optax,
    OptionQuotes,
    black_price,
    calibrate,
    initial_heston,
    price,
    stack_quotes,
)
from tests.assertions import assert_close
from tests.pricing.calibration.surfaces import draw_models, exact_quotes, parameter_errors

# Cui, del Bano Rollin & Germano (2017), section 5: 40 options, their strikes `[maturity, strike]`.
CUI_STRIKES = np.array(
    [
        [0.9371, 0.8603, 0.8112, 0.7760, 0.7470, 0.7216, 0.6699, 0.6137],
        [0.9956, 0.9868, 0.9728, 0.9588, 0.9464, 0.9358, 0.9175, 0.9025],
        [1.0427, 1.0463, 1.0499, 1.0530, 1.0562, 1.0593, 1.0663, 1.0766],
        [1.2287, 1.2399, 1.2485, 1.2659, 1.2646, 1.2715, 1.2859, 1.3046],
        [1.3939, 1.4102, 1.4291, 1.4456, 1.4603, 1.4736, 1.5005, 1.5328],
    ]
).T
CUI_MATURITIES = np.array([30, 60, 90, 120, 150, 180, 270, 360]) / 252
CUI_TRUTH = Heston(v0=0.08, kappa=3.0, theta=0.1, xi=0.25, rho=-0.8)
CUI_START = Heston(v0=0.2, kappa=1.2, theta=0.2, xi=0.3, rho=-0.6)


class Line(eqx.Module):
    """Vols that are a line in log-moneyness: least squares for it is a regression."""

    level: jax.Array = eqx.field(converter=jnp.asarray)
    slope: jax.Array = eqx.field(converter=jnp.asarray)

    def parameter_bounds(self):
        return {"level": (0.0, 2.0), "slope": (-1.0, 1.0)}


class LineEngine(eqx.Module):
    def normalised_price(self, model, log_moneyness, maturities, call):
        vols = model.level + model.slope * log_moneyness
        return black_price(1.0, jnp.exp(log_moneyness), maturities[:, None], vols, 1.0, call)


class AccountableEngine(LineEngine):
    """One that tells an error, in forwards, the same for every price."""

    error: jax.Array = eqx.field(converter=jnp.asarray)

    def normalised_error(self, model, log_moneyness, maturities, call):
        return jnp.broadcast_to(self.error, log_moneyness.shape)


START = Line(0.3, 0.1)
STRIKES, YEARS = np.array([80.0, 95.0, 100.0, 110.0, 130.0]), np.array([0.5, 1.0])


def line_quotes(noise: float = 0.0, **options) -> OptionQuotes:
    k = np.log(STRIKES / 100)
    vols = 0.2 - 0.15 * k + noise * np.random.default_rng(0).normal(size=(2, 5))
    vols[1, 4] = np.nan
    return OptionQuotes.from_vols(STRIKES, YEARS, vols, forward=100.0, **options)


@jax.jit
def fit_plainly(start, quotes):
    return calibrate(start, quotes, engine=LineEngine())


def fit(start=START, quotes=None, **options):
    quotes = line_quotes(0.01) if quotes is None else quotes
    if not options:
        return fit_plainly(start, quotes)
    return jax.jit(lambda start, quotes: calibrate(start, quotes, engine=LineEngine(), **options))(start, quotes)


def regression(quotes: OptionQuotes, extra_rows=(), extra_values=()):
    """Weighted least squares by numpy: coefficients, their covariance, residuals."""
    known = np.isfinite(np.asarray(quotes.vols)) & (np.asarray(quotes.weights) > 0)
    k, vols, weights = (np.asarray(array)[known] for array in (quotes.log_moneyness, quotes.vols, quotes.weights))
    design = np.concatenate([np.stack([weights, weights * k], 1), np.array(extra_rows).reshape(-1, 2)])
    values = np.concatenate([weights * vols, np.array(extra_values)])
    solution, cost = np.linalg.lstsq(design, values, rcond=None)[:2]
    variance = max(cost[0] / (len(values) - 2), 1.0)  # the weights are reciprocals of errors
    return solution, variance * np.linalg.inv(design.T @ design), cost[0]


def cui_quotes() -> OptionQuotes:
    forward, discount = np.exp(0.02 * CUI_MATURITIES), np.exp(-0.02 * CUI_MATURITIES)
    prices = price(CUI_TRUTH, CUI_STRIKES, CUI_MATURITIES, forward=forward, discount=discount)
    assert_close(prices[0, 0], 0.08033144682413755, what="option #0 by mpmath, 30 digits")
    assert_close(prices[-1, -1], 0.023221614385136615, what="option #39 by mpmath, 30 digits")
    return OptionQuotes.from_prices(CUI_STRIKES, CUI_MATURITIES, prices, forward=forward, discount=discount)


def test_cui_2017_and_random_models_from_random_starts():
    """And the seeded part of the study `test_recovery_study`."""
    one = jax.tree.map(lambda leaf: leaf[None], (CUI_TRUTH, CUI_START, cui_quotes()))
    models, others = draw_models(jax.random.key(5), 3), draw_models(jax.random.key(6), 3)
    several = models, others, jax.jit(jax.vmap(lambda model: exact_quotes(model, CUI_MATURITIES, 5)))(models)
    truth, starts, quotes = jax.tree.map(lambda first, rest: jnp.concatenate([first, rest]), one, several)
    batch = jax.jit(jax.vmap(lambda start, quotes: calibrate(start, quotes, engine=Lewis(64))))
    found = batch(starts, quotes)
    assert found.converged.all()
    assert parameter_errors(found.model, truth).max() < 1e-6
    assert int(found.num_steps[0]) < 20
    result = jax.tree.map(lambda leaf: leaf[0], found)
    assert float(result.max_error) < 1e-6
    assert "converged" in result.summary
    assert "kappa" in result.summary
    assert len(result.to_pandas()) == 40


def test_it_is_the_weighted_regression():
    spread = np.linspace(0.002, 0.02, 10).reshape(2, 5)
    quotes = line_quotes(0.01)
    quotes = line_quotes(0.01, bid_vols=quotes.vols - spread, ask_vols=quotes.vols + spread)
    found = fit(quotes=quotes)
    solution, covariance, cost = regression(quotes)
    np.testing.assert_allclose([found.model.level, found.model.slope], solution, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5)
    np.testing.assert_allclose(found.std_error["slope"], np.sqrt(covariance[1, 1]), rtol=1e-5)
    np.testing.assert_allclose(found.cost, cost, rtol=1e-9)
    k = np.asarray(quotes.log_moneyness)
    errors = 100 * (solution[0] + solution[1] * k - np.asarray(quotes.vols))
    np.testing.assert_allclose(found.errors, errors, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.rmse, np.sqrt(np.nanmean(errors**2)), rtol=1e-7)
    np.testing.assert_allclose(found.max_error, np.nanmax(np.abs(errors)), rtol=1e-7)
    jacobian = np.where(np.isfinite(errors)[..., None], np.stack([np.ones_like(k), k], -1), np.nan)
    np.testing.assert_allclose(found.jacobian, jacobian, rtol=1e-8)
    norm = np.asarray(quotes.weights)[..., None] * np.nan_to_num(jacobian)
    norm = norm.reshape(-1, 2) / np.sqrt((norm**2).sum((0, 1)))
    np.testing.assert_allclose(found.condition_number, np.linalg.cond(norm), rtol=1e-7)


@pytest.mark.parametrize(
    "method",
    [Optax(optax.adam(0.05), max_steps=2000), optimistix.LevenbergMarquardt(rtol=1e-10, atol=1e-10)],
    ids=["adam", "optimistix"],
)
def test_other_methods_find_the_same(method):
    found = fit(method=method)
    assert bool(found.converged), found.message
    np.testing.assert_allclose([found.model.level, found.model.slope], regression(line_quotes(0.01))[0], rtol=1e-3)


def test_priors_are_rows_and_fixed_parameters_stay():
    quotes = line_quotes(0.01)
    found = fit(priors={"slope": (0.3, 0.05)})
    solution, covariance, _ = regression(quotes, [[0.0, 1 / 0.05]], [0.3 / 0.05])
    # The cost is within 1e-10 of its least, so the parameters are within 1e-4 standard errors.
    error = np.array([found.model.level, found.model.slope]) - solution
    assert np.abs(error / np.sqrt(np.diag(covariance))).max() < 1e-4
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-4)
    found = fit(Line(0.4, -0.15), line_quotes(), fixed=("slope",))
    assert found.parameters == ("level",)
    assert float(found.model.slope) == -0.15
    np.testing.assert_allclose(found.model.level, 0.2, rtol=1e-9)


def test_many_starts(key):
    found = fit(starts=4, key=key)
    alone = fit()
    assert found.starts.cost.shape == (4,)
    assert float(found.cost) == float(found.starts.cost.min())
    assert int(found.start) == int(found.starts.cost.argmin())
    np.testing.assert_allclose(found.starts.models.level, alone.model.level, rtol=1e-6)
    assert (found.starts.reason == CalibrationReason.CONVERGED).all()


def test_batch_is_the_loop_and_jit_is_eager():
    surfaces = [line_quotes(0.01), line_quotes(0.02)]
    starts = Line(jnp.array([0.3, 0.2]), jnp.array([0.1, -0.2]))
    batch = jax.jit(jax.vmap(lambda start, quotes: calibrate(start, quotes, engine=LineEngine())))
    together = batch(starts, stack_quotes(surfaces))
    for number, quotes in enumerate(surfaces):
        start = jax.tree.map(lambda leaf, number=number: leaf[number], starts)
        alone = calibrate(start, quotes, engine=LineEngine()) if number == 0 else fit(start, quotes)
        np.testing.assert_allclose(together.model.level[number], alone.model.level, rtol=1e-9)
        np.testing.assert_allclose(together.rmse[number], alone.rmse, atol=1e-9)
        assert int(together.quotes.num_quotes[number]) == int(quotes.num_quotes)
    assert bool(together.converged.all())
    assert int(batch._cache_size()) == 1


def reason(found) -> CalibrationReason:
    assert not bool(found.converged)
    return CalibrationReason(int(found.reason))


def test_what_cannot_be_fitted_says_so():
    k, nothing = np.log(STRIKES / 100), np.full((2, 5), np.nan)

    def quotes(vols):
        return OptionQuotes.from_vols(STRIKES, YEARS, vols, forward=100.0)

    found = fit(quotes=quotes(np.tile(0.5 - 1.2 * k, (2, 1))))
    assert reason(found) == CalibrationReason.AT_BOUND
    assert "slope" in found.message
    np.testing.assert_allclose(found.model.slope, -1.0, atol=1e-5)

    single = nothing.copy()
    single[0, 3] = 0.2
    found = fit(quotes=quotes(single))
    assert reason(found) == CalibrationReason.TOO_FEW_QUOTES
    assert np.isnan(found.covariance).all()

    at_the_money = np.where(k == 0, [[0.2], [0.3]], np.nan)
    found = fit(quotes=quotes(at_the_money))
    assert reason(found) == CalibrationReason.SINGULAR
    assert "tell the parameters apart" in found.message
    assert "nan" in found.summary

    assert reason(fit(method=LevenbergMarquardt(max_steps=2))) == CalibrationReason.MAX_STEPS


def test_an_engine_too_coarse_for_the_fit_is_told():
    """Its error in vol points is small below 1e-4, or a tenth of the rmse."""
    batch = jax.jit(jax.vmap(lambda error, quotes: calibrate(START, quotes, engine=AccountableEngine(error))))
    noisy, exact = line_quotes(0.01), line_quotes()
    least_vega = float(np.nanmin(_vega(exact)))
    vol_points = np.array([0.02, 1.0, 1e-5, 1e-3, np.nan])
    found = batch(0.01 * vol_points * least_vega, stack_quotes([noisy, noisy, exact, exact, exact]))
    assert [CalibrationReason(number).name for number in found.reason.tolist()] == [
        *("CONVERGED", "ENGINE_ERROR") * 2,
        "ENGINE_ERROR",  # what is no number is no small one
    ]
    assert found.converged.tolist() == [True, False, True, False, False]
    np.testing.assert_allclose(found.engine_error[2:4], vol_points[2:4], rtol=1e-6)
    one = jax.tree.map(lambda leaf: leaf[3], found)
    assert "more nodes" in one.message
    assert "engine off by 0.001 vol points at most" in one.summary
    assert np.isnan(fit().engine_error)
    assert "engine" not in fit().summary


def _vega(quotes: OptionQuotes) -> np.ndarray:
    """In forwards, by a difference."""
    k, maturity = quotes.log_moneyness, quotes.maturities[:, None]
    up, down = (black_price(1.0, jnp.exp(k), maturity, quotes.vols + step, 1.0) for step in (1e-5, -1e-5))
    return np.asarray(up - down) / 2e-5


@pytest.mark.parametrize("engine", [MonteCarlo(), Lewis, "Lewis"])
def test_engines_that_draw_or_are_none(engine):
    with pytest.raises(TypeError, match="expected an engine"):
        calibrate(START, line_quotes(0.01), engine=engine)


def test_few_nodes_are_told():
    """The solver may come to an end or stall."""
    truth = Heston(v0=0.01, kappa=0.5, theta=0.02, xi=1.0, rho=-0.9)
    found = calibrate(truth, exact_quotes(truth, (1 / 12, 1.0), 5), engine=Lewis(nodes=16))
    assert reason(found) == CalibrationReason.ENGINE_ERROR
    assert float(found.engine_error) > float(found.rmse) / 10


def test_quotes_without_a_vol_of_the_model_are_counted():
    class Worthless(LineEngine):
        """No price above a strike of 125."""

        def normalised_price(self, model, log_moneyness, maturities, call):
            price = super().normalised_price(model, log_moneyness, maturities, call)
            return jnp.where(log_moneyness > np.log(1.25), -1e-9, price)

    found = calibrate(START, line_quotes(0.01), engine=Worthless())
    assert int(found.num_without_vol) == 1  # the other of that strike is no quote
    assert np.isnan(found.errors[0, 4])
    assert int(np.isfinite(found.errors).sum()) == 8
    assert "quotes without a vol of the model, not in the error: 1" in found.summary
    assert found.to_pandas()["error"].isna().sum() == 1
    table = found.by_maturity()
    assert table["num_quotes"].tolist() == [5, 4]
    assert table["num_without_vol"].tolist() == [1, 0]
    np.testing.assert_allclose(table["rmse"], np.sqrt(np.nanmean(np.square(found.errors), axis=1)))
    np.testing.assert_allclose(table["max_error"].max(), found.max_error)
    assert table["half_spread"].isna().all()
    assert int(fit().num_without_vol) == 0
    assert "without a vol" not in fit().summary


def test_the_start_of_heston_is_near_the_quotes():
    k = np.log(STRIKES / 100)
    vols = np.stack([0.2 - 0.1 * k, 0.3 - 0.1 * k, np.full(5, np.nan)])
    quotes = OptionQuotes.from_vols(STRIKES, [0.5, 1.0, 2.0], vols, forward=100.0)
    start = initial_heston(quotes)
    np.testing.assert_allclose([start.v0, start.theta, start.rho], [0.04, 0.09, -0.4])
    shifted = eqx.tree_at(lambda quotes: quotes.vols, quotes, 50 * quotes.vols)
    one = OptionQuotes.from_vols([100.0], [1.0], [[0.2]], forward=100.0)
    for other in (shifted, one, quotes):
        bounds = initial_heston(other).parameter_bounds()
        assert all(low < float(getattr(initial_heston(other), name)) < high for name, (low, high) in bounds.items())
    starts = jax.vmap(initial_heston)(stack_quotes([quotes, one]))
    np.testing.assert_allclose(starts.v0, [0.04, 0.04])
    np.testing.assert_allclose(starts.rho, [-0.4, 0.0], atol=1e-12)
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        initial_heston(stack_quotes([quotes]))


def test_bad_arguments_are_refused():
    quotes = line_quotes()
    nothing = eqx.tree_at(lambda quotes: quotes.vols, quotes, jnp.full_like(quotes.vols, jnp.nan))
    weightless = eqx.tree_at(lambda quotes: quotes.weights, quotes, jnp.zeros_like(quotes.weights))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == jnp.float64 else leaf, quotes)
    heston = Heston(0.04, 1.0, 0.04, 0.5, -0.5)
    cases = [
        (ValueError, "all NaN", (heston, nothing), {}),
        (ValueError, "weight > 0", (heston, weightless), {}),
        (ValueError, "jax_enable_x64", (heston, single), {}),
        (ValueError, "jax.vmap", (heston, stack_quotes([quotes])), {}),
        (ValueError, "jax_enable_x64", (Heston(*(jnp.float32(x) for x in (0.04, 1, 0.04, 0.5, -0.5))), quotes), {}),
        (ValueError, "0.0 < xi", (Heston(0.04, 1.0, 0.04, 0.0, -0.5), quotes), {}),
        (ValueError, "as a scalar", (draw_models(jax.random.key(0), 2), quotes), {}),
        (ValueError, "sigma", (heston, quotes), {"fixed": ("sigma",)}),
        (ValueError, "free", (START, quotes), {"fixed": ("level", "slope")}),
        (TypeError, "sequence of names", (heston, quotes), {"fixed": "xi"}),
        (ValueError, "priors for free", (heston, quotes), {"priors": {"xi": (1.0, 1.0)}, "fixed": ("xi",)}),
        (ValueError, "deviation > 0", (heston, quotes), {"priors": {"xi": (1.0, 0.0)}}),
        (ValueError, "a key", (heston, quotes), {"starts": 3}),
        (ValueError, "starts", (heston, quotes), {"starts": 0}),
        (TypeError, "parameter_bounds", (quotes, quotes), {}),
        (TypeError, "LevenbergMarquardt", (heston, quotes), {"method": "lm"}),
    ]
    for error, match, arguments, options in cases:
        with pytest.raises(error, match=match):
            calibrate(*arguments, **options)


def test_a_flat_smile_tells_nothing_of_the_smile():
    """Every vol 20 %: the fit is perfect, and the parameters of the skew may be anything."""
    flat = OptionQuotes.from_vols([90.0, 100.0, 110.0], [0.5, 1.0], np.full((2, 3), 0.2), forward=100.0)
    found = calibrate(Heston(0.05, 1.0, 0.05, 0.3, -0.3), flat)
    assert found.rmse < 0.1
    assert not bool(found.converged)
    assert reason(found) in (CalibrationReason.SINGULAR, CalibrationReason.AT_BOUND)


def test_repeated_calls_compile_once():
    quotes = line_quotes()
    traces = []

    class Counting(LineEngine):
        def normalised_price(self, *arguments):
            traces.append(1)
            return super().normalised_price(*arguments)

    engine = Counting()
    calibrate(Line(0.4, -0.15), quotes, engine=engine)
    first = len(traces)
    calibrate(Line(0.3, -0.1), quotes, engine=engine)
    assert len(traces) == first > 0
