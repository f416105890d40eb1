"""Genuine recordings: the reconstructed books are those of the synchronised book, and their best prices Binance's
own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantjax import io, lob

# Number of books whose best prices can be compared with an announcement: each after the snapshot, of those at one time
# (two updates that waited for the snapshot were taken in together in the second and third) the last.
FILES = {
    "spot": ("binance_raw/spot_btcusdt_20240808.gz", 3_449),
    "usdm": ("binance_raw/usdm_btcusdt_20240808.gz", 6_546),
    "coinm": ("binance_raw/cm_btcusd_perp_20240808.gz", 26_823),
    "ETHBTC": ("binance_raw/ETHBTC_2020-11-01T09-00-00_update.json.gz", None),
    "thin books": ("exchange_raw/cryptofeed_BINANCE.ws.1.0.gz", 159),
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
        series = stream.books(levels=20)
        at = series.time_ns
        # Every book that the synchronised book of the feeds had, to the last digit.
        expected = recorded.series[symbol]
        # Of several books at one time the last: that is what a time can ask for.
        last = np.flatnonzero(np.append(np.diff(expected.time_ns) != 0, True))
        rows = np.searchsorted(at, expected.time_ns[last])
        np.testing.assert_array_equal(at[rows], expected.time_ns[last])
        for field in ("bid_price", "bid_size", "ask_price", "ask_size"):
            np.testing.assert_array_equal(getattr(series.book, field)[rows], getattr(expected.book, field)[last])
        if symbol in quotes:
            compared += compare_with_quotes(stream, series, quotes[symbol])
    assert compared == (num_quotes or 0)


def compare_with_quotes(stream: io.UpdateStream, series: lob.BookSeries, quotes: io.QuoteSeries) -> int:
    """Number of update identifiers at which the best prices and sizes were compared with Binance's announcement; all
    equal.

    An announcement holds until the next one: that with the last identifier up to the book's is the book's.
    """
    order = np.argsort(quotes.update_id, kind="stable")
    known = quotes.update_id[order]
    # The book after each message: at the last update of its identifier, if nothing else came at the same time.
    last_of_time = np.flatnonzero(np.append(np.diff(stream.updates.time_ns) != 0, True))
    identifiers = stream.update_id[last_of_time]
    books = np.searchsorted(series.time_ns, stream.updates.time_ns[last_of_time])
    place = np.searchsorted(known, identifiers, side="right") - 1
    comparable = place >= 0
    announced = quotes.series.book[order[place[comparable]]]
    book = series.book[books[comparable]]
    for field in ("bid_price", "bid_size", "ask_price", "ask_size"):
        np.testing.assert_array_equal(getattr(book, field)[:, 0], getattr(announced, field)[:, 0])
    return int(np.count_nonzero(comparable))
