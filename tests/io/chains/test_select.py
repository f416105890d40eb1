"""What of a chain models are fitted to: selections, and quotes as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from quantjax import io
from tests.io.chains.files import STRIKES, Market, cboe, cboe_rows


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> io.OptionChain:
    return io.load_chain(cboe(tmp_path_factory.mktemp("select") / "spx.csv", cboe_rows(Market())))


def test_quotes_are_the_smiles(chain):
    quotes = chain.quotes()
    rows = chain.smiles
    assert quotes.vols.shape[0] == 4
    assert int(quotes.num_quotes) == len(rows)
    for i, (_, one) in enumerate(rows.groupby(["expiry", "settlement"])):
        n = len(one)
        np.testing.assert_array_equal(quotes.strikes[i, :n], one["strike"])
        np.testing.assert_array_equal(quotes.vols[i, :n], one["mid_vol"])
        np.testing.assert_array_equal(quotes.bid_vols[i, :n], one["bid_vol"])
        assert np.isnan(quotes.vols[i, n:]).all()
        assert float(quotes.maturities[i]) == one["maturity"].iloc[0]
        assert float(quotes.forward[i]) == one["forward"].iloc[0]
    np.testing.assert_array_equal(np.asarray(quotes.calls)[np.isfinite(quotes.vols)], rows["call"])
    half = (rows["ask_vol"] - rows["bid_vol"]) / 2
    np.testing.assert_allclose(np.asarray(quotes.weights)[np.isfinite(quotes.vols)], 1 / np.maximum(half, 1e-3))


def test_selections(chain):
    everything = chain.select()
    near = chain.select(max_deviations=1.0)
    atm = near.merge(chain.expiries[["expiry", "settlement", "atm_vol"]], on=["expiry", "settlement"])
    assert (near["log_moneyness"].abs() <= atm["atm_vol"] * np.sqrt(near["maturity"])).all()
    assert 0 < len(near) < len(everything)
    assert chain.select(settlement="AM")["settlement"].eq("AM").all()
    assert chain.select(min_maturity=0.1, max_maturity=0.3)["maturity"].nunique() == 2
    tight = chain.select(max_relative_spread=0.05)
    assert ((tight["ask"] - tight["bid"]) <= 0.05 * tight["mid"]).all()
    few = chain.select(max_strikes=5)
    assert few.groupby(["expiry", "settlement"]).size().max() == 5
    last = few[few["maturity"] == few["maturity"].max()]["strike"]
    assert (last.min(), last.max()) == (min(STRIKES), max(STRIKES))
    assert chain.select(min_strikes=len(STRIKES))["maturity"].nunique() < 4
    with pytest.raises(ValueError, match="selection keeps, got none"):
        chain.select(min_maturity=5.0)
    with pytest.raises(ValueError, match="max_strikes"):
        chain.select(max_strikes=0)
