"""Deribit's exports: inverse prices, the two columns of one name, dashes, and the time that the volatilities tell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantjax import io
from tests.io.chains.files import DERIBIT, Market, deribit_row, years
from tests.io.files import write

MARKET = Market(spot=80_000.0, rate=0.0, carry=0.04)
AS_OF = datetime(2026, 4, 22, 17, 20, tzinfo=UTC)
EXPIRIES = {"1MAY26": datetime(2026, 5, 1, 8, tzinfo=UTC), "25SEP26": datetime(2026, 9, 25, 8, tzinfo=UTC)}
STRIKES = (60_000, 66_000, 70_000, 74_000, 77_000, 79_000, 80_000, 82_000, 85_000, 90_000, 96_000, 105_000)


def export(path: Path, *, vols: bool = True, instrument: str = "BTC-{}-{}-{}", encoding: str = "utf-8") -> Path:
    """An export with the header of each expiry, prices in steps of 0.0001."""
    rows = []
    for name, expiry in EXPIRIES.items():
        maturity = years(AS_OF, expiry)
        forward = MARKET.forward(maturity)
        rows.append(DERIBIT)
        for strike in STRIKES:
            for call in (True, False):
                fair = MARKET.price(strike, maturity, call) / forward
                prices = [round(fair - 0.0004, 4), round(fair + 0.0004, 4)]
                texts = ["-" if price <= 0 else f"{price:.4f}" for price in prices]
                told = ["-", "-"]
                if vols:
                    told = [_vol(price * forward, strike, maturity, call) for price in prices]
                rows.append(deribit_row(instrument.format(name, strike, "C" if call else "P"), *texts, *told))
    return write(path, "\n".join(rows).encode(encoding))


def _vol(price: float, strike: float, maturity: float, call: bool) -> str:
    low, high = 1e-3, 5.0
    if not MARKET.price(strike, maturity, call, low) < price < MARKET.price(strike, maturity, call, high):
        return "-"
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if MARKET.price(strike, maturity, call, middle) < price else (low, middle)
    return f"{100 * low:.2f}"


def test_inverse_prices_become_money_by_the_forward(tmp_path: Path):
    chain = io.load_chain(export(tmp_path / "BTC_20260422.csv.gz", encoding="utf-8-sig"), as_of=AS_OF)
    assert (chain.symbol, chain.format) == ("BTC", "deribit")
    assert chain.metadata["source_unit"] == "BTC"
    assert chain.expiries["settlement"].eq("08:00 UTC").all()
    forward = [MARKET.forward(t) for t in chain.expiries["maturity"]]
    np.testing.assert_allclose(chain.expiries["forward"], forward, rtol=1e-4)  # the step of the prices
    assert chain.expiries["discount"].eq(1.0).all()
    assert chain.expiries["rate"].eq(0.0).all()
    at = chain.table[(chain.table["strike"] == 80_000) & chain.table["call"]].iloc[1]
    fair = MARKET.price(80_000, at["maturity"], True)
    np.testing.assert_allclose(at["mid"], fair, rtol=2e-3)
    assert at["bid_size"] == 10
    assert at["ask_size"] == 0.2
    assert at["open_interest"] == 20
    out = chain.smiles
    np.testing.assert_allclose(out["bid_vol"], out["vendor_bid_vol"], atol=1.5e-3)
    np.testing.assert_allclose(out["ask_vol"], out["vendor_ask_vol"], atol=1.5e-3)


def test_the_time_is_found_from_the_volatilities(tmp_path: Path):
    chain = io.load_chain(export(tmp_path / "BTC_20260422.csv"))
    assert "inferred" in chain.metadata["as_of_source"]
    assert abs((chain.as_of - pd.Timestamp(AS_OF)).total_seconds()) < 600
    without = io.load_chain(export(tmp_path / "BTC_20260423.csv", vols=False))
    assert without.as_of == pd.Timestamp("2026-04-23 12:00", tz="UTC")
    assert "half a day" in without.metadata["as_of_source"]
    with pytest.raises(io.DataError, match="as_of="):
        io.load_chain(export(tmp_path / "BTC.csv", vols=False))


def test_linear_options_are_not_converted(tmp_path: Path):
    path = write(
        tmp_path / "BTC_USDC_20260422.csv",
        "\n".join(
            [DERIBIT]
            + [
                deribit_row(f"BTC_USDC-25SEP26-{k}-{'C' if call else 'P'}", f"{price - 5:.1f}", f"{price + 5:.1f}")
                for k in STRIKES
                for call in (True, False)
                if (price := MARKET.price(k, years(AS_OF, EXPIRIES["25SEP26"]), call)) > 5
            ]
        ),
    )
    chain = io.load_chain(path, as_of=AS_OF, rate=0.0)
    assert "source_unit" not in chain.metadata
    np.testing.assert_allclose(chain.expiries["forward"], MARKET.forward(chain.expiries["maturity"][0]), rtol=1e-5)
    assert chain.expiries["discount_source"].tolist() == ["given"]


def test_bad_rows_and_two_underlyings(tmp_path: Path):
    path = export(tmp_path / "BTC_20260422.csv")
    text = path.read_text()
    path.write_text(
        text.replace("BTC-1MAY26-70000-C", "BTC-PERPETUAL").replace("BTC-1MAY26-74000-C", "BTC-41MAY26-7-C")
    )
    chain = io.load_chain(path, as_of=AS_OF)
    assert chain.counts["malformed_lines"] == 2
    assert chain.counts["rows"] == chain.counts["rows_read"] - 2
    assert (
        chain.metadata["first_malformed_line"]
        == "line 6: expected an option such as BTC-1MAY26-60000-C, got 'BTC-PERPETUAL'"
    )
    path.write_text(text.replace("BTC-1MAY26-70000-C", "ETH-1MAY26-7000-C"))
    with pytest.raises(io.DataError, match="one underlying, got BTC, ETH"):
        io.load_chain(path)
