"""CBOE's tables: both styles of header, AM apart from PM, times, forwards, and every reason for leaving a quote out."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantjax import io
from quantjax.io.chains.settlement import INDEX_CLOSE, close_of, quotes_stand_at
from tests.io.chains.files import AS_OF, EXPIRIES, NEW_YORK, STRIKES, Market, cboe, cboe_row, cboe_rows, years
from tests.io.files import cut

MARKET = Market()


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> io.OptionChain:
    return io.load_chain(cboe(tmp_path_factory.mktemp("cboe") / "spx.csv.gz", cboe_rows(MARKET)))


def test_expiries_am_and_pm_apart(chain):
    assert chain.symbol == "SPX"
    assert chain.format == "cboe"
    assert chain.as_of == pd.Timestamp(AS_OF)
    assert chain.spot == 100.0
    assert chain.metadata["roots"] == ("SPXW", "SPX")
    expiries = chain.expiries
    assert expiries["settlement"].tolist() == ["PM", "AM", "PM", "PM"]
    assert expiries["expiry"].tolist() == [pd.Timestamp(expiry) for expiry in EXPIRIES.values()]
    np.testing.assert_allclose(expiries["maturity"], [years(AS_OF, expiry) for expiry in EXPIRIES.values()])


def test_forwards_discounts_and_volatilities_are_the_markets(chain):
    expiries = chain.expiries
    maturity = expiries["maturity"].to_numpy()
    np.testing.assert_allclose(expiries["forward"], [MARKET.forward(t) for t in maturity], rtol=1e-9)
    np.testing.assert_allclose(expiries["discount"], np.exp(-MARKET.rate * maturity), rtol=1e-8)
    # Three days are too short; the rate of the nearest is borrowed.
    assert expiries["discount_source"].tolist() == ["neighbours", "parity", "parity", "parity"]
    assert np.isnan(expiries["discount_std_error"][0])
    assert (expiries["parity_within_spread"] == 1).all()
    used = chain.table[chain.table["used"]]
    vols = [MARKET.vol(k, t) for k, t in zip(used["strike"], used["maturity"], strict=True)]
    out = used["out_of_the_money"].to_numpy()
    np.testing.assert_allclose(used["mid_vol"][out], np.array(vols)[out], rtol=1e-7)
    # In the money the forward's last digits are more than the time value unless the bid has one too.
    inside = ~out & used["bid_vol"].notna().to_numpy()
    np.testing.assert_allclose(used["mid_vol"][inside], np.array(vols)[inside], rtol=1e-4)
    assert (used["bid_vol"].fillna(0) < used["mid_vol"]).all()
    assert (used["mid_vol"] < used["ask_vol"]).all()
    np.testing.assert_allclose(expiries["atm_vol"], 0.2, atol=2e-3)


def test_the_table_is_as_documented_and_nothing_is_lost(chain):
    table = chain.table
    assert list(table.columns) == list(io.CHAIN_COLUMNS)
    assert chain.counts == {"rows_read": 4 * len(STRIKES), "rows": 8 * len(STRIKES)}
    assert len(chain) == len(table) == 8 * len(STRIKES) == sum(chain.report.values())
    assert chain.expiries["num_quotes"].tolist() == [2 * len(STRIKES)] * 4
    assert chain.expiries["num_used"].sum() == chain.report["used"] == table["used"].sum()
    assert set(chain.report) <= {"used", "no_bid", "outside_bounds", "wide"}
    assert table["vendor_vol"].eq(0.21).all()
    assert table["volume"].eq(7).all()
    assert table["open_interest"].eq(11).all()
    assert table["bid_size"].isna().all()
    first = table[(table["strike"] == 100.0) & table["call"]].iloc[0]
    assert first["line"] == 4 + STRIKES.index(100.0)
    copy = chain.to_pandas()
    copy["bid"] = 0.0
    assert chain.table["bid"].max() > 0
    smiles = chain.smiles
    assert not smiles.duplicated(["expiry", "strike"]).any()
    assert chain.arbitrage().empty


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_style_of_2022_and_a_table_saved_on_a_saturday(tmp_path: Path, newline: str):
    rows = cboe_rows(MARKET, style="%a %b %d %Y")
    found = io.load_chain(cboe(tmp_path / "quotedata.csv", rows, style=2022, newline=newline))
    assert found.as_of == pd.Timestamp("2019-04-12 16:15", tz="America/New_York")
    assert "close before" in found.metadata["as_of_source"]
    assert found.report["expired"] == 2 * len(STRIKES)  # those of Friday's close
    assert (found.table["reason"][found.table["maturity"] <= 0] == "expired").all()
    given = io.load_chain(tmp_path / "quotedata.csv", as_of=AS_OF)
    assert given.metadata["as_of_source"] == "given"
    np.testing.assert_allclose(given.expiries["forward"], [MARKET.forward(t) for t in given.expiries["maturity"]])


def test_when_quotes_stand():
    def stands(*clock) -> datetime:
        return quotes_stand_at(datetime(*clock, tzinfo=NEW_YORK), INDEX_CLOSE).replace(tzinfo=None)

    assert stands(2022, 2, 4, 11, 9) == datetime(2022, 2, 4, 11, 9)
    assert stands(2022, 2, 5, 20, 9) == datetime(2022, 2, 4, 16, 15)
    assert stands(2022, 2, 6, 3, 0) == datetime(2022, 2, 4, 16, 15)
    assert stands(2022, 2, 7, 8, 0) == datetime(2022, 2, 4, 16, 15)
    assert stands(2022, 2, 7, 17, 0) == datetime(2022, 2, 7, 16, 15)
    assert close_of(date(2018, 11, 23)).hour == 13
    assert close_of(date(2019, 7, 3)).hour == 13
    assert close_of(date(2015, 7, 3)).hour == 16


def test_every_reason(tmp_path: Path):
    rows = cboe_rows(MARKET)
    day = date(2019, 12, 31)
    t = years(AS_OF, EXPIRIES["SPXW", day])

    def about(strike: float, call: bool, low: float = 0.01, high: float = 0.01) -> tuple[float, float]:
        price = MARKET.price(strike, t, call)
        return price - low, price + high

    def row(strike: float, call: tuple[float, float], put: tuple[float, float], root: str = "SPXW", day: date = day):
        return cboe_row(root, day, strike, call, put, f"{day:%m/%d/%Y}")

    extra = [
        row(100.0, (1.0, 2.0), (1.0, 2.0)),  # again
        row(60.0, about(60.0, True), (0, 0)),
        row(62.0, about(62.0, True), (0.1, 0)),
        row(64.0, about(64.0, True), (0, 0.1)),
        row(66.0, about(66.0, True), (0.2, 0.1)),
        row(68.0, about(68.0, True), (0.1, 0.5)),
        row(70.0, (20.0, 20.1), about(70.0, False)),  # less than exercise is worth
        row(100.0, (1.0, 1.1), (1.0, 1.1), day=date(2019, 4, 8)),
        row(100.0, (3.0, 3.1), (3.0, 3.1), day=date(2019, 8, 30)),  # one pair makes no forward
    ]
    chain = io.load_chain(cboe(tmp_path / "spx.csv", rows + extra))
    table = chain.table.set_index(["expiry", "strike", "call"]).sort_index()
    plain = io.load_chain(cboe(tmp_path / "plain.csv", rows))
    assert chain.report["duplicate"] == 2
    assert chain.report["expired"] == 2
    assert chain.report["no_forward"] == 2
    expiry = pd.Timestamp(EXPIRIES["SPXW", day]).tz_convert("UTC")
    reasons = {60.0: "no_quote", 62.0: "no_ask", 64.0: "no_bid", 66.0: "crossed", 68.0: "wide"}
    assert {k: table.loc[(expiry, k, False), "reason"] for k in reasons} == reasons
    assert table.loc[(expiry, 70.0, True), "reason"] == "outside_bounds"
    assert sum(chain.report.values()) == len(chain) == 2 * len(rows + extra)
    assert set(chain.report) - {"used"} <= set(io.CHAIN_REASONS)
    # The last expiry has new calls deep in the money, the others are as before.
    np.testing.assert_allclose(chain.expiries["forward"].iloc[[1, 2, 3, 5]], plain.expiries["forward"], rtol=1e-6)
    assert np.isnan(chain.expiries["forward"].iloc[4])
    strict = io.load_chain(tmp_path / "plain.csv", rules=io.ChainRules(max_relative_spread=0.05))
    assert strict.report["wide"] > plain.report.get("wide", 0)


def test_bad_rows_are_counted(tmp_path: Path):
    rows = cboe_rows(MARKET)
    rows[3] = rows[3].replace("SPXW190412C", "garbage")
    rows[5] = "1,2,3"
    rows[7] = rows[7].replace(",7,", ",seven,", 1)
    rows[9] = rows[9].replace(",100.000,", ",-100.000,")
    chain = io.load_chain(cboe(tmp_path / "spx.csv", rows))
    assert chain.counts["malformed_lines"] == 4
    assert chain.counts["rows"] == 2 * (chain.counts["rows_read"] - 4)
    assert chain.metadata["first_malformed_line"].startswith("line 7: expected the symbol of a call of strike 88")
    with pytest.raises(io.DataError, match=r"got none; the first row that cannot be read is line 4: expected 22"):
        io.load_chain(cboe(tmp_path / "bad.csv", ["1,2,3", "x"]))


def test_files_that_are_cut_or_not_what_they_should_be(tmp_path: Path):
    whole = cboe(tmp_path / "spx.csv.gz", cboe_rows(MARKET))
    chain = io.load_chain(cut(whole, 0.7))
    assert chain.counts["files_truncated"] == 1
    assert 0 < chain.counts["rows_read"] < 4 * len(STRIKES)
    missing = cboe(tmp_path / "missing.csv", cboe_rows(MARKET))
    missing.write_text(missing.read_text().replace("Bid,Ask,Vol,IV,Delta,Gamma,Open Int\n", "Bid,Vol,IV\n"))
    with pytest.raises(io.DataError, match=r"missing.csv, line 3: expected a column 'Ask' 2 times"):
        io.load_chain(missing)
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(cboe(tmp_path / "a.csv", cboe_rows(MARKET)).read_text().splitlines()[2:]))
    with pytest.raises(io.DataError, match="as_of"):
        io.load_chain(bare)
    assert np.isnan(io.load_chain(bare, as_of=AS_OF).spot)


def test_a_stale_quote_does_not_move_the_forward_and_is_reported_as_arbitrage(tmp_path: Path):
    rows = cboe_rows(MARKET)
    at = 3 * len(STRIKES) + STRIKES.index(97.0)
    (root, day) = list(EXPIRIES)[3]
    t = years(AS_OF, EXPIRIES[root, day])
    call, put = (MARKET.price(97.0, t, side) for side in (True, False))
    rows[at] = cboe_row(root, day, 97.0, (call - 0.01, call + 0.01), (put + 2.99, put + 3.01), f"{day:%m/%d/%Y}")
    chain = io.load_chain(cboe(tmp_path / "spx.csv", rows))
    assert abs(chain.expiries["forward"][3] - MARKET.forward(t)) < 0.01
    assert chain.expiries["parity_within_spread"][3] < 1
    found = chain.arbitrage()
    # It is sold against puts beside it; and bought instead of those below it.
    assert {"butterfly"} <= set(found["kind"])
    sold = found[found["kind"] == "butterfly"].iloc[0]
    assert (sold["strike"], sold["call"]) == (97.0, False)
    assert 2.0 < sold["gain"] < 3.0
    assert list(found.columns) == ["kind", "expiry", "settlement", "strike", "call", "bid", "gain"]
