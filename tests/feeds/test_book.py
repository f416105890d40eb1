"""The order book beside a dict that is sorted whenever it is looked at."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.book import OrderBook
from feeds.errors import MalformedMessage
from feeds.messages import DepthUpdate, Level, Snapshot
from tests.reference.dict_book import DictBook

UNIT = 10**8


def update(bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = (), last_id: int = 2) -> DepthUpdate:
    return DepthUpdate("X", last_id, last_id, bids, asks)


def loaded(bids: tuple[Level, ...] = (("10", "1"), ("9", "2")), asks: tuple[Level, ...] = (("11", "3"),)) -> OrderBook:
    book = OrderBook()
    book.load(Snapshot("X", 1, bids, asks))
    return book


def test_best_first_in_units() -> None:
    book = loaded(bids=(("9", "2"), ("10", "1"), ("8", "0")), asks=(("12", "1"), ("11", "0.5")))
    assert book.top(5) == (
        ((10 * UNIT, UNIT), (9 * UNIT, 2 * UNIT)),
        ((11 * UNIT, UNIT // 2), (12 * UNIT, UNIT)),
    )
    assert book.top(1) == (((10 * UNIT, UNIT),), ((11 * UNIT, UNIT // 2),))
    assert book.top(0) == ((), ())
    assert book.num_levels == (2, 2)
    assert book.last_id == 1


def test_sizes_are_absolute_and_zero_removes() -> None:
    book = loaded()
    book.apply(
        update(bids=(("10", "5"), ("9.0", "0.00000000"), ("7", "0"), ("8", "1")), asks=(("11", "0"),), last_id=9)
    )
    assert book.top(5) == (((10 * UNIT, 5 * UNIT), (8 * UNIT, UNIT)), ())
    assert book.last_id == 9


def test_the_last_of_repeated_prices_wins() -> None:
    book = loaded()
    book.apply(update(bids=(("10", "5"), ("10.00", "0"), ("10", "7"))))
    assert book.top(1)[0] == ((10 * UNIT, 7 * UNIT),)


@pytest.mark.parametrize(
    ("bids", "asks", "crossed"),
    [
        ((("10", "1"),), (("11", "1"),), False),
        ((("11", "1"),), (("11", "1"),), True),
        ((("12", "1"),), (("11", "1"),), True),
        ((), (("11", "1"),), False),
        ((("12", "1"),), (), False),
        ((), (), False),
    ],
)
def test_crossed(bids: tuple[Level, ...], asks: tuple[Level, ...], crossed: bool) -> None:
    assert loaded(bids, asks).crossed is crossed


@pytest.mark.parametrize("bad", [("10", "-1"), ("10", "NaN"), ("-10", "1"), ("0", "1"), ("1e3", "1"), ("10", "")])
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_nothing_of_a_bad_update_is_applied(bad: Level, side: str) -> None:
    book = loaded()
    before = book.digest(), book.last_id
    with pytest.raises(MalformedMessage):
        book.apply(update(**{"bids": (("10", "9"),), side: (("10.5", "4"), bad)}))
    with pytest.raises(MalformedMessage):
        book.load(Snapshot("X", 5, **{"bids": (("10", "9"),), "asks": (), side: (bad,)}))
    assert (book.digest(), book.last_id) == before


def test_digest_is_of_the_documented_text() -> None:
    text = "B1000000000:100000000;900000000:200000000A1100000000:300000000"
    assert loaded().digest() == blake2b(text.encode(), digest_size=8).hexdigest()
    assert OrderBook().digest() == blake2b(b"BA", digest_size=8).hexdigest()


levels = st.lists(
    st.tuples(st.integers(1, 60).map(lambda n: f"{n / 4:.2f}"), st.sampled_from(["0", "1", "2.5", "0.00000001"])),
    max_size=6,
).map(tuple)


@given(st.lists(st.tuples(levels, levels), max_size=30), st.integers(0, 30))
def test_equals_the_reference(steps: list[tuple[tuple[Level, ...], tuple[Level, ...]]], num_levels: int) -> None:
    book, reference = loaded((), ()), DictBook()
    for bids, asks in steps:
        book.apply(update(bids, asks))
        reference.apply(bids, asks)
        assert book.top(num_levels) == reference.top(num_levels)
    everything = reference.top(1000)
    assert book.num_levels == (len(everything[0]), len(everything[1]))
    again = loaded(*(tuple((str(p / UNIT), f"{s / UNIT:.8f}") for p, s in side) for side in everything))
    assert again.digest() == book.digest()  # however it came to be


def test_the_horizon_of_a_snapshot_that_was_cut_off() -> None:
    book = OrderBook()
    bids, asks = (("10", "1"), ("9", "1"), ("8", "1")), (("11", "1"), ("12", "1"))
    book.load(Snapshot("X", 1, bids, asks), 3)
    assert [book.beyond_snapshot(levels) for levels in (0, 2, 3, 4)] == [False, False, False, True]
    book.apply(DepthUpdate("X", 2, 2, (("9", "0"), ("7", "1")), ()))  # between 8 and 7 others may rest
    assert [book.beyond_snapshot(levels) for levels in (2, 3)] == [False, True]
    book.apply(DepthUpdate("X", 3, 3, (("9.5", "1"),), ()))
    assert not book.beyond_snapshot(3)
    book.load(Snapshot("X", 4, bids, asks), 2)  # the asks, too
    assert [book.beyond_snapshot(levels) for levels in (2, 3)] == [False, True]
    for depth_limit in (4, None):  # all there was
        book.load(Snapshot("X", 5, bids, asks), depth_limit)
        assert not book.beyond_snapshot(100)
