"""Trades that nothing can be measured on are reported, dropped and counted, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from quantjax import lob
from quantjax.lob.trades import (
    TradeSeries,
    check_trades,
    clean_trades,
    join_trades,
    sign_trades,
    trade_costs,
    trade_imbalance_by_interval,
    vpin,
)
from tests.lob.trades.inputs import random_series, random_trades


@pytest.fixture
def sick() -> TradeSeries:
    return TradeSeries(
        np.array([210, 220, 215, 230, 240, 250]),
        np.array([100.0, np.nan, 100.1, 100.2, 0.0, 100.0]),
        np.array([1.0, 1.0, -1.0, np.inf, 1.0, 0.0]),
        np.array([1, -1, 0, 2, 1, 0]),
        "XYZ",
    )


def test_check_says_which(sick):
    found = check_trades(sick)
    assert found.counts == {"bad_price": 2, "bad_size": 2, "bad_side": 1, "unknown_side": 2, "clock_went_back": 1}
    assert found.invalid.tolist() == [False, True, True, True, True, False]
    assert not found.ok
    assert check_trades(random_trades(1)).ok


def test_clean_drops_counts_and_sorts(sick):
    cleaned = clean_trades(sick)
    assert cleaned.trades.time_ns.tolist() == [210, 250]
    assert cleaned.counts == {"invalid_dropped": 4, "clock_went_back": 0}
    backwards = clean_trades(random_trades(1)[::-1])
    assert (np.diff(backwards.trades.time_ns) >= 0).all()
    assert backwards.counts["clock_went_back"] > 0
    kept = clean_trades(random_trades(1)[::-1], time_order="keep")
    assert (np.diff(kept.trades.time_ns) <= 0).all()
    with pytest.raises(ValueError, match=r"times of XYZ that never decrease.*lob\.clean_trades"):
        clean_trades(random_trades(1)[::-1], time_order="raise")
    with pytest.raises(ValueError, match="expected time_order"):
        clean_trades(sick, time_order="reverse")


def test_drivers_refuse_and_say_what_to_do(sick):
    for driver in (
        lambda trades: trade_costs(trades, random_series(2)),
        lambda trades: trade_imbalance_by_interval(trades, 1.0),
        lambda trades: vpin(trades, 1.0, window=1),
        lambda trades: sign_trades(trades, random_series(2)),
    ):
        with pytest.raises(ValueError, match=r"2 bad_price, 2 bad_size, 1 bad_side.*row 1.*clean_trades"):
            driver(sick)
        driver(clean_trades(sick).trades)


def test_one_trade_is_not_a_series():
    trades, series = random_trades(1), random_series(2)
    for one in (3, np.int64(3)):
        for many in (trades, series):
            with pytest.raises(TypeError, match="expected a slice or an array of indices"):
                many[one]


def test_wrong_objects_are_named():
    trades, series = random_trades(1), random_series(2)
    table = trades.to_pandas()
    for driver in (trade_costs, join_trades, sign_trades):
        with pytest.raises(TypeError, match=r"trades as a lob\.TradeSeries, got BookSeries; swap trades and books"):
            driver(series, trades)
        with pytest.raises(TypeError, match=r"trades as a lob\.TradeSeries, got DataFrame; lob\.TradeSeries\("):
            driver(table, series)
        with pytest.raises(TypeError, match=r"books as a lob\.BookSeries, got DataFrame"):
            driver(trades, table)
    with pytest.raises(TypeError, match=r"trades as a lob\.TradeSeries, got DataFrame"):
        vpin(table, 1.0)


def test_columns_that_are_no_arrays():
    trades = random_trades(1)
    for price in (trades.to_pandas()["price"], list(trades.price)):
        name = type(price).__name__
        with pytest.raises(
            TypeError, match=rf"price as a numpy or JAX array, got {name}; .*\.to_numpy\(\), .*np\.array"
        ):
            TradeSeries(trades.time_ns, price, trades.size, trades.side, "XYZ")


def test_symbols_out_of_arrays():
    trades, series = random_trades(1), random_series(2)
    symbol = np.array(["XYZ"])[0]
    named = TradeSeries(trades.time_ns, trades.price, trades.size, trades.side, symbol)
    books = lob.BookSeries(series.time_ns, series.book, symbol, series.tick_size)
    assert type(named.symbol) is type(books.symbol) is str
