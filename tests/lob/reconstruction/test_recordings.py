"""Genuine recordings: the reconstructed books are those of the synchronised book, and their best prices Binance's
own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantjax import io

# By file, how many books can be compared with an announcement: one after each message that the book took in, but those
# after the last announcement (and none in the third file, which has no announcements).
FILES = {
    "spot": ("binance_raw/spot_btcusdt_20240808.gz", 3_449),
    "usdm": ("binance_raw/usdm_btcusdt_20240808.gz", 6_546),
    "coinm": ("binance_raw/cm_btcusd_perp_20240808.gz", 26_808),
    "ETHBTC": ("binance_raw/ETHBTC_2020-11-01T09-00-00_update.json.gz", None),
    "thin books": ("exchange_raw/cryptofeed_BINANCE.ws.1.0.gz", 144),
}


@pytest.mark.parametrize("name", FILES)
def test_recorded_binance_streams(data: Path, name: str):
    file, num_quotes = FILES[name]
    path = data / file
    recorded = io.read_books(path, levels=20)
    quotes = io.read_quotes(path).quotes if num_quotes else {}
    compared = 0
    for symbol, streams in io.read_updates(path).streams.items():
        (stream,) = streams  # no gap in any of these
        # Every book that the synchronised book of the feeds had, to the last digit.
        series, expected = stream.books(levels=20), recorded.series[symbol]
        rows = slice(len(series) - len(expected), None)  # the snapshot itself may give no row
        np.testing.assert_array_equal(series.time_ns[rows], expected.time_ns)
        for field in ("bid_price", "bid_size", "ask_price", "ask_size"):
            np.testing.assert_array_equal(getattr(series.book, field)[rows], getattr(expected.book, field))
        if symbol in quotes:
            check = io.compare_quotes(stream, quotes[symbol])
            assert len(check.different) == 0
            assert check.compared + check.before_first + check.after_last == stream.num_messages
            compared += check.compared
    assert compared == (num_quotes or 0)
