import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from feeds.mock import MockExchange, default_markets, read_truth
from feeds.mock.exchange import FAST_NS, START_NS
from tests.feeds.mock.follower import Follower, units

SECOND = 10**9
EIGHT = re.compile(r"\d+\.\d{8}")
STREAMS = [f"{symbol}@{kind}" for symbol in ("btcusdt", "ethusdt", "solusdt") for kind in (
    "depth", "depth@100ms", "depth5@100ms", "depth20", "trade", "aggTrade", "bookTicker"
)]  # fmt: skip


def listening(streams=STREAMS, **options) -> MockExchange:
    exchange = MockExchange(**options)
    for name in streams:
        assert exchange.listen(name)
    return exchange


def test_frames_depend_on_the_seed_and_not_on_the_steps_or_on_who_listens():
    whole = listening(seed=4).advance(START_NS + 20 * SECOND)
    assert len(whole) > 1_000

    exchange, pieces = listening(seed=4), []
    for step in range(1, 20 * SECOND // 77_777_777 + 2):
        pieces += exchange.advance(min(START_NS + step * 77_777_777, START_NS + 20 * SECOND))
    assert pieces == whole

    some = listening(["ethusdt@depth@100ms", "btcusdt@trade"], seed=4).advance(START_NS + 20 * SECOND)
    assert some == [frame for frame in whole if frame.stream in ("ethusdt@depth@100ms", "btcusdt@trade")]
    reordered = listening(STREAMS, seed=4, markets=default_markets()[::-1]).advance(START_NS + 20 * SECOND)
    assert sorted(reordered) == sorted(whole)
    assert listening(seed=5).advance(START_NS + 20 * SECOND) != whole


def test_frames_come_in_order_of_time():
    times = [frame.time_ns for frame in listening(seed=1).advance(START_NS + 5 * SECOND)]
    assert times == sorted(times)
    assert times[0] > START_NS
    assert times[-1] <= START_NS + 5 * SECOND


@pytest.mark.parametrize(("kind", "interval"), [("depth@100ms", FAST_NS), ("depth", SECOND)])
@pytest.mark.parametrize("into", [0, 37_000_000, 99_999_999])
def test_snapshot_and_diffs_give_the_truth_after_every_message(kind, interval, into):
    exchange = listening([f"{symbol.lower()}@{kind}" for symbol in MockExchange().symbols], seed=8)
    exchange.advance(START_NS + 3 * SECOND)
    early = exchange.advance(START_NS + 7 * SECOND + 2 * FAST_NS + into)
    followers = {symbol: Follower(exchange.snapshot(symbol, 5_000)) for symbol in exchange.symbols}
    assert followers["BTCUSDT"].last_id == exchange.market("BTCUSDT").update_id
    late = exchange.advance(START_NS + 17 * SECOND)

    last = {}
    for frame in early + late:
        body = json.loads(frame.text)
        symbol = body["s"]
        assert body["E"] * 1_000_000 == frame.time_ns
        assert (frame.time_ns - START_NS) % interval == 0
        assert body["U"] == last.get(symbol, body["U"] - 1) + 1
        last[symbol] = body["u"]
        if followers[symbol].apply(frame.text):
            truth = exchange.truth(symbol, body["u"])
            assert truth is not None
            # The same moment, or before it where nothing changed in between.
            assert frame.time_ns - interval < truth.time_ns <= frame.time_ns
            assert followers[symbol].digest() == truth.digest
            for side in ("bids", "asks"):
                top = [(units(price), units(size)) for price, size in getattr(truth, side)]
                assert top == followers[symbol].top(side, 20)
    assert min(follower.num_applied for follower in followers.values()) >= 9


def test_a_snapshot_inside_an_interval_is_bridged_by_a_diff_that_began_before_it():
    exchange = listening(["btcusdt@depth@100ms"], seed=8)
    bridged = 0
    for step in range(1, 60):
        exchange.advance(START_NS + step * FAST_NS + 60_000_000)
        book = exchange.snapshot("BTCUSDT", 5_000)
        frames = exchange.advance(START_NS + (step + 1) * FAST_NS)
        if frames and json.loads(frames[0].text)["U"] <= json.loads(book)["lastUpdateId"]:
            follower = Follower(book)
            if follower.apply(frames[0].text):
                bridged += 1
                assert follower.digest() == exchange.market("BTCUSDT").digest()
    assert bridged > 5


def test_messages_have_the_documented_shape():
    shapes = {
        "depth@100ms": {"e": str, "E": int, "s": str, "U": int, "u": int, "b": list, "a": list},
        "depth": {"e": str, "E": int, "s": str, "U": int, "u": int, "b": list, "a": list},
        "depth5@100ms": {"lastUpdateId": int, "bids": list, "asks": list},
        "depth20": {"lastUpdateId": int, "bids": list, "asks": list},
        "trade": {"e": str, "E": int, "s": str, "t": int, "p": str, "q": str, "T": int, "m": bool, "M": bool},
        "aggTrade": {
            "e": str, "E": int, "s": str, "a": int, "p": str, "q": str, "f": int, "l": int, "T": int, "m": bool,
            "M": bool,
        },
        "bookTicker": {"u": int, "s": str, "b": str, "B": str, "a": str, "A": str},
    }  # fmt: skip
    seen = set()
    for frame in listening(seed=1).advance(START_NS + 10 * SECOND):
        kind = frame.stream.partition("@")[2]
        body = json.loads(frame.text)
        assert {name: type(value) for name, value in body.items()} == shapes[kind]
        assert frame.text == json.dumps(body, separators=(",", ":"))
        for name in ("b", "a", "bids", "asks"):
            rows = body.get(name)
            if isinstance(rows, list):
                assert all(len(row) == 2 for row in rows)
                assert all(EIGHT.fullmatch(text) for row in rows for text in row)
        assert all(EIGHT.fullmatch(body[name]) for name in ("p", "q", "B", "A") if name in body)
        assert kind != "depth5@100ms" or len(body["bids"]) == len(body["asks"]) == 5
        seen.add(kind)
    assert seen == set(shapes)


def test_trades_and_quotes_agree_with_each_other_and_with_the_book():
    frames = listening(seed=6).advance(START_NS + 60 * SECOND)
    by_kind = {
        kind: [json.loads(f.text) for f in frames if f.stream == f"ethusdt@{kind}"] for kind in ("trade", "aggTrade")
    }
    trades, aggregates = by_kind["trade"], by_kind["aggTrade"]
    assert [trade["t"] for trade in trades] == list(range(1, len(trades) + 1))
    for aggregate in aggregates:
        parts = trades[aggregate["f"] - 1 : aggregate["l"]]
        assert sum(units(part["q"]) for part in parts) == units(aggregate["q"])
        assert {(part["p"], part["m"]) for part in parts} == {(aggregate["p"], aggregate["m"])}
    assert sum(aggregate["l"] > aggregate["f"] for aggregate in aggregates) > 5
    quotes = [json.loads(f.text) for f in frames if f.stream == "ethusdt@bookTicker"]
    assert all(units(quote["b"]) < units(quote["a"]) for quote in quotes)
    assert all(a["u"] < b["u"] for a, b in pairwise(quotes))


def test_truth_is_bounded_in_memory_and_whole_in_its_file(tmp_path):
    path = tmp_path / "truth.jsonl"
    exchange = MockExchange(default_markets()[:2], seed=1, truth_limit=10, truth_path=path)
    exchange.advance(START_NS + 10 * SECOND)
    exchange.close()
    truths = list(read_truth(path))
    assert len(truths) == exchange.num_truths > 100
    btc = [truth for truth in truths if truth.symbol == "BTCUSDT"]
    assert [truth.u for truth in btc] == sorted({truth.u for truth in btc})
    assert [exchange.truth("BTCUSDT", truth.u) for truth in btc[-10:]] == btc[-10:]
    assert exchange.truth("BTCUSDT", btc[-11].u) is None
    assert len(btc[0].bids) == len(btc[0].asks) == 20
    assert all(EIGHT.fullmatch(text) for row in btc[0].bids for text in row)


def test_a_quiet_market_says_nothing():
    exchange = listening(["btcusdt@depth@100ms"], markets=[replace(default_markets()[0], rate=0.5)], seed=1)
    frames = exchange.advance(START_NS + 60 * SECOND)
    assert 5 < len(frames) < 60
    assert exchange.num_truths == len(frames) + 1


def test_duration_ends_the_simulation():
    exchange = listening(["btcusdt@depth@100ms"], seed=1, duration_s=2.0)
    exchange.advance(START_NS + 1 * SECOND)
    assert not exchange.finished
    exchange.advance(START_NS + 100 * SECOND)
    assert exchange.finished
    assert exchange.now_ns == START_NS + 2 * SECOND
    assert exchange.advance(START_NS + 200 * SECOND) == []


def test_a_thousand_milliseconds_may_be_said():
    frames = listening(["btcusdt@depth", "btcusdt@depth@1000ms", "btcusdt@depth5", "btcusdt@depth5@1000ms"]).advance(
        START_NS + 5 * SECOND
    )
    texts = {name: [frame.text for frame in frames if frame.stream == name] for name in {f.stream for f in frames}}
    assert len(texts) == 4
    assert texts["btcusdt@depth"] == texts["btcusdt@depth@1000ms"]
    assert texts["btcusdt@depth5"] == texts["btcusdt@depth5@1000ms"]


def test_streams_that_do_not_exist_are_not_listened_to():
    exchange = MockExchange()
    for name in ("xrpusdt@trade", "BTCUSDT@trade", "btcusdt@depth7", "btcusdt@depth@250ms", "btcusdt@kline_1m", ""):
        assert not exchange.listen(name)
    assert exchange.listen("btcusdt@trade")
    assert exchange.listen("btcusdt@trade")
    exchange.ignore("btcusdt@trade")
    assert exchange.status()["streams"] == {"btcusdt@trade": 1}
    exchange.ignore("btcusdt@trade")
    assert exchange.status()["streams"] == {}


@pytest.mark.parametrize(
    "wrong",
    [{"markets": []}, {"markets": default_markets()[:1] * 2}, {"start_ns": 5}, {"duration_s": 0.0}, {"truth_limit": 0}],
)
def test_an_exchange_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        MockExchange(**wrong)
