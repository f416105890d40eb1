"""The figures show the right numbers, and are drawn without a warning whatever the books."""

from __future__ import annotations

import sys

import jax
import matplotlib
import numpy as np
import pytest
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from quantjax import lob
from quantjax.report import (
    average_book_shape,
    band_depth_over_time,
    cost_to_fill,
    depth_heatmap,
    imbalances,
    microprice_against_next_move,
    mid_and_microprice,
    spread_over_time,
)
from quantjax.report.grid import depth_grid, offsets
from quantjax.report.imbalance import next_mid_change_bps
from quantjax.report.svg import inline_svg
from quantjax.report.thinning import bin_times
from tests.lob.books import TICK, as_lists
from tests.report.conftest import BOOKS, TIMES

OF_ANALYSIS = (
    mid_and_microprice,
    spread_over_time,
    imbalances,
    band_depth_over_time,
    microprice_against_next_move,
)
OF_SERIES = (depth_heatmap, average_book_shape, cost_to_fill)


def line(figure: Figure, label: str) -> np.ndarray:
    """x and y of the line with this label, `[2, point]`."""
    (found,) = [line for axes in figure.axes for line in axes.lines if line.get_label() == label]
    return np.asarray(found.get_data(orig=False), float)


@pytest.mark.parametrize("case", BOOKS)
def test_every_figure_of_unusual_books(report, case):
    drawn = [draw(report(case).series) for draw in OF_SERIES]
    if report(case).analysis is not None:
        drawn += [draw(report(case).analysis) for draw in OF_ANALYSIS]
    check(drawn)


@pytest.mark.parametrize("case", TIMES)
def test_figures_of_unusual_times(report, case):
    check([mid_and_microprice(report(case).analysis), depth_heatmap(report(case).series)])


def check(drawn: list[Figure]) -> None:
    """Each can be rendered and says what it shows."""
    for index, figure in enumerate(drawn):
        assert isinstance(figure, Figure)
        assert len(str(figure.get_label())) > 20
        assert inline_svg(figure, f"figure-{index}").startswith("<svg ")


@pytest.mark.parametrize("draw", [*OF_ANALYSIS, *OF_SERIES])
def test_axes_are_labelled_and_time_is_utc(report, draw):
    figure = draw(report("walk").series if draw in OF_SERIES else report("walk").analysis)
    assert all(axes.get_ylabel() or axes.get_title(loc="left") == "share" for axes in figure.axes)
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert any(label.startswith(("UTC, 2012-06-21", "distance", "notional", "microprice")) for label in labels)
    assert 1 < len(figure.axes[-1].get_xticks() if labels[-1] else figure.axes[0].get_xticks()) < 14


