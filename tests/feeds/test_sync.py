"""The book-sync machine: reference vectors, every way to lose a book, and random streams beside the truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.faults import REASONS, Fault
from feeds.messages import DepthUpdate, Level, Snapshot
from feeds.sync import BookSync, FuturesRules, SpotRules, StateChange, SyncEvent, SyncState
from tests.reference.dict_book import TrueStream

BIDS: tuple[Level, ...] = (("10", "1"),)
ASKS: tuple[Level, ...] = (("11", "1"),)


def spot(first: int, last: int, bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()) -> DepthUpdate:
    return DepthUpdate("X", first, last, bids, asks, exchange_ns=last * 10, received_ns=last)


def futures(first: int, last: int, previous: int) -> DepthUpdate:
    return DepthUpdate("X", first, last, (), (), last * 10, last, previous)


def snapshot(last_id: int, bids: tuple[Level, ...] = BIDS, asks: tuple[Level, ...] = ASKS) -> Snapshot:
    return Snapshot("X", last_id, bids, asks, received_ns=last_id)


def started(rules: SpotRules | FuturesRules | None = None, max_buffered: int = 100) -> BookSync:
    sync = BookSync("X", rules or SpotRules(), max_buffered=max_buffered)
    sync.start(1)
    return sync


def synced(last_id: int = 100) -> BookSync:
    sync = started()
    sync.update(spot(last_id, last_id))
    sync.snapshot(snapshot(last_id))
    assert sync.state is SyncState.SYNCED
    return sync


def faults(events: list[SyncEvent]) -> list[str]:
    return [event.counter for event in events if isinstance(event, Fault)]


def states(events: list[SyncEvent]) -> list[SyncState]:
    return [event.new for event in events if isinstance(event, StateChange)]


def last_id(sync: BookSync) -> int:
    assert sync.book is not None
    return sync.book.last_id


class TestReferenceVectors:
    """Reference case C9."""

    def test_spot(self) -> None:
        sync = started()
        assert sync.update(spot(157, 160)) == []
        assert sync.wants_snapshot
        events = sync.snapshot(snapshot(160))
        assert faults(events) == ["before_snapshot"]
        assert states(events) == [SyncState.SYNCED]
        assert sync.update(spot(161, 163)) == [spot(161, 163)]
        assert sync.update(spot(164, 165)) == [spot(164, 165)]
        assert last_id(sync) == 165
        events = sync.update(spot(167, 168))
        assert (faults(events), states(events)) == (["gap"], [SyncState.STALE])
        assert sync.book is None
        assert sync.wants_snapshot

    def test_spot_all_buffered_first(self) -> None:
        sync = started()
        for first, last in ((157, 160), (161, 163), (164, 165)):
            sync.update(spot(first, last))
        events = sync.snapshot(snapshot(160))
        assert events[1:4] == [snapshot(160), spot(161, 163), spot(164, 165)]
        assert last_id(sync) == 165

    def test_spot_snapshot_too_old(self) -> None:
        sync = started()
        sync.update(spot(157, 160))
        assert faults(sync.snapshot(snapshot(150))) == ["snapshot_too_old"]
        assert sync.state is SyncState.BUFFERING
        assert sync.wants_snapshot
        assert states(sync.snapshot(snapshot(156))) == [SyncState.SYNCED]
        assert last_id(sync) == 160

    def test_futures(self) -> None:
        sync = started(FuturesRules())
        sync.update(futures(90, 100, 80))
        events = sync.snapshot(snapshot(100))
        assert events[:2] == [snapshot(100), futures(90, 100, 80)]
        assert sync.update(futures(130, 140, 100)) == [futures(130, 140, 100)]
        assert faults(sync.update(futures(150, 160, 145))) == ["gap"]
        assert sync.state is SyncState.STALE

    def test_futures_snapshot_in_a_hole_of_the_identifiers(self) -> None:
        sync = started(FuturesRules())
        sync.update(futures(90, 100, 80))
        sync.snapshot(snapshot(115))
        assert last_id(sync) == 115
        assert sync.update(futures(130, 140, 100)) == [futures(130, 140, 100)]

    def test_futures_snapshot_too_old(self) -> None:
        sync = started(FuturesRules())
        sync.update(futures(90, 100, 80))
        assert faults(sync.snapshot(snapshot(79))) == ["snapshot_too_old"]


@pytest.mark.parametrize(("first", "last"), [(160, 161), (161, 161), (150, 170)])
def test_spot_bridges(first: int, last: int) -> None:
    sync = started()
    sync.update(spot(first, last))
    sync.snapshot(snapshot(160))
    assert last_id(sync) == last


def test_a_snapshot_before_any_update_waits_for_the_first() -> None:
    sync = started()
    assert sync.snapshot(snapshot(160)) == []
    assert sync.state is SyncState.BUFFERING
    assert not sync.wants_snapshot
    assert states(sync.update(spot(161, 162))) == [SyncState.SYNCED]
    assert last_id(sync) == 162


def test_a_waiting_snapshot_can_be_too_old() -> None:
    sync = started()
    sync.snapshot(snapshot(160))
    assert faults(sync.update(spot(163, 164))) == ["snapshot_too_old"]
    assert sync.wants_snapshot


def test_repeated_and_late_updates_are_counted_and_ignored() -> None:
    sync = synced(100)
    sync.update(spot(101, 102, bids=(("9", "1"),)))
    before = sync.book.digest() if sync.book else ""
    assert faults(sync.update(spot(101, 102, bids=(("9", "7"),)))) == ["repeated"]
    assert faults(sync.update(spot(90, 95, bids=(("9", "-7"),)))) == ["before_snapshot"]
    assert sync.book is not None
    assert sync.book.digest() == before
    assert sync.counters["repeated:X"] == 1


def test_a_gap_keeps_the_last_good_book_apart_and_mends() -> None:
    sync = synced(100)
    good = sync.book
    sync.update(spot(105, 106))
    assert (sync.state, sync.book, sync.stale_book) == (SyncState.STALE, None, good)
    assert states(sync.snapshot(snapshot(104))) == [SyncState.SYNCED]
    assert sync.stale_book is None
    assert last_id(sync) == 106
    assert good is not None
    assert good.last_id == 100


def test_a_gap_within_the_buffer_keeps_what_follows_it() -> None:
    sync = started()
    for first, last in ((101, 102), (103, 104), (107, 108)):
        sync.update(spot(first, last))
    assert faults(sync.snapshot(snapshot(101))) == ["gap"]
    assert sync.state is SyncState.BUFFERING
    assert sync.num_buffered == 1
    sync.snapshot(snapshot(106))
    assert last_id(sync) == 108


def test_a_crossed_book_is_thrown_away() -> None:
    sync = synced(100)
    events = sync.update(spot(101, 101, bids=(("11", "1"),)))
    assert (faults(events), states(events)) == (["crossed"], [SyncState.STALE])
    assert (sync.book, sync.stale_book) == (None, None)
    assert sync.wants_snapshot
    sync.update(spot(102, 102))
    assert states(sync.snapshot(snapshot(101))) == [SyncState.SYNCED]


@pytest.mark.parametrize("bad", [("10", "-1"), ("10", "NaN"), ("nan", "1"), ("10", "1e3")])
def test_a_malformed_update_resynchronises(bad: Level) -> None:
    sync = synced(100)
    good = sync.book.digest() if sync.book else ""
    events = sync.update(spot(101, 101, bids=(("9", "9"), bad)))
    assert (faults(events), states(events)) == (["malformed"], [SyncState.STALE])
    assert sync.stale_book is not None
    assert sync.stale_book.digest() == good  # all or nothing
    sync.update(spot(102, 102))
    assert faults(sync.snapshot(snapshot(100))) == ["snapshot_too_old"]
    assert states(sync.snapshot(snapshot(101))) == [SyncState.SYNCED]


def test_identifiers_that_run_backwards_are_malformed() -> None:
    assert faults(synced(100).update(spot(103, 101))) == ["malformed"]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([spot(101, 101, bids=(("10", "x"),)), spot(102, 102)], "malformed"),
        ([spot(101, 101, bids=(("12", "1"),)), spot(102, 102)], "crossed"),
    ],
)
def test_a_bad_update_in_the_buffer(events: list[DepthUpdate], reason: str) -> None:
    sync = started()
    for event in events:
        sync.update(event)
    assert faults(sync.snapshot(snapshot(100))) == [reason]
    assert (sync.state, sync.num_buffered) == (SyncState.BUFFERING, 1)
    assert states(sync.snapshot(snapshot(101))) == [SyncState.SYNCED]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(snapshot(100, bids=(("12", "1"),)), "crossed"), (snapshot(100, bids=(("12", "-1"),)), "malformed")],
)
def test_a_bad_snapshot_is_asked_for_again(bad: Snapshot, reason: str) -> None:
    sync = started()
    sync.update(spot(101, 101))
    assert faults(sync.snapshot(bad)) == [reason]
    assert sync.wants_snapshot
    assert states(sync.snapshot(snapshot(100))) == [SyncState.SYNCED]


def test_an_empty_book_is_a_book() -> None:
    sync = started()
    sync.update(spot(101, 101))
    sync.snapshot(snapshot(100, bids=(), asks=()))
    assert sync.book is not None
    assert sync.book.top(5) == ((), ())


def test_the_buffer_is_bounded() -> None:
    sync = started(max_buffered=3)
    counted = [faults(sync.update(spot(number, number))) for number in range(101, 106)]
    assert counted == [[], [], [], ["buffer_overflow"], ["buffer_overflow"]]
    assert faults(sync.snapshot(snapshot(100))) == ["snapshot_too_old"]
    assert sync.wants_snapshot
    sync.snapshot(snapshot(104))
    assert last_id(sync) == 105


def test_reordered_updates_in_the_buffer_are_put_in_order() -> None:
    sync = started()
    assert [faults(sync.update(spot(number, number))) for number in (101, 103, 102)] == [[], [], ["reordered"]]
    sync.snapshot(snapshot(100))
    assert last_id(sync) == 103


def test_the_stream_is_lost_and_comes_back() -> None:
    sync = synced(100)
    assert states(sync.stop(5, "disconnected")) == [SyncState.STALE]
    assert sync.stale_book is not None
    assert not sync.wants_snapshot
    assert faults(sync.update(spot(101, 101))) == ["unwanted_update"]
    assert faults(sync.snapshot(snapshot(101))) == ["unwanted_snapshot"]
    assert sync.start(6) == []  # stale until it is in sync again
    sync.update(spot(105, 105))
    assert states(sync.snapshot(snapshot(104))) == [SyncState.SYNCED]


def test_a_stream_lost_before_the_snapshot() -> None:
    sync = started()
    assert states(sync.stop(5, "disconnected")) == [SyncState.DISCONNECTED]


def test_abandon_forgets_everything() -> None:
    sync = synced(100)
    assert states(sync.abandon(5, "unknown symbol")) == [SyncState.DISCONNECTED]
    assert (sync.book, sync.stale_book, sync.last_change_ns) == (None, None, 0)
    assert sync.abandon(6, "again") == []


def test_a_snapshot_while_in_sync_is_ignored() -> None:
    sync = synced(100)
    assert faults(sync.snapshot(snapshot(200))) == ["unwanted_snapshot"]
    assert last_id(sync) == 100


def test_times_are_of_the_last_thing_taken_in() -> None:
    sync = synced(100)
    sync.update(spot(101, 105))
    sync.update(spot(101, 105))
    assert (sync.last_change_ns, sync.exchange_ns) == (105, 1050)


def test_size_of_the_buffer_is_checked() -> None:
    with pytest.raises(ValueError, match="max_buffered"):
        BookSync("X", SpotRules(), max_buffered=0)


fate = st.sampled_from(["pass"] * 8 + ["drop", "repeat", "swap", "late", "malformed", "restart"])


@given(st.integers(0, 10**6), st.booleans(), st.lists(fate, min_size=5, max_size=40), st.data())
def test_a_book_in_sync_is_always_the_true_book(
    seed: int, chained: bool, fates: list[str], data: st.DataObject
) -> None:
    """Whatever is dropped, repeated, reordered or broken, a book is right as of its last update or not handed out."""
    truth = TrueStream(seed, len(fates), chained)
    sync = started(FuturesRules() if chained else SpotRules(), max_buffered=8)
    told: list[SyncEvent] = []

    def check(events: list[SyncEvent]) -> None:
        told.extend(events)
        assert (sync.book is not None) == (sync.state is SyncState.SYNCED)
        if sync.book is not None:
            assert sync.book.top(1000) == truth.tops[sync.book.last_id]

    held: list[DepthUpdate] = []
    for number, (update, what) in enumerate(zip(truth.updates, fates, strict=True)):
        match what:
            case "drop":
                arrivals = []
            case "repeat":
                arrivals = [update, update]
            case "swap":
                held.append(update)
                arrivals = []
            case "late":
                arrivals = [update, truth.updates[max(0, number - 3)]]
            case "malformed":
                arrivals = []
                check(sync.skip(update.received_ns, "malformed"))
            case "restart":
                check(sync.stop(update.received_ns, "disconnected"))
                check(sync.start(update.received_ns))
                arrivals = [update]
            case _:
                arrivals = [update, *held]
                held.clear()
        for arrival in arrivals:
            check(sync.update(arrival))
        if sync.wants_snapshot and data.draw(st.booleans()):
            # of any moment up to a little ahead of the stream
            moment = data.draw(st.integers(max(0, number - 4), min(number + 3, len(fates))))
            check(sync.snapshot(truth.snapshots[moment]))
    # a reader who follows the events has the same book
    counted = [event.counter for event in told if isinstance(event, Fault)]
    assert set(counted) <= set(REASONS)
    assert sync.counters.totals() == {name: counted.count(name) for name in sorted(set(counted))}


@given(st.integers(0, 10**6), st.booleans())
def test_an_unbroken_stream_is_applied_whole(seed: int, chained: bool) -> None:
    truth = TrueStream(seed, 20, chained)
    sync = started(FuturesRules() if chained else SpotRules())
    for number, update in enumerate(truth.updates):
        sync.update(update)
        if number == 5:
            sync.snapshot(truth.snapshots[3])
    assert sync.book is not None
    assert sync.book.top(1000) == truth.tops[truth.updates[-1].last_id]
    assert sync.counters["gap"] == 0
