"""The numbers agree with a slow reference: from the raw text by plain code, one book at a time, formula by formula."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from quantjax import io, lob
from tests.assertions import assert_close
from tests.reference.book_metrics import all_metrics

METRICS = lob.BookMetrics(levels=(3, 5), bands_bps=(5.0, 25.0), notionals=(1e4,), slippages_bps=(5.0,))
# The reference sums and inverts in another order; slopes and convexities lose some digits to cancellation.
SCALE = 1e4


def compare(series: lob.BookSeries, books: dict[int, tuple[list, list]]) -> None:
    """Columns of the analysis in some rows, and those of the reference for the books there."""
    table = lob.analyze(series[np.array(list(books))], METRICS).to_pandas()
    for position, (bids, asks) in enumerate(books.values()):
        expected = all_metrics(bids, asks, series.tick_size, METRICS)
        row = table.iloc[position]
        assert set(expected) == set(table.columns) - {"staleness_s", "valid"}
        for name, value in expected.items():
            size = max(1.0, abs(value)) if np.isfinite(value) else 1.0
            assert_close(
                np.float64(row[name] / size), np.float64(value / size), scale=SCALE, what=f"{name} in {position}"
            )


def test_lobster(amzn: io.BookData, amzn_path: Path) -> None:
    wanted = {0, 1, 17, 5_000, 77_777, 123_456, 155_934}
    books = {}
    with gzip.open(str(amzn_path).replace("message", "orderbook"), "rt") as file:
        for number, row in enumerate(csv.reader(file)):
            if number in wanted:
                cells = [int(cell) for cell in row]
                asks = [(cells[i] / 1e4, float(cells[i + 1])) for i in range(0, len(cells), 4)]
                bids = [(cells[i + 2] / 1e4, float(cells[i + 3])) for i in range(0, len(cells), 4)]
                books[number] = (
                    [level for level in bids if abs(level[0]) < 9e5], [level for level in asks if abs(level[0]) < 9e5]
                )  # fmt: skip
    compare(amzn.only(), books)


@pytest.mark.parametrize(
    ("name", "file"), [("spot", "spot_btcusdt"), ("usdm", "usdm_btcusdt"), ("coinm", "cm_btcusd_perp")]
)
def test_binance(request: pytest.FixtureRequest, data: Path, name: str, file: str) -> None:
    """A dict a side: snapshot, then every later update as it comes; the book at a row is the one after its line."""
    series = request.getfixturevalue(name).only()
    rows = np.linspace(0, len(series) - 1, 5).astype(int).tolist()
    wanted = {int(series.time_ns[row]): row for row in rows}
    updates: list[tuple[int, dict]] = []
    book: dict[str, dict[float, float]] = {}
    last_id = 0
    found: dict[int, tuple[list, list]] = {}
    with gzip.open(data / f"binance_raw/{file}_20240808.gz", "rb") as lines:
        for line in lines:
            if b'"depthUpdate"' not in line and b'"lastUpdateId"' not in line:
                continue
            stamp, _, payload = line.partition(b" ")
            message = json.loads(payload)
            if "lastUpdateId" in message:
                last_id = message["lastUpdateId"]
                book = {side: {float(p): float(q) for p, q in message[f"{side}s"]} for side in ("bid", "ask")}
                news = [update for _, update in updates if update["u"] >= last_id]
            else:
                updates.append((int(stamp), message["data"]))
                news = [message["data"]] if book else []
            for update in news:
                for side, levels in (("bid", update["b"]), ("ask", update["a"])):
                    for price, size in levels:
                        book[side].pop(float(price), None)
                        if float(size):
                            book[side][float(price)] = float(size)
            if int(stamp) in wanted:
                bids = sorted(book["bid"].items(), reverse=True)[:20]
                found[wanted[int(stamp)]] = (bids, sorted(book["ask"].items())[:20])
    if name == "coinm":
        found = {row: tuple([(p, q * 100 / p) for p, q in side] for side in sides) for row, sides in found.items()}
    assert sorted(found) == rows
    compare(series, found)
