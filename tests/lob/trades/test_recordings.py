"""The trade metrics on recorded markets."""

from __future__ import annotations

import numpy as np
import pytest

from quantjax import io, lob
from quantjax.lob.trades import TradeSeries, sign_trades, trade_costs, vpin

# File, clock, lot size, bucket, and loose lower bounds of the accuracy of tick test, quote test and Lee-Ready.
# Measured: BTCUSDT 0.9685, 0.9751, 0.9751 (the books are ten a second); AMZN 0.8675, 0.9707, 0.9762.
RECORDINGS = {
    "BTCUSDT": ("binance_raw/spot_btcusdt_20240808.gz", "exchange", 1e-5, 1.0, (0.95, 0.96, 0.96)),
    "AMZN": ("lobster/AMZN_2012-06-21_34200000_57600000_message_5.csv.gz", "exchange", 1.0, 5000.0, (0.85, 0.96, 0.97)),
}


@pytest.fixture(scope="module", params=RECORDINGS)
def recording(request, data) -> tuple[str, TradeSeries, lob.BookSeries]:
    path, clock, *_ = RECORDINGS[request.param]
    read = io.read_books(data / path, clock=clock, levels=1)
    return request.param, read.trades[request.param], read.only()


def test_guessed_sides_are_mostly_right(recording):
    symbol, trades, series = recording
    signs = sign_trades(trades, series)
    bounds = dict(zip(("tick_test", "quote_test", "lee_ready"), RECORDINGS[symbol][-1], strict=True))
    for rule, bound in bounds.items():
        assert signs.accuracy[rule] > bound, rule
    assert signs.accuracy["lee_ready"] >= signs.accuracy["quote_test"]


def test_every_trade_splits_exactly(recording):
    _, trades, series = recording
    costs = trade_costs(trades, series)
    for horizon in (1.0, 5.0, 30.0):
        there = ~np.isnan(costs.realised_bps[horizon])
        parts = costs.realised_bps[horizon][there] + costs.impact_bps[horizon][there]
        np.testing.assert_array_equal(costs.effective_bps[there], parts)
        assert there.sum() + costs.counts[f"beyond_last_book_{horizon:g}s"] >= len(trades) - 1
    # Takers pay: by true sides nearly every trade costs something (AMZN 97.9 % of them, BTCUSDT 97.5 %).
    assert np.nanmean(costs.effective_bps >= 0) > 0.95
    summary = costs.summary()
    assert 0 < summary.effective_bps < 10
    assert summary.impact_bps[1.0] > 0
    # The first trade comes before the first book, and no other.
    assert costs.counts["before_first_book"] == 1


def test_buckets_hold_one_volume(recording):
    symbol, trades, _ = recording
    lot_size, bucket = RECORDINGS[symbol][2:4]
    found = vpin(trades, bucket, window=20, lot_size=lot_size)
    np.testing.assert_array_equal(found.buy + found.sell, round(bucket / lot_size))
    assert found.counts["lots"] == round(trades.size.sum() / lot_size)
    assert 0 < np.nanmin(found.vpin) < np.nanmax(found.vpin) <= 1
