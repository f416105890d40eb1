"""Binance as a pure machine: what it asks for, what it makes of every kind of frame and answer, and how it recovers."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.binance import BinanceFutures, BinanceSpot, Limits, venue_from_description
from feeds.errors import MalformedMessage
from feeds.faults import REASONS, Fault
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate, Snapshot, Trade
from feeds.sync import StateChange, SyncState
from feeds.venue import Connect, Disconnect, Fetch, Output, Send

SECOND = 10**9


def depth(first: int, last: int, symbol: str = "AAA", bids: Any = (), asks: Any = (), **more: Any) -> dict[str, Any]:
    return {
        "e": "depthUpdate",
        "E": 1700000000000 + last,
        "s": symbol,
        "U": first,
        "u": last,
        "b": bids,
        "a": asks,
        **more,
    }


def trade(number: int, symbol: str = "AAA", **more: Any) -> dict[str, Any]:
    event = {
        "e": "trade",
        "E": 5,
        "s": symbol,
        "t": number,
        "p": "10",
        "q": "1",
        "T": 1700000000001,
        "m": True,
        "M": True,
    }
    return event | more


def body(last: int, bids: Any = (("10", "1"),), asks: Any = (("11", "1"),)) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


INFO = {
    "symbols": [
        {
            "symbol": symbol,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00100000"},
            ],
        }
        for symbol in ("AAA", "ZZZ")
    ]
}


class Driver:
    """Feeds a venue and keeps everything that it said; `now` is the only clock."""

    def __init__(self, venue: BinanceSpot | BinanceFutures | None = None, **options: Any) -> None:
        self.venue = venue or BinanceSpot(["AAA", "BBB"], **{"stall_after_s": 10_000, **options})
        self.now = 1000 * SECOND
        self.events: list[Any] = []

    def give(
        self, kind: InputKind, label: str = "-", status: int = 0, payload: bytes = b"", after: float = 0.01
    ) -> Output:
        self.now += round(after * SECOND)
        out = self.venue.process(Input(self.now, kind, label, status, payload))
        self.events += out.events
        return out

    def session(self) -> Output:
        return self.give(InputKind.SESSION, payload=self.venue.describe())

    def connected(self, number: int = 1) -> Output:
        return self.give(InputKind.CONNECTED, str(number), payload=b"wss://somewhere")

    def lost(self, number: int = 1, why: bytes = b"gone") -> Output:
        return self.give(InputKind.DISCONNECTED, str(number), payload=why)

    def frame(self, payload: dict[str, Any] | bytes, number: int = 1) -> Output:
        if isinstance(payload, dict):
            stream = f"{payload.get('s', 'aaa').lower()}@{payload.get('e', 'other').removesuffix('Update')}"
            payload = json.dumps({"stream": stream, "data": payload}).encode()
        return self.give(InputKind.FRAME, str(number), payload=payload)

    def answer(self, symbol: str, payload: bytes, status: int = 200) -> Output:
        return self.give(InputKind.RESPONSE, f"depth:{symbol}", status, payload)

    def timer(self, after: float = 1.0) -> Output:
        return self.give(InputKind.TIMER, after=after)

    def start(self, synced: bool = True) -> "Driver":
        self.session()
        self.give(InputKind.RESPONSE, "exchangeInfo", 200, b'{"symbols":[]}')
        self.connected()
        if synced:
            for symbol in ("AAA", "BBB"):
                self.frame(depth(101, 101, symbol))
                self.answer(symbol, body(100))
                assert self.state(symbol) is SyncState.SYNCED
        return self

    def state(self, symbol: str = "AAA") -> SyncState:
        return self.venue.books[symbol].state

    def last_id(self, symbol: str = "AAA") -> int:
        book = self.venue.books[symbol].book
        return book.last_id if book else 0


def faults(out: Output) -> list[str]:
    return [event.counter for event in out.events if isinstance(event, Fault)]


def fetches(out: Output) -> list[str]:
    return [action.key for action in out.actions if isinstance(action, Fetch)]


# -- start ------------------------------------------------------------------------------------------------------------


def test_a_session_connects_and_subscribes() -> None:
    driver = Driver(rest_url="http://rest/", stream_url="ws://stream/")
    info, connect = driver.session().actions
    assert connect == Connect(1, "ws://stream/stream")
    assert isinstance(info, Fetch)
    assert unquote(info.url) == 'http://rest/api/v3/exchangeInfo?symbols=["AAA","BBB"]'
    out = driver.connected()
    (send,) = out.actions
    assert isinstance(send, Send)
    assert json.loads(send.text) == {
        "method": "SUBSCRIBE",
        "params": ["aaa@depth@100ms", "bbb@depth@100ms", "aaa@trade", "bbb@trade"],
        "id": 1,
    }
    assert [event.new for event in out.events if isinstance(event, StateChange)] == [SyncState.BUFFERING] * 2
    assert driver.frame(b'{"result":null,"id":1}').events == []


def test_raw_streams_without_trades() -> None:
    driver = Driver(combined=False, trades=False)
    assert driver.session().actions[-1] == Connect(1, "wss://stream.binance.com:9443/ws")
    (send,) = driver.connected().actions
    assert isinstance(send, Send)
    assert json.loads(send.text)["params"] == ["aaa@depth@100ms", "bbb@depth@100ms"]
    assert fetches(driver.frame(json.dumps(depth(101, 101)).encode())) == ["depth:AAA"]


def test_many_symbols_take_several_connections() -> None:
    symbols = [f"S{number}" for number in range(600)]
    driver = Driver(BinanceSpot(symbols))
    connects = [action.connection for action in driver.session().actions if isinstance(action, Connect)]
    assert connects == [1, 2]
    for number, streams in ((1, 1024), (2, 176)):
        send = driver.connected(number).actions[0]
        assert isinstance(send, Send)
        assert len(json.loads(send.text)["params"]) == streams
    assert fetches(driver.frame(depth(1, 1, "S599"), number=2)) == ["depth:S599"]
    assert faults(driver.frame(depth(1, 1, "S599"), number=1)) == ["other_symbol"]


def test_the_first_update_fetches_the_snapshot_and_they_join() -> None:
    driver = Driver(depth_limit=500).start(synced=False)
    out = driver.frame(depth(99, 101, bids=[["10", "2"]]))
    assert out.actions == [Fetch("depth:AAA", "https://api.binance.com/api/v3/depth?symbol=AAA&limit=500", 25.0)]
    assert driver.frame(depth(102, 103)).actions == []  # one request at a time
    out = driver.answer("AAA", body(100))
    assert [type(event) for event in out.events] == [Snapshot, DepthUpdate, DepthUpdate, StateChange]
    assert driver.last_id() == 103
    assert driver.state("BBB") is SyncState.BUFFERING
    update = out.events[1]
    assert isinstance(update, DepthUpdate)
    assert update.exchange_ns == 1700000000101 * 10**6
    assert not driver.venue.counters


def test_a_silent_symbol_has_its_snapshot_fetched_after_a_while() -> None:
    driver = Driver().start(synced=False)
    assert fetches(driver.timer(1)) == []
    assert fetches(driver.timer(3)) == ["depth:AAA", "depth:BBB"]


def test_steps_of_price_and_size() -> None:
    driver = Driver().start()
    driver.give(InputKind.RESPONSE, "exchangeInfo", 200, json.dumps(INFO).encode())
    assert driver.venue.tick_sizes == {"AAA": "0.01000000"}
    assert driver.venue.lot_sizes == {"AAA": "0.00100000"}
    assert fetches(driver.timer(100)) == []


# -- requests that fail -----------------------------------------------------------------------------------------------


def test_an_old_snapshot_is_fetched_again_but_not_at_once() -> None:
    driver = Driver().start(synced=False)
    driver.frame(depth(101, 101))
    out = driver.answer("AAA", body(90))
    assert (faults(out), out.actions) == (["snapshot_too_old"], [])
    assert fetches(driver.frame(depth(102, 102))) == []
    assert fetches(driver.timer(1.0)) == ["depth:AAA"]


@pytest.mark.parametrize(("status", "wait"), [(0, 1), (429, 30), (418, 30), (500, 1), (503, 1), (403, 60)])
def test_a_failed_request_is_made_again_later(status: int, wait: float) -> None:
    driver = Driver().start(synced=False)
    driver.frame(depth(101, 101))
    assert faults(driver.answer("AAA", b"no", status)) == ["fetch_failed"]
    assert "depth:AAA" not in fetches(driver.timer(wait - 0.5))
    assert "depth:AAA" in fetches(driver.timer(1.0))


def test_failures_in_a_row_wait_longer() -> None:
    driver = Driver().start(synced=False)
    driver.frame(depth(101, 101))
    waits = []
    for _ in range(9):
        driver.answer("AAA", b"", 0)
        waits.append(0)
        while waits[-1] < 100 and "depth:AAA" not in fetches(driver.timer(1.0)):
            waits[-1] += 1
    assert waits == [0, 1, 3, 7, 15, 31, 59, 59, 59]


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b'{"lastUpdateId":1}', b'{"lastUpdateId":"1","bids":[],"asks":[]}'])
def test_a_malformed_body_is_a_failed_request(bad: bytes) -> None:
    driver = Driver().start(synced=False)
    driver.frame(depth(101, 101))
    assert faults(driver.answer("AAA", bad)) == ["malformed"]
    assert driver.state() is SyncState.BUFFERING
    assert "depth:AAA" in fetches(driver.timer(2.0))


def test_a_request_that_is_never_answered_is_made_again() -> None:
    driver = Driver(limits=Limits(answer_within_s=20)).start(synced=False)
    driver.frame(depth(101, 101))
    assert "depth:AAA" not in fetches(driver.timer(19))
    out = driver.timer(2)
    assert "fetch_lost" in faults(out)
    assert "depth:AAA" in fetches(out)


@pytest.mark.parametrize(("depth_limit", "weight"), [(100, 5.0), (101, 25.0), (500, 25.0), (1000, 50.0), (5000, 250.0)])
def test_a_snapshot_weighs_what_the_venue_says(depth_limit: int, weight: float) -> None:
    driver = Driver(depth_limit=depth_limit).start(synced=False)
    (fetch,) = driver.frame(depth(99, 101)).actions
    assert isinstance(fetch, Fetch)
    assert fetch.weight == weight


def test_an_unknown_symbol_is_left_alone() -> None:
    driver = Driver()
    driver.session()
    driver.connected()
    driver.give(InputKind.RESPONSE, "exchangeInfo", 400, b'{"code":-1121,"msg":"Invalid symbol."}')
    assert fetches(driver.timer(5)) == ["depth:AAA", "depth:BBB"]
    assert faults(driver.answer("BBB", b'{"code":-1121,"msg":"Invalid symbol."}', 400)) == ["unknown_symbol"]
    assert driver.state("BBB") is SyncState.DISCONNECTED
    assert driver.venue.unknown_symbols == {"BBB"}
    out = driver.timer(100)
    assert fetches(out) == ["exchangeInfo"]  # for those that are listed
    assert unquote(next(action.url for action in out.actions if isinstance(action, Fetch))).endswith('["AAA"]')
    driver.lost()
    driver.connected(2)
    assert driver.state("BBB") is SyncState.DISCONNECTED
    assert driver.state("AAA") is SyncState.BUFFERING


def test_another_refusal_is_no_unknown_symbol() -> None:
    driver = Driver().start(synced=False)
    driver.frame(depth(101, 101))
    assert faults(driver.answer("AAA", b'{"code":-1100,"msg":"Illegal characters"}', 400)) == ["fetch_failed"]


@pytest.mark.parametrize("status", [404, 0])
def test_exchange_info_is_not_needed(status: int) -> None:
    driver = Driver()
    driver.session()
    driver.connected()
    driver.frame(depth(101, 101))
    driver.answer("AAA", body(100))
    driver.give(InputKind.RESPONSE, "exchangeInfo", status, b"")
    assert driver.state() is SyncState.SYNCED
    assert ("exchangeInfo" in fetches(driver.timer(100))) is (status == 0)
    assert faults(driver.give(InputKind.RESPONSE, "exchangeInfo", 200, b"[]")) == ["malformed"]


def test_answers_to_nothing() -> None:
    driver = Driver().start()
    assert faults(driver.give(InputKind.RESPONSE, "depth:ZZZ", 200, body(1))) == ["unknown_response"]
    assert faults(driver.give(InputKind.RESPONSE, "what", 200, b"")) == ["unknown_response"]
    assert faults(driver.answer("AAA", body(500))) == ["unwanted_snapshot"]


# -- frames -----------------------------------------------------------------------------------------------------------


def test_a_gap_disturbs_its_symbol_alone() -> None:
    driver = Driver().start()
    driver.timer(2)
    out = driver.frame(depth(103, 104))
    assert (faults(out), fetches(out)) == (["gap"], ["depth:AAA"])
    assert (driver.state("AAA"), driver.state("BBB")) == (SyncState.STALE, SyncState.SYNCED)
    driver.answer("AAA", body(103))
    assert driver.last_id() == 104


def test_trades_come_once_and_in_order() -> None:
    driver = Driver().start()
    (event,) = driver.frame(trade(7)).events
    assert event == Trade("AAA", 7, "10", "1", -1, 1700000000001 * 10**6, driver.now)
    assert faults(driver.frame(trade(7))) == ["repeated_trade"]
    assert faults(driver.frame(trade(6))) == ["repeated_trade"]
    (event,) = driver.frame(trade(8, m=False)).events
    assert isinstance(event, Trade)
    assert event.side == 1
    out = driver.frame(trade(12))
    assert (faults(out), driver.venue.counters["missed_trades:AAA"]) == (["missed_trades"], 3)
    (event,) = driver.frame(trade(0) | {"e": "aggTrade", "a": 3}).events  # numbered apart
    assert isinstance(event, Trade)
    assert event.trade_id == 3


@pytest.mark.parametrize("bad", [{"q": "-1"}, {"q": "NaN"}, {"p": "0"}, {"q": "0"}, {"p": 10.0}, {"t": -1}, {"m": "x"}])
def test_a_malformed_trade_is_skipped(bad: dict[str, Any]) -> None:
    driver = Driver().start()
    assert faults(driver.frame(trade(7) | bad)) == ["malformed"]
    assert driver.state() is SyncState.SYNCED


MALFORMED_DEPTH = [
    {"U": None},
    {"u": "102"},
    {"u": 2**70},
    {"b": None},
    {"b": [["10"]]},
    {"b": [[10, 1]]},
    {"a": [["11", "-1"]]},
    {"a": [["11", "NaN"]]},
    {"b": [["10", "Infinity"]]},
    {"E": -5},
    {"U": 103, "u": 102},
]


@pytest.mark.parametrize("bad", MALFORMED_DEPTH)
def test_a_malformed_update_resynchronises_its_symbol(bad: dict[str, Any]) -> None:
    driver = Driver().start()
    driver.timer(2)
    out = driver.frame(depth(102, 102) | bad)
    assert faults(out) == ["malformed"]
    assert (driver.state("AAA"), driver.state("BBB")) == (SyncState.STALE, SyncState.SYNCED)
    out = driver.frame(depth(103, 103))
    driver.answer("AAA", body(102))
    assert driver.last_id() == 103


def test_a_cut_off_update_resynchronises_its_symbol() -> None:
    driver = Driver().start()
    whole = json.dumps({"stream": "aaa@depth@100ms", "data": depth(102, 102)}).encode()
    for length in range(len(whole)):
        assert faults(driver.frame(whole[:length])) == ["malformed"]
    assert driver.state("AAA") is SyncState.STALE
    assert driver.state("BBB") is SyncState.SYNCED


@pytest.mark.parametrize(
    "bad", [b"", b"garbage", b"\xff\xfe\x00", b"[]", b"7", b"null", b"[" * 100_000, b'{"e":"\xff"}']
)
def test_garbage_is_counted(bad: bytes) -> None:
    driver = Driver().start()
    assert faults(driver.frame(bad)) == ["malformed"]
    assert driver.state() is SyncState.SYNCED


@pytest.mark.parametrize(
    ("payload", "counter"),
    [
        ({"e": "24hrTicker", "s": "AAA"}, "unused_event"),
        ({"u": 400, "s": "AAA", "b": "25.3", "B": "31.2", "a": "25.4", "A": "40.6"}, "unused_event"),
        ({"lastUpdateId": 160, "bids": [], "asks": []}, "unused_event"),
        ({"e": "brandNew", "s": "AAA"}, "unknown_event"),
        ({}, "unknown_event"),
        (depth(1, 1, "ZZZ"), "other_symbol"),
        (trade(1, "ZZZ"), "other_symbol"),
    ],
)
def test_other_frames_are_counted(payload: dict[str, Any], counter: str) -> None:
    driver = Driver().start()
    assert faults(driver.frame(payload)) == [counter]
    assert driver.state() is SyncState.SYNCED


def test_microseconds_are_told_from_milliseconds() -> None:
    driver = Driver().start()
    (event,) = driver.frame(depth(102, 102, E=1700000000000123)).events
    assert isinstance(event, DepthUpdate)
    assert event.exchange_ns == 1700000000000123 * 10**3


# -- connections ------------------------------------------------------------------------------------------------------


def test_a_lost_connection_is_replaced_and_books_are_stale_meanwhile() -> None:
    driver = Driver().start()
    out = driver.lost()
    assert (faults(out), out.actions) == (["disconnected"], [Connect(2, "wss://stream.binance.com:9443/stream")])
    book = driver.venue.books["AAA"]
    assert (book.state, book.book) == (SyncState.STALE, None)
    assert book.stale_book is not None
    assert faults(driver.frame(depth(102, 102))) == ["unknown_connection"]
    driver.connected(2)
    driver.timer(2)
    assert fetches(driver.frame(depth(110, 110), number=2)) == ["depth:AAA"]
    driver.answer("AAA", body(109))
    assert driver.last_id() == 110


def test_a_snapshot_from_before_the_reconnect_is_not_joined() -> None:
    driver = Driver().start(synced=False)
    driver.frame(depth(101, 101))
    driver.lost()
    driver.connected(2)
    driver.answer("AAA", body(101))
    assert faults(driver.frame(depth(110, 110), number=2)) == ["snapshot_too_old"]
    assert driver.state() is SyncState.BUFFERING


def test_a_connection_that_never_opened_is_tried_again() -> None:
    driver = Driver()
    driver.session()
    out = driver.lost(1, b"refused")
    assert out.actions == [Connect(2, "wss://stream.binance.com:9443/stream")]


def test_silence_ends_a_connection() -> None:
    driver = Driver(stall_after_s=5).start()
    assert driver.timer(4).actions == []
    out = driver.timer(2)
    assert faults(out) == ["stalled"]
    assert out.actions[:2] == [Disconnect(1, "stalled"), Connect(2, "wss://stream.binance.com:9443/stream")]
    assert driver.state() is SyncState.STALE
    assert faults(driver.frame(depth(102, 102))) == ["after_close"]
    assert driver.lost(1).events == []  # it was given up before
    driver.connected(2)
    assert faults(driver.lost(2)) == ["disconnected"]


@pytest.mark.parametrize("reply", [b'{"error":{"code":3,"msg":"Invalid JSON"},"id":1}', b'{"code":2,"msg":"x","id":1}'])
def test_a_refused_subscription_ends_a_connection(reply: bytes) -> None:
    driver = Driver().start(synced=False)
    out = driver.frame(reply)
    assert faults(out) == ["refused"]
    assert [type(action) for action in out.actions] == [Disconnect, Connect]


@pytest.mark.parametrize("label", ["9", "x", "", "-", "١", "9" * 30])
def test_connections_that_nobody_opened(label: str) -> None:
    driver = Driver().start()
    for kind in (InputKind.FRAME, InputKind.CONNECTED, InputKind.DISCONNECTED):
        assert faults(driver.give(kind, label, payload=b"{}")) == ["unknown_connection"]


def test_a_new_session_begins_from_nothing() -> None:
    driver = Driver().start()
    driver.frame(trade(7))
    first = Driver().session().actions
    assert driver.session().actions == first
    assert driver.state() is SyncState.DISCONNECTED
    assert driver.venue.books["AAA"].stale_book is None
    driver.connected()
    assert faults(driver.frame(trade(3))) == []


# -- rotation ---------------------------------------------------------------------------------------------------------


def rotating(**options: Any) -> Driver:
    """Both symbols in sync at 101 on connection 1, connection 2 open beside it."""
    driver = Driver(rotate_after_s=100, **options).start()
    assert driver.timer(50).actions == []
    assert driver.timer(51).actions == [Connect(2, "wss://stream.binance.com:9443/stream")]
    assert driver.timer(1).actions == []
    driver.connected(2)
    return driver


def test_rotation_leaves_no_hole() -> None:
    driver = rotating()
    driver.frame(depth(103, 103), number=2)  # ahead of the old connection: held back
    assert driver.last_id() == 101
    driver.frame(depth(102, 102))
    assert driver.last_id() == 103  # now nothing is missing in between, and the new connection has the symbol
    assert faults(driver.frame(depth(103, 103))) == ["repeated"]
    driver.frame(depth(104, 104), number=2)
    assert driver.last_id() == 104
    out = driver.frame(depth(100, 102, "BBB"), number=2)  # overlaps
    assert out.actions == [Disconnect(1, "replaced")]
    assert driver.last_id("BBB") == 102
    assert driver.lost(1).events == []
    assert driver.state("AAA") is driver.state("BBB") is SyncState.SYNCED
    assert driver.venue.counters["gap"] == 0
    changes = [event for event in driver.events if isinstance(event, StateChange)]
    assert len(changes) == 4  # each buffering, then in sync: never stale
    assert driver.timer(90).actions == []
    assert driver.timer(20).actions == [Connect(3, "wss://stream.binance.com:9443/stream")]


def test_trades_of_both_connections_come_once() -> None:
    driver = rotating()
    events = [event for number in (1, 2) for event in driver.frame(trade(7), number).events]
    assert [type(event) for event in events] == [Trade, Fault]


def test_rotation_ends_after_a_while_for_quiet_symbols() -> None:
    driver = rotating()
    driver.frame(depth(102, 102), number=2)
    assert driver.timer(29).actions == []
    assert driver.timer(2).actions == [Disconnect(1, "replaced")]
    driver.frame(depth(102, 102, "BBB"), number=2)
    assert (driver.last_id("AAA"), driver.last_id("BBB")) == (102, 102)
    assert driver.state("BBB") is SyncState.SYNCED


def test_the_old_connection_is_lost_while_it_is_replaced() -> None:
    driver = rotating()
    driver.frame(depth(103, 103), number=2)
    out = driver.lost(1)
    assert faults(out) == ["disconnected", "gap"]  # AAA misses 102
    assert (driver.state("AAA"), driver.state("BBB")) == (SyncState.STALE, SyncState.SYNCED)
    driver.frame(depth(102, 102, "BBB"), number=2)
    assert driver.last_id("BBB") == 102


def test_the_old_connection_is_lost_before_the_new_one_is_open() -> None:
    driver = Driver(rotate_after_s=100).start()
    driver.timer(101)
    out = driver.lost(1)
    assert out.actions == []  # connection 2 is on its way
    assert driver.state() is SyncState.STALE
    driver.connected(2)
    driver.frame(depth(110, 110), number=2)
    driver.answer("AAA", body(110))
    assert driver.last_id() == 110


def test_the_new_connection_is_lost_while_it_takes_over() -> None:
    driver = rotating()
    driver.frame(depth(103, 103), number=2)
    out = driver.lost(2)
    assert out.actions == [Connect(3, "wss://stream.binance.com:9443/stream")]
    driver.frame(depth(102, 102))
    assert driver.last_id() == 102
    assert driver.state() is SyncState.SYNCED


def test_a_malformed_update_of_the_new_connection_is_a_hole_in_it() -> None:
    driver = rotating()
    driver.frame(depth(103, 103), number=2)
    driver.frame(depth(104, 104) | {"u": "x"}, number=2)
    driver.frame(depth(102, 102))
    assert driver.last_id() == 102
    driver.frame(depth(105, 105), number=2)
    driver.frame(depth(103, 104))
    assert driver.last_id() == 105


def test_held_updates_are_bounded() -> None:
    driver = rotating(limits=Limits(max_buffered=3))
    counted = [faults(driver.frame(depth(number, number), number=2)) for number in range(103, 108)]
    assert counted == [[], [], [], ["buffer_overflow"], []]
    assert driver.last_id() == 101


@pytest.mark.parametrize("payload", [b'{"e":"serverShutdown","E":1}', b'{"stream":"!serverShutdown","data":{"E":1}}'])
def test_a_server_that_shuts_down_is_left_in_order(payload: bytes) -> None:
    driver = Driver().start()
    out = driver.frame(payload)
    assert faults(out) == ["server_shutdown"]
    assert out.actions == [Connect(2, "wss://stream.binance.com:9443/stream")]
    driver.connected(2)
    for symbol in ("AAA", "BBB"):
        out = driver.frame(depth(102, 102, symbol), number=2)
    assert out.actions == [Disconnect(1, "replaced")]
    assert driver.venue.counters["gap"] == 0


# -- clock, description, arguments ------------------------------------------------------------------------------------


def test_a_clock_that_jumps_back_stands_still() -> None:
    driver = Driver().start()
    before = driver.now
    driver.now -= 3600 * SECOND
    (fault, update) = driver.frame(depth(102, 102)).events
    assert isinstance(fault, Fault)
    assert fault.counter == "clock_went_back"
    assert isinstance(update, DepthUpdate)
    assert update.received_ns == before
    assert driver.venue.counters["clock_went_back"] == 1
    assert driver.frame(depth(103, 103)).events[0] == driver.events[-1]  # once a jump, not once an input
    driver.frame(depth(105, 105))
    assert fetches(driver.timer(2)) == ["depth:AAA"]  # and what waits goes on waiting no longer than it has to


@pytest.mark.parametrize(
    "venue",
    [
        BinanceSpot(["AAA"], rest_url="http://127.0.0.1:1", trades=False, limits=Limits(max_buffered=5)),
        BinanceFutures(["AAA"], depth_limit=100),
        BinanceFutures.coin_margined(["AAA_PERP"]),
    ],
)
def test_a_description_rebuilds_the_venue(venue: BinanceSpot | BinanceFutures) -> None:
    again = venue_from_description(venue.describe())
    assert type(again) is type(venue)
    assert (again.settings, again.name) == (venue.settings, venue.name)
    assert again.process(Input(1, InputKind.SESSION)).actions == venue.process(Input(1, InputKind.SESSION)).actions


@pytest.mark.parametrize(
    "bad", [b"", b"{}", b"[]", b"\xff", BinanceSpot(["AAA"]).describe().replace(b"binance", b"other", 1)]
)
def test_a_bad_description_is_refused(bad: bytes) -> None:
    with pytest.raises(MalformedMessage, match="description"):
        venue_from_description(bad)


@pytest.mark.parametrize("symbols", ["BTCUSDT", [], ["btcusdt"], ["A B"], ["A", "A"], [""], ["A/B"]])
def test_bad_symbols_are_refused(symbols: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        BinanceSpot(symbols)


@pytest.mark.parametrize("options", [{"depth_limit": 0}, {"depth_limit": 5001}, {"update_speed": "5ms"}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        BinanceSpot(["AAA"], **options)


def test_futures_take_depth_and_trades_from_two_connections() -> None:
    driver = Driver(BinanceFutures(["AAA"]))
    urls = [action.url for action in driver.session().actions if isinstance(action, Connect)]
    assert urls == ["wss://fstream.binance.com/public/stream", "wss://fstream.binance.com/market/stream"]
    driver.connected(1)
    driver.connected(2)
    assert faults(driver.frame(depth(90, 100))) == ["malformed"]  # no pu
    driver.frame(depth(90, 100, pu=80))
    driver.answer("AAA", body(100))
    assert driver.frame(depth(130, 140, pu=100)).events
    assert driver.last_id() == 140
    assert faults(driver.frame(depth(150, 160, pu=145))) == ["gap"]
    assert faults(driver.lost(2)) == ["disconnected"]


# -- anything at all --------------------------------------------------------------------------------------------------

frames = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda stream, event: json.dumps({"stream": stream, "data": event}).encode(),
        st.sampled_from(["aaa@depth@100ms", "aaa@trade", "!serverShutdown", ""]),
        st.one_of(
            st.builds(depth, st.integers(95, 110), st.integers(95, 110), st.sampled_from(["AAA", "BBB", "ZZZ"])),
            st.builds(trade, st.integers(0, 5)),
            st.dictionaries(st.sampled_from(list("eEsUubapqtTm")), st.integers() | st.text(max_size=4)),
        ),
    ),
)
anything = st.builds(
    Input,
    received_ns=st.integers(0, 200 * SECOND),
    kind=st.sampled_from(InputKind),
    label=st.sampled_from(["1", "2", "3", "4", "-", "depth:AAA", "depth:BBB", "exchangeInfo"]),
    status=st.sampled_from([0, 200, 200, 200, 400, 429]),
    payload=st.one_of(frames, st.builds(body, st.integers(95, 110)), st.just(b'{"code":-1121}')),
)


@given(st.lists(anything, max_size=40))
def test_nothing_raises_and_everything_is_counted(inputs: list[Input]) -> None:
    driver, again = Driver(rotate_after_s=20, stall_after_s=60).start(), None
    again = Driver(rotate_after_s=20, stall_after_s=60).start()
    for item in inputs:
        out = driver.venue.process(item)
        assert out == again.venue.process(item)  # equal inputs, equal outputs
        driver.events += out.events
        for book in driver.venue.books.values():
            assert (book.book is not None) == (book.state is SyncState.SYNCED)
            assert book.book is None or not book.book.crossed
    told = [event.counter for event in driver.events if isinstance(event, Fault)]
    assert set(told) <= set(REASONS)
    totals = driver.venue.counters.totals()
    assert {name: told.count(name) for name in set(told) - {"missed_trades"}} == {
        name: number for name, number in totals.items() if name != "missed_trades"
    }
