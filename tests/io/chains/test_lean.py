"""LEAN's bars of American options: out of the money only, forwards carried or approximated, and stale quotes."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantjax import io
from tests.io.chains.files import LEAN, NEW_YORK, Market, lean_row, years
from tests.io.files import write

MARKET = Market(spot=749.29, rate=0.01, carry=0.01)
AS_OF = datetime(2015, 12, 24, 11, 1, tzinfo=NEW_YORK)
EXPIRIES = (date(2016, 1, 15), date(2016, 6, 17))
STRIKES = (600, 650, 700, 715, 725, 732.5, 740, 745, 750, 755, 762.5, 770, 780, 790, 800, 850, 900)
LATEST_MS = 11 * 3_600_000


def bars(path: Path, *extra: str) -> Path:
    rows = []
    for day in EXPIRIES:
        maturity = years(AS_OF, datetime.combine(day, time(16), NEW_YORK))
        for strike in STRIKES:
            for call in (True, False):
                price = MARKET.price(strike, maturity, call)
                bid, ask = (price - 0.1, price + 0.1) if price > 0.1 else (0.0, 0.1)
                rows.append(lean_row("call" if call else "put", strike, day, bid, ask, LATEST_MS))
    return write(path, "\n".join([LEAN, *rows, *extra]))


def test_out_of_the_money_only_and_carried_forward(tmp_path: Path):
    chain = io.load_chain(bars(tmp_path / "lean_goog_20151224.csv.gz"), spot=749.29, rate=0.01)
    assert (chain.symbol, chain.format, chain.spot) == ("GOOG", "lean", 749.29)
    assert chain.as_of == pd.Timestamp(AS_OF)
    assert chain.expiries["forward_source"].eq("spot carried at the rate").all()
    maturity = chain.expiries["maturity"]
    np.testing.assert_allclose(chain.expiries["forward"], 749.29 * np.exp(0.01 * maturity))
    np.testing.assert_allclose(chain.expiries["discount"], np.exp(-0.01 * maturity))
    used = chain.table[chain.table["used"]]
    assert used["out_of_the_money"].all()
    assert chain.table["exercise"].eq("american").all()
    inside = chain.table[~chain.table["out_of_the_money"] & (chain.table["bid"] > 0)]
    assert inside["reason"].eq("in_the_money").all()
    vols = [MARKET.vol(k, t) for k, t in zip(used["strike"], used["maturity"], strict=True)]
    weight = used["bid"] > 1.0  # prices are rounded to 0.0001
    np.testing.assert_allclose(used["mid_vol"][weight], np.array(vols)[weight], rtol=1e-4)


def test_without_a_rate_the_forward_is_an_approximation_and_says_so(tmp_path: Path):
    chain = io.load_chain(bars(tmp_path / "lean_goog_20151224.csv"))
    assert np.isnan(chain.spot)
    assert chain.expiries["forward_source"].str.contains("American").all()
    assert chain.expiries["discount"].eq(1.0).all()
    np.testing.assert_allclose(
        chain.expiries["forward"], [MARKET.forward(t) for t in chain.expiries["maturity"]], rtol=2e-3
    )


def test_stale_missing_and_bad_quotes(tmp_path: Path):
    day = EXPIRIES[0]
    path = bars(
        tmp_path / "lean_goog_20151224.csv",
        lean_row("call", 810, day, 0.5, 0.7, LATEST_MS - 1_200_000),
        lean_row("call", 820, day, None, 0.7, LATEST_MS),
        lean_row("call", 825, day, 0.5, None, LATEST_MS),
        lean_row("straddle", 825, day, 0.5, 0.6, LATEST_MS),
        lean_row("put", 825, day, 0.5, 0.6, 99_999_999),
        "put,x,20160115,39600000,1,1,1,1,5,1,1,1,1,6",
        "put,800,2016-01-15,39600000,1,1,1,1,5,1,1,1,1,6",
    )
    chain = io.load_chain(path, spot=749.29, rate=0.01)
    reason = chain.table[chain.table["call"]].set_index(["expiry", "strike"])["reason"]
    expiry = pd.Timestamp("2016-01-15 16:00", tz="America/New_York").tz_convert("UTC")
    assert [reason[expiry, strike] for strike in (810, 820, 825)] == ["stale", "no_bid", "no_ask"]
    assert chain.table["age_s"].max() == 1200
    assert chain.counts["malformed_lines"] == 4
    patient = io.load_chain(path, spot=749.29, rate=0.01, rules=io.ChainRules(max_age_s=2_000))
    assert "stale" not in patient.report


def test_the_day_is_in_the_name_or_given(tmp_path: Path):
    path = bars(tmp_path / "goog.csv")
    with pytest.raises(io.DataError, match="as_of"):
        io.load_chain(path)
    assert io.load_chain(path, as_of="2015-12-24T16:01").as_of == pd.Timestamp(AS_OF)
