"""Recorded chains: forwards near the spot, small parity errors, volatilities as the vendors print them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantjax import io

FILES = io.datasets.DATASETS


@pytest.fixture(scope="module")
def spx(data) -> io.OptionChain:
    return io.load_chain(data / FILES["cboe-spx-2019"])


@pytest.fixture(scope="module")
def bitcoin(data) -> io.OptionChain:
    return io.load_chain(data / FILES["deribit-btc-20260422"])


def check(chain: io.OptionChain) -> None:
    """What holds of every chain."""
    assert list(chain.table.columns) == list(io.CHAIN_COLUMNS)
    assert sum(chain.report.values()) == len(chain)
    assert set(chain.report) - {"used"} <= set(io.CHAIN_REASONS)
    used = chain.table[chain.table["used"]]
    assert (used["bid"] > 0).all()
    assert (used["ask"] >= used["bid"]).all()
    assert used["mid_vol"].between(0.01, 10).all()
    assert (used["maturity"] > 0).all()
    known = chain.expiries[chain.expiries["forward"].notna()]
    assert (np.diff(known["maturity"]) > 0).all()
    assert chain.arbitrage().empty  # none of the recordings has a quote to trade against others at the touch


def test_spx_of_2019(spx):
    check(spx)
    assert spx.counts == {"rows_read": 6_751, "rows": 13_502}
    assert spx.report == {"used": 11_718, "no_bid": 975, "outside_bounds": 760, "wide": 49}
    assert spx.as_of == pd.Timestamp("2019-04-09 11:09", tz="America/New_York")
    expiries = spx.expiries
    assert len(expiries) == 40
    assert expiries["settlement"].value_counts().to_dict() == {"PM": 28, "AM": 12}
    day = expiries["expiry"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    both = expiries[day == "2019-05-17"]
    assert both["settlement"].tolist() == ["AM", "PM"]
    np.testing.assert_allclose(both["forward"], both["forward"].iloc[0], rtol=1e-5)
    assert (both["maturity"].diff().iloc[1:] * 365 * 24).round(6).tolist() == [6.5]
    # The carry of an index with dividends below the rate, and the rates of that spring.
    assert (np.abs(np.log(expiries["forward"] / spx.spot)) < 0.002 + 0.01 * expiries["maturity"]).all()
    assert expiries["rate"].between(0.024, 0.029).all()
    assert (expiries["forward_std_error"] < 0.1).all()
    assert (expiries["parity_error"] < 0.35).all()
    assert (expiries["parity_within_spread"] > 0.99).all()


def test_spx_volatilities_are_the_vendors(spx):
    rows = spx.smiles
    rows = rows[rows["vendor_vol"] > 0.02]
    error = (rows["mid_vol"] - rows["vendor_vol"]).abs()
    by_expiry = error.groupby([rows["expiry"], rows["settlement"]]).median()
    maturity = rows.groupby(["expiry", "settlement"])["maturity"].first()
    pm = maturity.index.get_level_values("settlement") == "PM"
    # Fields of four digits; the vendor's clock runs some minutes off ours, which the first days show.
    assert (by_expiry[pm & (maturity > 0.03)] < 3e-4).all()
    assert (by_expiry[pm] < 2e-3).all()
    # The vendor gives AM options the time until the afternoon: six and a half hours too long.
    soon = (~pm & (maturity < 0.03)).to_numpy()
    ratio = (rows["vendor_vol"] / rows["mid_vol"]).groupby([rows["expiry"], rows["settlement"]]).median()[soon]
    hours = 365 * 24 * maturity[soon]
    np.testing.assert_allclose(ratio, np.sqrt(hours / (hours + 6.5)), rtol=3e-3)


def test_spx_of_2022(data):
    chain = io.load_chain(data / FILES["cboe-spx-2022"])
    check(chain)
    assert chain.counts == {"rows_read": 10_257, "rows": 20_514}
    assert chain.as_of == pd.Timestamp("2022-02-04 16:15", tz="America/New_York")
    assert len(chain.expiries) == 45
    expiries = chain.expiries
    assert (np.abs(np.log(expiries["forward"] / chain.spot)) < 0.004 + 0.01 * expiries["maturity"]).all()
    assert expiries["rate"].between(0.002, 0.025).all()
    assert (expiries["parity_within_spread"] > 0.99).all()
    rows = chain.smiles
    rows = rows[(rows["vendor_vol"] > 0.02) & (rows["maturity"] > 0.1)]
    assert (rows["mid_vol"] / rows["vendor_vol"] - 1).abs().median() < 0.05  # on a clock of its own


def test_deribit(bitcoin, data):
    check(bitcoin)
    assert bitcoin.counts == {"rows_read": 890, "rows": 890}
    assert len(bitcoin.expiries) == 11
    assert bitcoin.expiries["forward"].between(78_000, 81_500).all()
    assert (bitcoin.expiries["forward_std_error"] < 20).all()
    second = io.load_chain(data / FILES["deribit-btc-20260427"])
    check(second)
    # Within minutes of each other's: exports one after the other, the second in the evening of a western 27th.
    assert abs((bitcoin.as_of - pd.Timestamp("2026-04-22 17:20", tz="UTC")).total_seconds()) < 600
    assert abs((second.as_of - pd.Timestamp("2026-04-28 01:05", tz="UTC")).total_seconds()) < 600
    for chain in (bitcoin, second):
        rows = chain.smiles[chain.smiles["maturity"] > 7 / 365]
        for side in ("bid", "ask"):
            error = (rows[f"{side}_vol"] - rows[f"vendor_{side}_vol"]).abs()
            assert error.median() < 5e-4
            assert error.quantile(0.9) < 5e-3


def test_goog(data):
    path = data / FILES["lean-goog-2015"]
    chain = io.load_chain(path, spot=749.29, rate=0.005)
    check(chain)
    assert len(chain) == 2_192
    assert chain.symbol == "GOOG"
    assert chain.as_of == pd.Timestamp("2015-12-24 11:01", tz="America/New_York")
    assert chain.table["exercise"].eq("american").all()
    used = chain.table[chain.table["used"]]
    assert used["out_of_the_money"].all()
    # A short day: the options that expire on it do so at 13:00.
    assert chain.expiries["expiry"][0] == pd.Timestamp("2015-12-24 13:00", tz="America/New_York")
    approximate = io.load_chain(path)
    both = approximate.expiries["forward"] / chain.expiries["forward"]
    assert (np.abs(both.dropna() - 1) < 1.5e-3).all()
    assert chain.expiries["atm_vol"][1:].between(0.15, 0.32).all()
