"""The sampler: which books are taken, when, and what is counted instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from feeds.counters import Counters
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate
from feeds.recording.sampler import BookRow, BookSampler, to_interval_ns
from feeds.venue import Output

SECOND = 10**9


@dataclass
class FakeBook:
    last_id: int = 1
    beyond_from: int = 10**9

    def top(self, levels: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        return ((100, self.last_id),)[:levels], ((101, 5),)[:levels]

    def beyond_snapshot(self, levels: int) -> bool:
        return self.last_id >= self.beyond_from


@dataclass
class FakeSync:
    book: FakeBook | None = field(default_factory=FakeBook)
    exchange_ns: int = 7


def sampled(times: list[float], *, interval_ns: int | None = SECOND, after_ns: int = 0) -> tuple[list[float], Counters]:
    """Times of the rows of one symbol, whose book changes at every input."""
    books: Any = {"A": FakeSync()}
    counters = Counters()
    sampler = BookSampler(["A"], 5, interval_ns, counters=counters, after_ns=after_ns)
    rows: list[BookRow] = []
    for number, time in enumerate(times):
        item = Input(round(time * SECOND), InputKind.FRAME)
        rows += sampler.before(item, books)
        books["A"].book.last_id += 1
        update = DepthUpdate("A", number, number, (), ())
        rows += sampler.after(item, Output([update]), books)
    return [row.time_ns / SECOND for row in rows], counters


def test_a_book_is_taken_at_each_multiple_of_the_interval() -> None:
    times, counters = sampled([0.5, 0.9, 1.2, 1.9, 2.0, 2.5, 3.1])
    assert times == [1.0, 2.0, 3.0]
    assert not counters


def test_rows_that_reach_beyond_the_snapshot_are_counted() -> None:
    books: Any = {"A": FakeSync(FakeBook(1, beyond_from=2)), "B": FakeSync()}
    sampler = BookSampler(["A", "B"], 5, SECOND)
    for number in range(4):
        assert len(sampler.before(Input(number * SECOND, InputKind.FRAME), books)) == (2 if number else 0)
        books["A"].book.last_id += number > 0
    assert sampler.counters == {"beyond_snapshot": 2, "beyond_snapshot:A": 2}


def test_a_row_shows_the_book_before_the_input_that_passes_the_boundary() -> None:
    books: Any = {"A": FakeSync(FakeBook(41))}
    sampler = BookSampler(["A"], 5, SECOND)
    sampler.before(Input(SECOND // 2, InputKind.FRAME), books)
    books["A"].book.last_id = 42
    (row,) = sampler.before(Input(SECOND, InputKind.FRAME), books)
    assert (row.time_ns, row.exchange_ns, row.last_update_id) == (SECOND, 7, 42)
    assert (row.bids, row.asks) == (((100, 42),), ((101, 5),))


def test_boundaries_in_a_hole_are_counted_and_not_invented() -> None:
    times, counters = sampled([0.5, 1.5, 7.3, 8.1])
    assert times == [1.0, 2.0, 8.0]
    assert counters["samples_missed"] == 5


def test_a_clock_that_jumps_back_gives_no_decreasing_time() -> None:
    times, counters = sampled([0.5, 1.5, 3.5, 1.7, 2.2, 3.6, 4.1])
    assert times == [1.0, 2.0, 4.0]
    assert counters["sampler_clock_back"] == 1
    assert counters["samples_missed"] == 1 + 2  # 3 in the hole; 2 and 3 again after the jump


def test_after_a_jump_back_a_hole_may_reach_past_where_the_clock_had_been() -> None:
    times, counters = sampled([0.5, 2.5, 0.7, 5.5])
    assert times == [1.0, 3.0]
    assert counters["samples_missed"] == 1 + 4


def test_no_row_comes_before_the_sessions_before() -> None:
    times, counters = sampled([0.5, 1.5, 2.5, 3.5], after_ns=2 * SECOND + 1)
    assert times == [3.0]
    assert counters["samples_missed"] == 2


def test_without_an_interval_every_change_is_a_row() -> None:
    times, counters = sampled([0.5, 0.6, 0.55, 0.7], interval_ns=None)
    assert times == [0.5, 0.6, 0.6, 0.7]
    assert counters["sampler_clock_back"] == 1


def test_without_an_interval_what_changes_nothing_gives_no_row() -> None:
    books: Any = {"A": FakeSync(), "B": FakeSync(None)}
    sampler = BookSampler(["A", "B"], 5, None)
    item = Input(5, InputKind.FRAME)
    update = Output([DepthUpdate("A", 1, 1, (), ()), DepthUpdate("B", 1, 1, (), ()), DepthUpdate("C", 1, 1, (), ())])
    assert len(sampler.after(item, update, books)) == 1
    assert sampler.after(item, update, books) == []
    assert sampler.after(item, Output(), books) == []


def test_a_book_that_is_not_in_sync_is_counted() -> None:
    books: Any = {"A": FakeSync(None), "B": FakeSync()}
    counters = Counters()
    sampler = BookSampler(["A", "B"], 5, SECOND, counters=counters)
    rows = [row for time in range(4) for row in sampler.before(Input(time * SECOND, InputKind.TIMER), books)]
    assert [row.symbol for row in rows] == ["B"] * 3
    assert counters == {"not_synced": 3, "not_synced:A": 3}


@pytest.mark.parametrize("interval", [0, -1.0, 1e-12, float("nan")])
def test_intervals_must_be_positive(interval: float) -> None:
    with pytest.raises(ValueError, match="interval"):
        to_interval_ns(interval)


def test_levels_and_interval_are_checked() -> None:
    with pytest.raises(ValueError, match="level"):
        BookSampler(["A"], 0, None)
    with pytest.raises(ValueError, match="interval"):
        BookSampler(["A"], 1, 0)
    assert to_interval_ns(None) is None
    assert to_interval_ns(0.1) == 100_000_000
    assert cast(int, to_interval_ns(1)) == SECOND
