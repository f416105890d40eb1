"""Figures of order flow, fair prices, trades and bars: the right numbers, and a sentence where there is nothing."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest
from matplotlib.figure import Figure

from quantjax import lob
from quantjax.numerics.regression import Regression
from quantjax.report import (
    FlowStudy,
    IntegratedImpact,
    candles,
    flow_numbers,
    flow_report,
    impact_by_horizon_figure,
    integrated_impact_figure,
    microprice_adjustment,
    order_flow_scatter,
    predictor_gains,
    spread_split_by_horizon,
    vpin_over_time,
)
from quantjax.report.svg import inline_svg
from tests.report.conftest import CASES, START_NS
from tests.report.test_figures import check, line


def regression(r_squared: float) -> Regression:
    scalar, vector = np.float64(0.5), np.array([0.5])
    return Regression(vector, vector, vector, scalar, scalar, scalar, np.float64(r_squared), scalar, 30, 0)  # pyright: ignore


@pytest.fixture(scope="module")
def series() -> lob.BookSeries:
    return CASES["walk"]()[:1500]


@pytest.fixture(scope="module")
def trades(series) -> lob.TradeSeries:
    rng = np.random.default_rng(3)
    rows = np.sort(rng.integers(1, len(series), 300))
    side = rng.choice(np.array([-1, 1]), 300)
    price = np.where(side > 0, series.book.ask_price[rows - 1, 0], series.book.bid_price[rows - 1, 0])
    size = rng.integers(1, 20, 300) * 0.5
    return lob.TradeSeries(series.time_ns[rows] - 1, price, size, side, series.symbol)


IMPACT = lob.ImpactByHorizon(
    {h: regression(r) for h, r in ((1.0, 0.2), (10.0, 0.6))}, {h: regression(0.01) for h in (1.0, 10.0)}
)
INTEGRATED = {
    1.0: IntegratedImpact(np.full(3, 1 / 3), 0.8, 0.3, 0.5, -0.02, -0.03, (20, 20)),
    5.0: IntegratedImpact(np.full(3, 1 / 3), 0.8, -7.0, 0.4, -0.9, 0.0, (20, 20)),
}


def test_impact_shows_both_r_squared():
    figure = impact_by_horizon_figure(IMPACT)
    np.testing.assert_allclose(line(figure, "same interval"), [[1.0, 10.0], [0.2, 0.6]])
    np.testing.assert_allclose(line(figure, "next interval")[1], 0.01)
    check([figure])


def test_integrated_impact_is_cut_off_and_says_so():
    figure = integrated_impact_figure(INTEGRATED)
    np.testing.assert_allclose(line(figure, "best level")[1], [0.3, -7.0])
    assert figure.axes[0].get_ylim()[0] == -0.5
    assert "−7" in str(figure.get_label())
    check([figure])


def test_scatter_draws_the_line_of_least_squares(series):
    edges = series.time_ns[0] + np.arange(0, 150) * 10**9
    imbalance = lob.order_flow_imbalance(series, edges)
    figure = order_flow_scatter(imbalance, 1.0)
    fit = lob.price_impact(imbalance)
    (drawn,) = [one for one in figure.axes[0].lines if str(one.get_label()).startswith("R²")]
    x, y = drawn.get_data()
    np.testing.assert_allclose((y[1] - y[0]) / (x[1] - x[0]), fit.coefficients[0], rtol=1e-9)
    check([figure])


def test_microprice_and_gains(series):
    model = lob.fit_stoikov_microprice(series, max_spread_ticks=6)
    mid = np.asarray(lob.mid(series.book))
    errors = {
        h: lob.predictor_errors(
            model(series.book), mid, lob.future_mids(series.time_ns, series, h).mid if h else lob.next_mid(mid)
        )
        for h in (0.0, 0.5, 2.0)
    }
    figure = predictor_gains({"micro-price": errors})
    np.testing.assert_allclose(line(figure, "micro-price")[1], [float(errors[h].r_squared) for h in (0.5, 2.0)])
    adjustment = microprice_adjustment(model)
    assert "weighted mid" in [one.get_label() for one in adjustment.axes[0].lines]
    check([figure, adjustment])


def test_costs_add_up_and_vpin_is_that_of_the_result(series, trades):
    costs = lob.trade_costs(trades, series, horizons_s=(1.0, 5.0))
    figure = spread_split_by_horizon(costs)
    parts = [line(figure, name)[1] for name in ("effective", "realised (kept by makers)", "impact (lost to the move)")]
    np.testing.assert_allclose(parts[0], parts[1] + parts[2])
    found = lob.vpin(trades, 50.0, window=5, lot_size=0.5)
    drawn = vpin_over_time(found)
    np.testing.assert_allclose(line(drawn, "VPIN, 5 buckets")[1], found.vpin)
    check([figure, drawn])


@pytest.mark.parametrize("kind", [lob.TimeBars("1s"), lob.TickBars(20), lob.TickBars(1)])
def test_candles(trades, kind):
    bars = lob.make_bars(trades, kind)
    figure = candles(bars, most=100)
    check([figure])
    drawn = int(min(100, (bars.count > 0).sum()))
    bodies = [patch for patch in figure.axes[0].patches if hasattr(patch, "get_height")]
    assert len(bodies) == drawn
    low, high = figure.axes[0].get_ylim()
    last = np.flatnonzero(bars.count > 0)[-drawn:]
    assert low < bars.low[last].min() <= bars.high[last].max() < high


def test_nothing_to_draw_is_a_sentence(series, trades):
    none = jax.tree.map(lambda array: array[:0], trades)
    found = lob.vpin(trades, 50.0, window=5, lot_size=0.5)
    drawn = [
        impact_by_horizon_figure(lob.ImpactByHorizon({}, {})),
        integrated_impact_figure({}),
        predictor_gains({}),
        order_flow_scatter(lob.order_flow_imbalance(series, series.time_ns[:2]), 1.0),
        spread_split_by_horizon(lob.trade_costs(trades, series, horizons_s=(1e6,))),
        vpin_over_time(eqx.tree_at(lambda one: one.vpin, found, np.full(len(found), np.nan))),
        candles(lob.make_bars(none, lob.TimeBars("1s"))),
    ]
    for figure in drawn:
        assert isinstance(figure, Figure)
        assert inline_svg(figure, "nothing").startswith("<svg ")
        assert not figure.axes[0].lines
    with pytest.raises(ValueError, match="one symbol"):
        candles(lob.make_bars([trades], lob.TimeBars("1s")))


def test_page_is_safe_and_the_same_every_time(series):
    hostile = "<script>alert(1)</script>"
    study = FlowStudy(hostile, 1, 149.9, len(series), 8, 0, (START_NS, START_NS + 10**9), 0.01, impact=IMPACT)
    page = flow_report(hostile, [study], source=hostile, counts={hostile: 3})
    assert hostile not in page
    assert page == flow_report(hostile, [study], source=hostile, counts={hostile: 3})
    assert flow_numbers(study)["impact"]["10"]["contemporaneous"]["r_squared"] == 0.6
    with pytest.raises(ValueError, match="at least one study"):
        flow_report("nothing", [])
