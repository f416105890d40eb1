"""Price impact regressions and errors of predictors: known answers, padding, and recorded books."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import io, lob
from quantjax.lob import flow
from quantjax.numerics import NeweyWest
from quantjax.numerics import ols as eager_ols
from tests.assertions import assert_close

SECOND = 10**9
# Compiled: op by op the same takes many small compilations.
ols = jax.jit(eager_ols)


def impact_series(count=2000, seed=0, slope=0.05) -> lob.BookSeries:
    """Books whose bid queue alone changes, while the mid moves by `slope` ticks for each unit of that flow, and noise.

    Prices move on the ask side far away from the flow: only one unit of size rests there, at every price.
    """
    rng = np.random.default_rng(seed)
    change = rng.integers(-5, 6, count).astype(float)
    bid_size = 1000.0 + np.cumsum(change) - change[0]
    mid = 0.01 * (slope * np.cumsum(change) + 0.1 * np.cumsum(rng.normal(size=count)))
    ask = 100.0 + 2 * mid
    column = np.ones((count, 1))
    book = lob.Book(99.0 * column, bid_size[:, None], ask[:, None], 1e-9 * column)
    times = np.sort(rng.integers(0, 200 * SECOND, count)).astype(np.int64)
    times[[0, -1]] = 0, 200 * SECOND
    return lob.BookSeries(times, book, "XYZ", 0.01)


def test_impact_is_the_regression_of_change_on_flow():
    imbalance = flow.order_flow_imbalance(impact_series(), np.arange(0, 201 * SECOND, SECOND))
    fit = flow.price_impact(imbalance)
    assert abs(fit.coefficients[0] - 0.05) < 4 * fit.std_error[0]
    later = flow.price_impact(imbalance, lead=1)
    x, y = imbalance.ofi[:-1, 0], imbalance.mid_change[1:]
    assert_close(later.r_squared, np.corrcoef(x, y)[0, 1] ** 2, scale=1e3)
    assert later.num_observations == 199


def test_by_horizon_equals_each_horizon_alone():
    series = impact_series()
    result = flow.impact_by_horizon(series, (1, 7.5, 20))
    for horizon, fit in result.contemporaneous.items():
        edges = np.arange(0, 200 * SECOND + 1, round(horizon * SECOND))
        imbalance = flow.order_flow_imbalance(series, edges)
        alone = flow.price_impact(imbalance)
        jax.tree.map(lambda a, b: assert_close(a, b, scale=1e4), fit, alone)
        jax.tree.map(
            lambda a, b: assert_close(a, b, scale=1e4),
            result.predictive[horizon],
            flow.price_impact(imbalance, lead=1),
        )
    table = result.to_pandas()
    assert table.index.tolist() == [1.0, 7.5, 20.0]
    assert (table["contemporaneous_r_squared"] > table["predictive_r_squared"]).all()


def test_a_horizon_may_be_a_scalar_or_a_text():
    series = impact_series()
    expected = flow.impact_by_horizon(series, (1.0,))
    for horizons in (1.0, np.float64(1.0), "1s", ("1s",), ["1000ms"]):
        result = flow.impact_by_horizon(series, horizons)
        assert list(result.contemporaneous) == [1.0]
        assert result.predictive[1.0].r_squared == expected.predictive[1.0].r_squared


def test_too_many_intervals_and_what_is_no_series_are_refused():
    with pytest.raises(ValueError, match="expected at most 10,000,000 intervals"):
        flow.impact_by_horizon(impact_series(), (1e-9,))

    class Stream:
        books = None

    with pytest.raises(TypeError, match=r"expected a lob.BookSeries, got Stream; stream.books\(\) gives one"):
        flow.impact_by_horizon(Stream())  # pyright: ignore[reportArgumentType]


def test_by_window_finds_the_law_of_depth():
    # beta_i = 3 / depth_i^0.8 exactly, by construction of the imbalance.
    rng = np.random.default_rng(1)
    depth = np.repeat([10.0, 20.0, 50.0, 80.0, 200.0, 400.0], 30)
    ofi = rng.normal(size=180) * depth
    change = 3 / depth**0.8 * ofi
    change[150:] *= -1  # a window whose beta is negative
    imbalance = flow.OrderFlowImbalance(
        edges_ns=np.arange(182, dtype=np.int64),
        mid=np.ones(182),
        mid_change=np.append(change, 0.0),
        ofi=np.append(ofi, 0.0)[:, None],
        depth=np.append(depth, 1.0)[:, None],
        num_events=np.full(181, 3),
        num_left_out=0,
        symbol="XYZ",
    )
    result = flow.impact_by_window(imbalance, 30)
    np.testing.assert_allclose([result.exponent, result.scale, result.scaling.r_squared], [0.8, 3.0, 1.0], rtol=1e-9)
    assert (result.scaling.num_dropped, result.num_left_out) == (1, 1)
    np.testing.assert_allclose(result.depth, [10, 20, 50, 80, 200, 400])
    np.testing.assert_allclose(result.beta[:2], 3 / np.array([10.0, 20.0]) ** 0.8)


def test_many_lengths_share_few_compilations():
    bid = 100.0 + 0.01 * np.arange(1200)[:, None] // 7
    book = lob.Book(0.01 * np.round(100 * bid), np.ones_like(bid), 0.01 * np.round(100 * bid + 1), 1 + bid % 3)
    series = lob.BookSeries(np.arange(1200) * SECOND // 10, book, "XYZ", 0.01)

    def measure(length):
        flow.price_impact(flow.order_flow_imbalance(series, np.arange(length + 1) * SECOND))
        flow.impact_by_horizon(series[: 10 * length + 1], (1, 2))
        flow.fit_stoikov_microprice(series[: 10 * length], max_spread_ticks=3)

    measure(99)
    compiled = []

    def listen(event, duration, **_):
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for length in (100, 101, 102, 103, 104):
            measure(length)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert len(compiled) == 0


def test_padding_changes_nothing():
    imbalance = flow.order_flow_imbalance(impact_series(), np.arange(0, 201 * SECOND, SECOND))
    fit = flow.price_impact(imbalance, errors=NeweyWest(3))
    expected = ols(imbalance.ofi, imbalance.mid_change, errors=NeweyWest(3))
    jax.tree.map(lambda a, b: assert_close(a, b, scale=100), fit, expected)
    assert (fit.num_observations, fit.num_dropped) == (200, 0)
    assert flow.price_impact(imbalance, lead=np.int64(1), levels=np.int32(1)).num_observations == 199


def test_future_prices():
    price = np.array([np.nan, 1.0, 1.0, 2.0, np.nan, 2.0, 3.0, np.nan, np.nan, 1.0, 1.0])
    rows = len(price)
    expected = []
    for row in range(rows):
        known = [s for s in range(rows) if not np.isnan(price[s])]
        changes = [s for k, s in enumerate(known) if s > row and k > 0 and price[s] != price[known[k - 1]]]
        expected.append(changes[0] if changes else rows)
    next_mid = jax.jit(flow.next_mid)
    assert flow.next_change(price).tolist() == jax.jit(flow.next_change)(price).tolist() == expected
    assert_close(next_mid(price), [price[k] if k < rows else np.nan for k in expected])
    assert_close(next_mid(np.array([1, np.nan, 2, 3])), [2, 2, 3, np.nan])
    assert flow.next_mid(price[:0]).shape == flow.next_change(price[:0]).shape == (0,)


def test_predictor_errors():
    rng = np.random.default_rng(2)
    mid, move, noise = rng.normal(size=(3, 2, 50))
    future, predictor = mid + move, mid + 0.5 * move + 0.1 * noise
    future[1, 3], predictor[1, 4] = np.nan, np.inf
    measure = jax.jit(flow.predictor_errors)
    errors = measure(predictor, mid, future)
    kept = np.setdiff1d(np.arange(50), [3, 4])
    own, base = (np.mean((future[1] - other[1])[kept] ** 2) for other in (predictor, mid))
    assert_close([errors.rmse[1], errors.mid_rmse[1]], np.sqrt([own, base]), scale=10)
    assert_close(errors.r_squared[1], 1 - own / base, scale=10)
    assert errors.num_dropped.tolist() == [0, 2]
    assert np.isnan(measure(np.full((2, 50), np.nan), mid, mid).rmse).all()

    @jax.jit
    @jax.grad
    def gradient(prices, future):
        errors = flow.predictor_errors(*prices, future)
        return jnp.nansum(errors.rmse + errors.mid_rmse + jnp.nan_to_num(errors.r_squared))

    assert jnp.isfinite(jnp.stack(gradient((predictor, mid), future))).all()
    # Without any error, too.
    assert not jnp.stack(gradient((mid, mid), mid)).any()


def test_bad_inputs():
    imbalance = flow.order_flow_imbalance(impact_series(), np.arange(0, 201 * SECOND, SECOND))
    with pytest.raises(ValueError, match="levels <= 1"):
        flow.price_impact(imbalance, levels=2)
    with pytest.raises(ValueError, match="lead as an integer >= 0, got -1"):
        flow.price_impact(imbalance, lead=-1)
    with pytest.raises(ValueError, match="more than 200 intervals, got 200"):
        flow.price_impact(imbalance, lead=200)
    for horizons in ((), (0, 1), (1, 1)):
        with pytest.raises(ValueError, match="positive horizons_s"):
            flow.impact_by_horizon(impact_series(), horizons)
    with pytest.raises(ValueError, match="half of the 200 s"):
        flow.impact_by_horizon(impact_series(), (1, 101))
    with pytest.raises(ValueError, match=">= 3, got 2"):
        flow.impact_by_window(imbalance, 2)
    with pytest.raises(ValueError, match="at least 201 intervals, got 200"):
        flow.impact_by_window(imbalance, 201)


def test_recorded_books_move_with_their_flow(data):
    """Amazon, 21 June 2012: deeper levels explain more, and the integrated flow more than the best level, later on."""
    path = data / "lobster" / "AMZN_2012-06-21_34200000_57600000_message_5.csv.gz"
    series = io.read_books(path, levels=5).only()
    edges = np.arange(series.time_ns[0], series.time_ns[-1], 10 * SECOND)
    imbalance = flow.order_flow_imbalance(series, edges, levels=5)
    best, all_levels = flow.price_impact(imbalance), flow.price_impact(imbalance, levels=5)
    np.testing.assert_allclose([best.r_squared, all_levels.r_squared], [0.312445, 0.598480], atol=1e-5)
    assert best.t_stat[0] > 3
    half = len(imbalance) // 2
    normalised, change = imbalance.normalised, imbalance.mid_change[half:]
    model = flow.fit_integrated_order_flow(normalised[:half])
    assert (model.weights > 0).all()
    integrated = np.asarray(model(normalised[half:]))
    assert np.corrcoef(integrated, change)[0, 1] ** 2 > 0.8 > np.corrcoef(normalised[half:, 0], change)[0, 1] ** 2