def test_thinned_line_is_the_mean_and_its_band_keeps_the_extremes(report):
    analysis = report("walk").analysis
    figure = mid_and_microprice(analysis, bins=50)
    x, y = line(figure, "mid")
    width = -(-(int(np.ptp(analysis.time_ns)) + 1) // 50)
    index = (analysis.time_ns - analysis.time_ns[0]) // width
    expected = [analysis.mid[index == i].mean() for i in range(50)]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    middle = (analysis.time_ns[0] + np.arange(50) * width + width // 2).astype("datetime64[ns]")
    np.testing.assert_allclose(x, date2num(middle), rtol=1e-12)
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == analysis.mid.max()
    assert band.min() == analysis.mid.min()
    assert "put together in bins of" in figure.get_label()


def test_short_series_is_drawn_book_by_book(report):
    analysis = report("nanoseconds apart").analysis
    figure = mid_and_microprice(analysis)
    np.testing.assert_array_equal(line(figure, "mid")[1], analysis.mid)
    assert "Every book is drawn" in figure.get_label()


def test_line_breaks_in_a_long_gap(report):
    figure = mid_and_microprice(report("long gap").analysis)
    assert np.count_nonzero(np.isnan(line(figure, "mid")[1])) == 1
    assert "line breaks" in figure.get_label()


def test_spread_says_what_lies_beyond_the_axis(report):
    analysis = report("walk").analysis
    spread = np.array(analysis.spread_bps)
    spread[17] = 500.0
    figure = spread_over_time(jax.tree.map(lambda a: spread if a is analysis.spread_bps else a, analysis))
    assert figure.axes[0].get_ylim()[1] < 500
    assert "500 bps" in figure.get_label()
    assert f"median {np.median(spread):.3g}" in figure.axes[0].get_title(loc="left")


def test_cost_curve_is_the_median_over_all_books(report):
    series = report("random").series
    notionals = [200.0, 3_000.0, 20_000.0]
    figure = cost_to_fill(series, notionals, most=10**6)
    for side, label in ((+1, "buy (takes asks)"), (-1, "sell (takes bids)")):
        medians = []
        for notional in notionals:
            costs = [cost(series.book, row, notional, side) for row in range(len(series))]
            known = np.sort([value for value in costs if value is not None])
            medians.append(known[int(np.ceil(0.5 * len(known))) - 1])
        expected = np.where(np.isfinite(medians), medians, np.nan)
        np.testing.assert_allclose(line(figure, label)[1], expected, rtol=1e-9, atol=1e-9)


def cost(book: lob.Book, row: int, notional: float, side: int) -> float | None:
    """Impact in bps of walking one book; infinite where it does not hold the notional, None without a mid."""
    bids, asks = as_lists(book, row)
    if not (bids and asks):
        return None
    mid, left, quantity = 0.5 * (bids[0][0] + asks[0][0]), notional, 0.0
    for price, size in asks if side == 1 else bids:
        taken = min(size, left / price)
        left, quantity = left - taken * price, quantity + taken
    return side * 1e4 * (notional / quantity / mid - 1) if left < 1e-9 * notional else np.inf


def test_heatmap_bins_hold_the_mean_sizes(report):
    series = report("random").series[:400]
    levels = offsets(series)
    assert levels is not None
    assert levels.unit == "ticks"
    times = bin_times(np.asarray(series.time_ns)[levels.rows], 20)
    grid = depth_grid(levels, times, bins=1000, reach=levels.reach(1.0))
    assert grid.bid.shape == (20, len(grid.edges) - 1)
    expected = np.zeros_like(grid.bid), np.zeros_like(grid.ask)
    for bin_number in range(20):
        stop = (*times.starts, len(times.order))[bin_number + 1]
        rows = levels.rows[times.order[times.starts[bin_number] : stop]]
        for row in rows:
            sides = as_lists(series.book, row)
            mid = 0.5 * (sides[0][0][0] + sides[1][0][0])
            for side, total in zip(sides, expected, strict=True):
                for price, size in side:
                    total[bin_number, round(2 * abs(price - mid) / TICK) // 2] += size / len(rows)
    np.testing.assert_allclose(grid.bid, expected[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grid.ask, expected[1], rtol=1e-12, atol=1e-12)


def test_heatmap_colours_grow_with_size(report):
    figure = depth_heatmap(report("walk").series, bins=60)
    asks, bids = (image.get_array() for image in figure.axes[0].images)
    assert asks.shape[1:] == bids.shape[1:] == (60, 4)
    assert tuple(asks[0, 0, :3]) != tuple(bids[0, 0, :3])
    assert asks[..., 3].max() > 200
    bottom, top = figure.axes[0].get_ylim()
    assert bottom == -top


def test_distances_are_in_basis_points_where_ticks_are_many(report):
    series = report("walk").series
    fine = lob.BookSeries(series.time_ns, series.book, "XYZ", TICK / 1000)
    levels = offsets(fine)
    assert levels is not None
    assert levels.unit == "bps"
    mid = 0.5 * (series.book.bid_price[:, 0] + series.book.ask_price[:, 0])
    np.testing.assert_allclose(levels.ask, 1e4 * (series.book.ask_price - mid[:, None]) / mid[:, None], rtol=1e-6)


def test_average_shape_is_the_mean_cumulative_size(report):
    series = report("walk").series
    x, y = line(average_book_shape(series, points=30), "ask")
    mid = 0.5 * (series.book.bid_price[:, :1] + series.book.ask_price[:, :1])
    ticks = np.round((series.book.ask_price - mid) / TICK)
    for distance, depth in zip(x, y, strict=True):
        expected = np.where(ticks <= distance + 1e-6, series.book.ask_size, 0.0).sum(1).mean()
        assert depth == pytest.approx(expected, rel=1e-9)


def test_next_mid_change_is_the_first_other_mid():
    mid = np.array([100.0, 100.0, np.nan, 100.0, 101.0, 101.0, 100.0, 100.0])
    change = next_mid_change_bps(np.arange(8), mid)
    up, down = 1e4 * (101 / 100 - 1), 1e4 * (100 / 101 - 1)
    np.testing.assert_allclose(change, [up, up, np.nan, up, down, down, np.nan, np.nan])
    backwards = next_mid_change_bps(np.arange(8)[::-1], mid[::-1])
    np.testing.assert_allclose(backwards[::-1], change)


def test_band_depth_mirrors_the_sides(report):
    analysis = report("walk").analysis
    figure = band_depth_over_time(analysis, bins=10)
    areas = {area.get_label(): area.get_paths()[0].vertices[:, 1] for area in figure.axes[0].collections}
    assert set(areas) == {"ask 2 bps", "ask 10 bps", "bid 2 bps", "bid 10 bps"}
    index = (analysis.time_ns - analysis.time_ns[0]) // -(-(int(np.ptp(analysis.time_ns)) + 1) // 10)
    means = [analysis.ask_depth_quote[10.0][index == i].mean() for i in range(10)]
    assert areas["ask 10 bps"].max() == pytest.approx(max(means), rel=1e-12)
    assert areas["bid 10 bps"].max() == 0.0


def test_notionals_that_are_not_positive_are_refused(report):
    with pytest.raises(ValueError, match="expected notionals > 0"):
        cost_to_fill(report("walk").series, [100.0, 0.0])


def test_the_callers_style_neither_changes_nor_shines_through(report):
    analysis = report("walk").analysis
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30.0}):
        before = dict(matplotlib.rcParams)
        figure = spread_over_time(analysis)
        inline_svg(figure, "figure")
        assert dict(matplotlib.rcParams) == before
    assert figure.axes[0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_missing_matplotlib_is_named(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install quantjax\[plots\]"):
        mid_and_microprice(report("walk").analysis)
