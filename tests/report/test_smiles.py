"""Smiles and residuals: the right numbers are drawn, and a sentence where there is nothing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from quantjax import pricing
from quantjax.report import error_by_maturity, residuals, smiles
from quantjax.report.smiles import maturity_names
from tests.report.test_figures import check, line

K = np.linspace(-0.3, 0.3, 9)
MATURITIES = np.array([1 / 365, 0.1, 0.5, 1.0])


SLICES = pricing.Svi(0.01 * MATURITIES, 0.1 * MATURITIES, np.full(4, -0.5), np.full(4, 0.05), np.full(4, 0.2))


@pytest.fixture(scope="module")
def quotes() -> pricing.OptionQuotes:
    vols = np.array(jax.vmap(pricing.Svi.implied_vol, (0, None, 0))(SLICES, K, MATURITIES))
    vols[1, 5:] = np.nan
    vols[2, 2] = np.nan
    strikes = 100 * np.exp(np.broadcast_to(K, vols.shape))
    return pricing.OptionQuotes.from_vols(
        strikes, MATURITIES, vols, forward=100.0, bid_vols=vols - 0.01, ask_vols=vols + 0.02
    )


@pytest.fixture(scope="module")
def svi() -> pricing.SviFit:
    """As a perfect fit would be."""
    four = np.zeros(4)
    return pricing.SviFit(SLICES, SLICES, four, four, four, four, four, four == 0)  # pyright: ignore


def test_smiles_draw_quotes_fits_and_svi(quotes, svi):
    fit = np.asarray(quotes.vols) + 0.005
    figure = smiles(quotes, {"model": fit}, svi=svi, names=["a", "b", "c", "d"])
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == ["a", "b", "c", "d"]
    axes = figure.axes[2]
    (model,) = [one for one in axes.lines if one.get_label() == "model"]
    x, y = model.get_data()
    here = np.arange(9) != 2
    np.testing.assert_allclose(x, K[here])
    np.testing.assert_allclose(y, 100 * fit[2][here])
    (bars,) = axes.collections
    np.testing.assert_allclose(bars.get_paths()[0].vertices[:, 1] + [1.0, -2.0], [100 * quotes.vols[2, 0]] * 2)
    (dotted,) = [one for one in axes.lines if one.get_label() == "SVI"]
    at, curve = dotted.get_data()
    found = np.interp(K[here], at, curve)
    np.testing.assert_allclose(found, 100 * np.asarray(quotes.vols)[2][here], atol=0.02)
    few = smiles(quotes, most=2)
    assert "2 of 4 expiries" in str(few.get_label())
    check([figure, few])


def test_maturities_in_words(quotes):
    assert maturity_names(quotes) == ["1 d 0 h", "36.5 days", "182.5 days", "365 days"]


def test_errors_by_maturity_and_over_strikes(quotes):
    errors = np.where(np.isfinite(quotes.vols), np.array([1.0, -2.0, 0.5, 0.0])[:, None], np.nan)
    figure = error_by_maturity(quotes, {"Heston": errors, "SVI": errors / 2})
    np.testing.assert_allclose(line(figure, "Heston"), [365 * MATURITIES, [1.0, 2.0, 0.5, 0.0]])
    np.testing.assert_allclose(line(figure, "half the bid-ask spread")[1], 1.5)
    scatter = residuals(quotes, errors)
    points = np.asarray(scatter.axes[0].collections[0].get_offsets())
    assert len(points) == int(quotes.num_quotes)
    np.testing.assert_allclose(sorted(set(points[:, 1])), [-2.0, 0.0, 0.5, 1.0])
    last = points[-9:]
    np.testing.assert_allclose(last[:, 0], K / float(quotes.vols[3, 4]))
    check([figure, scatter])


def test_nothing_to_draw_is_a_sentence(quotes):
    none = np.full_like(np.asarray(quotes.vols), np.nan)
    empty = jax.tree.map(lambda leaf: leaf, quotes)
    object.__setattr__(empty, "vols", none)
    drawn = [smiles(empty), error_by_maturity(quotes, {"Heston": none}), residuals(quotes, none)]
    check(drawn)
    assert all(not figure.axes[0].lines for figure in drawn)
