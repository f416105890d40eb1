import json
from itertools import pairwise

import pytest

from feeds.counters import Counters
from feeds.mock import Faults
from feeds.mock.faults import FaultInjector

SECOND = 10**9


def make(faults: Faults, connection: int = 1):
    counters, cuts = Counters(), []
    return FaultInjector(faults, connection, 0, counters, lambda: cuts.append(True)), counters, cuts


def send(injector: FaultInjector, count: int, streams=("a", "b")) -> list[str]:
    sent = []
    for number in range(count):
        stream = streams[number % len(streams)]
        sent += injector.pass_on(stream, json.dumps({"s": stream, "n": number}), number * SECOND)
    return sent


def numbers(texts: list[str]) -> list[int]:
    return [json.loads(text)["n"] for text in texts]


def test_nothing_happens_by_itself():
    injector, counters, cuts = make(Faults())
    assert numbers(send(injector, 100)) == list(range(100))
    assert not counters
    assert not cuts


def test_drop():
    injector, counters, _ = make(Faults(drop=0.2))
    got = numbers(send(injector, 500))
    assert got == sorted(set(got))
    assert counters["fault_drop"] == 500 - len(got)
    assert 60 < counters["fault_drop"] < 140


def test_repeat():
    injector, counters, _ = make(Faults(repeat=0.2))
    got = numbers(send(injector, 500))
    assert got == sorted(got)
    assert sorted(set(got)) == list(range(500))
    assert counters["fault_repeat"] == len(got) - 500 > 60


def test_reorder_changes_places_within_a_stream():
    injector, counters, _ = make(Faults(reorder=0.2))
    sent = [json.loads(text) for text in send(injector, 500)]
    assert counters["fault_reorder"] > 40
    swaps = 0
    for stream in ("a", "b"):
        got = [message["n"] for message in sent if message["s"] == stream]
        swaps += sum(a > b for a, b in pairwise(got))
        assert max(abs(place * 2 + (stream == "b") - number) for place, number in enumerate(got)) <= 2
    # One that waits at the end has not come back yet.
    assert counters["fault_reorder"] - 2 <= swaps <= counters["fault_reorder"]


def test_garbage_comes_in_addition():
    injector, counters, _ = make(Faults(garbage=0.2))
    sent = send(injector, 500)
    whole = [text for text in sent if text.endswith("}")]
    assert numbers(whole) == list(range(500))
    assert counters["fault_garbage"] == len(sent) - 500 > 60


def test_stall_keeps_everything_and_gives_it_in_order():
    injector, counters, _ = make(Faults(stall_every_s=20.0, stall_s=5.0))
    sent = []
    sizes = []
    for number in range(300):
        got = injector.pass_on("a", json.dumps({"n": number}), number * SECOND)
        sizes.append(len(got))
        sent += got
    sent += injector.hold([], 1_000 * SECOND)
    assert numbers(sent + injector.hold([], 2_000 * SECOND)) == list(range(300))
    assert counters["fault_stall"] > 4
    assert max(sizes) >= 5
    assert sizes.count(0) >= 4 * 4


def test_disconnects_come_by_the_clock():
    injector, counters, cuts = make(Faults(disconnect_every_s=10.0))
    send(injector, 200)
    assert cuts == [True]
    assert counters["fault_disconnect"] == 1


def test_on_request():
    injector, counters, cuts = make(Faults())
    injector.order("drop", 2, 1.0, 0)
    assert numbers(send(injector, 5)) == [2, 3, 4]
    injector.order("stall", 1, 3.0, 100 * SECOND)
    assert injector.pass_on("a", "x", 101 * SECOND) == []
    assert injector.hold([], 103 * SECOND) == ["x"]
    injector.order("disconnect", 1, 1.0, 0)
    assert cuts == [True]
    assert counters.totals() == {"fault_disconnect": 1, "fault_drop": 2, "fault_stall": 1}


def test_draws_are_seeded_by_connection():
    faults = Faults(drop=0.5, garbage=0.1)
    first, second, other = (send(make(faults, connection)[0], 100) for connection in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize(
    "wrong", [{"drop": 1.5}, {"repeat": -0.1}, {"stall_every_s": 0.0}, {"disconnect_every_s": -1.0}]
)
def test_wrong_chances_are_refused(wrong):
    with pytest.raises(ValueError, match="probabilities"):
        Faults(**wrong)
