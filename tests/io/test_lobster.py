"""LOBSTER: exact times, named events, what belongs together, and what is wrong said with file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantjax import io, lob
from tests.io.files import cut, write, write_lobster

EMPTY = "9999999999,0,-9999999999,0"
MESSAGES = [
    "34200.017459617,1,11,21,2238100,1",
    "34200.18960767,4,11,21,2238100,1",
    "34200.5,5,0,1,2239050,-1",
    "43002.632812672004,7,0,0,-1,-1",
    "43003,6,0,100,2239000,-1",
]
BOOKS = [
    f"2239500,100,2238100,21,{EMPTY}",
    f"2239500,100,2231800,100,{EMPTY}",
    f"2239500,100,2231800,100,{EMPTY}",
    f"2239500,100,2231800,100,{EMPTY}",
    "2239500,100,2231800,100,2240000,5,2231700,7",
]
MIDNIGHT_NS = 1_340_251_200 * 10**9  # 2012-06-21 04:00 UTC: New York has summer time


@pytest.mark.parametrize("end", [".csv", ".csv.gz", ".first999rows.csv.gz"])
@pytest.mark.parametrize("given", ["message", "orderbook"])
def test_either_file_finds_the_other(tmp_path: Path, end: str, given: str) -> None:
    path = write_lobster(tmp_path, MESSAGES, BOOKS, end=end)
    data = io.read_books(str(path).replace("message", given))
    series = data.only()
    assert (data.format, series.symbol, series.tick_size) == ("lobster", "XYZ", 0.01)
    assert series.book.bid_price.shape == (5, 2)
    np.testing.assert_array_equal(
        series.time_ns - MIDNIGHT_NS,
        [34200017459617, 34200189607670, 34200500000000, 43002632812672, 43003000000000],
    )
    np.testing.assert_array_equal(series.book.bid_price[[0, 4]], [[223.81, np.nan], [223.18, 223.17]])
    np.testing.assert_array_equal(series.book.ask_size[[0, 4]], [[100, 0], [100, 5]])
    assert data.counts["rows"] == data.counts["rows_read"] == 5


def test_messages_are_named_and_executions_are_trades_of_the_taker(tmp_path: Path) -> None:
    data = io.read_books(write_lobster(tmp_path, MESSAGES, BOOKS))
    assert data.messages is not None
    assert [io.LOBSTER_EVENTS[int(kind)] for kind in data.messages.type] == [
        "new", "visible_execution", "hidden_execution", "halt", "cross"
    ]  # fmt: skip
    assert data.messages.halts == [(MIDNIGHT_NS + 43002632812672, "halted")]
    assert np.isnan(data.messages.price[3])
    trades = data.trades["XYZ"]
    np.testing.assert_array_equal(trades.side, [-1, 1])  # a buy order was hit, a hidden sell order was lifted
    np.testing.assert_array_equal(trades.price, [223.81, 223.905])
    np.testing.assert_array_equal(trades.size, [21, 1])
    assert list(trades.to_pandas().columns) == ["exchange_ns", "price", "size", "side", "trade_id"]
    assert {name: data.counts[f"messages_{name}"] for name in ("halt", "hidden_execution", "cross")} == {
        "halt": 1, "hidden_execution": 1, "cross": 1
    }  # fmt: skip


def test_prices_below_a_cent_make_the_tick_smaller(tmp_path: Path) -> None:
    data = io.read_books(write_lobster(tmp_path, ["34200.1,1,1,5,9951,1"], [f"9999,5,9951,5,{EMPTY}"]))
    assert data.only().tick_size == 0.0001


def test_fewer_levels_may_be_asked_for(tmp_path: Path) -> None:
    path = write_lobster(tmp_path, MESSAGES, BOOKS)
    assert io.read_books(path, levels=1).only().book.levels == 1
    assert io.read_books(path, levels=20).only().book.levels == 2
    assert io.read_books(path, dtype=np.float32).only().book.bid_price.dtype == np.float32


def test_blocks_are_the_whole_in_pieces(tmp_path: Path) -> None:
    path = write_lobster(tmp_path, MESSAGES, BOOKS)
    stream = io.stream_books(path, block_rows=2)
    blocks = list(stream)
    assert [len(block) for block in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(
        np.concatenate([block.book.ask_price for block in blocks]), io.read_books(path).only().book.ask_price
    )
    assert stream.counts == io.read_books(path).counts


def test_books_at_every_interval(tmp_path: Path) -> None:
    path = write_lobster(tmp_path, MESSAGES, BOOKS)
    for block_rows in (1, 2, 100):
        stream = io.stream_books(path, interval_s=0.1, block_rows=block_rows)
        found = [(time_ns - MIDNIGHT_NS) / 1e9 for block in stream for time_ns in block.time_ns]
        # the row of 34200.017 holds at 34200.1, and so on; boundaries without a row of their own are counted
        assert found == [34200.1, 34200.2, 34200.6, 43002.7], block_rows
        assert stream.counts["samples_missed"] == 88028 - 4 + 2


def test_a_symbol_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(io.DataError, match=r"symbols that it has \(XYZ\), got ABC"):
        io.read_books(write_lobster(tmp_path, MESSAGES, BOOKS), symbols=["ABC"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("34200.5,5,0,1,2239050", r"message_2\.csv: line 3: expected 6 columns \(time, type, .*got 5 columns"),
        ("34200.5,5,0,1,2239050,-1,7", r"line 3: expected 6 columns .*got 7 columns"),
        ("34200.5,5,,1,2239050,-1", r"line 3: .*got '' as order id, which is not an integer"),
        ("34200.5,5,0,1.5,2239050,-1", r"line 3: .*got '1.5' as size"),
        ("noon,5,0,1,2239050,-1", r"line 3: .*got 'noon' as time, which is not seconds after midnight"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(io.DataError, match=message):
        io.read_books(write_lobster(tmp_path, [*MESSAGES[:2], row, *MESSAGES[3:]], BOOKS))


def test_a_missing_column_of_the_books_is_named(tmp_path: Path) -> None:
    with pytest.raises(io.DataError, match=r"orderbook_2\.csv: line 1: expected 8 columns .*got 4 columns"):
        io.read_books(write_lobster(tmp_path, MESSAGES, [row.rpartition(f",{EMPTY}")[0] or row for row in BOOKS]))


def test_a_missing_partner(tmp_path: Path) -> None:
    path = write_lobster(tmp_path, MESSAGES, BOOKS)
    (tmp_path / path.name.replace("message", "orderbook")).rename(tmp_path / "elsewhere.csv")
    with pytest.raises(FileNotFoundError, match=r"expected its orderbook file beside it, XYZ_.*_orderbook_2\.csv"):
        io.read_books(path)


def test_a_wrong_partner(tmp_path: Path) -> None:
    with pytest.raises(io.DataError, match=r"expected as many rows as XYZ.*, 5, got 4; the two files do not belong"):
        io.read_books(write_lobster(tmp_path, MESSAGES, BOOKS[:4]))
    executions = [f"34200.{number},4,1,1,2238100,1" for number in range(100, 130)]
    strangers = [f"1239500,100,1231800,100,{EMPTY}"] * 30
    with pytest.raises(io.DataError, match=r"expected the books of XYZ.*not at the best price"):
        io.read_books(write_lobster(tmp_path, executions, strangers))


def test_a_truncated_file_gives_what_both_have(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)  # numbers that do not compress, so that a cut falls into the middle
    messages = [f"34200.{n:09d},1,{rng.integers(10**9)},{rng.integers(99)},2238100,1" for n in range(2000)]
    books = [f"2239500,{rng.integers(1, 10**9)},2238100,{rng.integers(1, 10**9)},{EMPTY}" for _ in range(2000)]
    path = write_lobster(tmp_path, messages, books, end=".csv.gz")
    cut(tmp_path / path.name.replace("message", "orderbook"))
    data = io.read_books(path)
    rows = data.counts["rows"]
    assert 100 < rows < 2000
    assert data.counts["files_truncated"] == 1
    assert 0 <= data.counts["bytes_cut"] < len(books[0]) + 20
    assert data.counts["rows_without_partner"] == 2000 - rows
    np.testing.assert_array_equal(data.only().book.bid_size[:, 0], [int(row.split(",")[3]) for row in books[:rows]])


def test_a_torn_last_line_of_a_plain_file_is_not_taken_for_a_number(tmp_path: Path) -> None:
    path = write_lobster(tmp_path, MESSAGES, BOOKS)
    for name in (path, tmp_path / path.name.replace("message", "orderbook")):
        name.write_bytes(name.read_bytes()[:-2])
    data = io.read_books(path)
    assert (data.counts["rows"], data.counts["torn_lines"]) == (4, 2)


def test_negative_sizes_are_skipped_and_crossed_books_kept(tmp_path: Path) -> None:
    messages = [f"34200.{n},1,1,1,1,1" for n in range(1, 5)]
    good, crossed = f"200,5,100,5,{EMPTY}", f"100,5,200,5,{EMPTY}"
    path = write_lobster(tmp_path, messages, [good, f"200,-5,100,5,{EMPTY}", crossed, f"{EMPTY},{EMPTY}"])
    data = io.read_books(path)
    assert {name: data.counts[name] for name in ("rows", "negative", "crossed_kept", "empty_side_kept")} == {
        "rows": 3, "negative": 1, "crossed_kept": 1, "empty_side_kept": 1
    }  # fmt: skip
    assert lob.check(data.only()).counts["crossed"] == 1


def test_a_clock_that_jumps_back_is_counted(tmp_path: Path) -> None:
    messages = ["34200.2,1,1,1,1,1", "34200.1,1,1,1,1,1", "34200.3,1,1,1,1,1"]
    data = io.read_books(write_lobster(tmp_path, messages, [f"200,5,100,5,{EMPTY}"] * 3))
    assert data.counts["clock_went_back"] == 1
    assert np.diff(data.only().time_ns)[0] < 0  # kept: lob.clean sorts


def test_a_name_without_a_date(tmp_path: Path) -> None:
    with pytest.raises(io.DataError, match="expected a name as LOBSTER gives it"):
        io.read_books(write(tmp_path / "messages.csv", MESSAGES[0]), format="lobster")


def test_a_day_of_amzn(amzn: io.BookData) -> None:
    series, messages = amzn.only(), amzn.messages
    assert messages is not None
    assert len(series) == len(messages) == 155_935
    assert amzn.counts["messages_hidden_execution"] == 2_445
    assert (np.diff(series.time_ns) >= 0).all()
    found = lob.check(series)
    assert not found.crossed.any()
    assert found.ok
    assert series.time_ns[0] == MIDNIGHT_NS + 34_200_017_459_617
    np.testing.assert_array_equal(series.book.ask_price[0], [223.95, 223.99, 224.00, 224.25, 224.40])
    np.testing.assert_array_equal(series.book.bid_size[0], [100, 200, 100, 10, 100])
    visible = np.flatnonzero(messages.type == io.LobsterEvent.VISIBLE_EXECUTION)
    before = np.where(
        messages.side[visible] > 0, series.book.bid_price[visible - 1, 0], series.book.ask_price[visible - 1, 0]
    )
    np.testing.assert_array_equal(messages.price[visible], before)
    assert "executions_off_touch" not in amzn.counts


def test_aapl_at_1_and_10_levels(data: Path) -> None:
    one = io.read_books(data / "lobster/AAPL_2012-06-21_34200000_57600000_orderbook_1.csv.gz")
    ten = io.read_books(data / "lobster/AAPL_2012-06-21_34200000_57600000_message_10.first999rows.csv.gz")
    assert (len(one.only()), len(ten.only())) == (118_497, 999)
    assert lob.check(one.only()).ok
    assert lob.check(ten.only()).ok
    # At every change of the best quotes both files say the same.
    times, rows, others = np.intersect1d(one.only().time_ns, ten.only().time_ns, return_indices=True)
    assert len(times) > 200
    assert one.messages is not None
    assert ten.messages is not None
    same = one.messages.order_id[rows] == ten.messages.order_id[others]
    bids = one.only().book.bid_price[rows, 0], ten.only().book.bid_price[others, 0]
    np.testing.assert_array_equal(bids[0][same], bids[1][same])


def test_messages_without_books(data: Path) -> None:
    with pytest.raises(FileNotFoundError, match="orderbook_50"):
        io.read_books(data / "lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz")
